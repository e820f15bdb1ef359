//! Waves of clients that are held to the end: what each is told, byte for byte, and what holding costs the proxy.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::daemon::Proxy;
use crate::lab::Lab;
use crate::report::Report;

const CLIENTS: usize = 500;
/// The first ones fill the allocator's caches, the last one shows whether memory grows.
const WAVES: usize = 4;
/// What the proxy's memory may have grown from the second wave to the last, in KiB: a page for every client of a wave
/// would be 2,000.
const GROWTH: u64 = 512;
/// What an error packet has before its text: length, sequence number, the mark of an error, code.
const BEFORE_TEXT: usize = 7;

pub(super) async fn run(lab: &Lab, hold: Duration, report: &mut Report) -> Result<()> {
    let proxy = lab.proxies().first().context("the lab has no proxy")?;
    let mut memory = vec![resident_kib(proxy)?];
    let mut told = 0;
    for _ in 0..WAVES {
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            clients.spawn(wait(proxy.address(), hold * 4));
        }
        while let Some(client) = clients.join_next().await {
            match client? {
                Ok(()) => told += 1,
                Err(error) => report.fail(format!("a held client was not told: {error:#}")),
            }
        }
        memory.push(resident_kib(proxy)?);
    }
    lab.progress().say(format_args!("{told} clients were held and told; resident memory: {memory:?} KiB"));
    let (second, last) = (memory[2], memory[WAVES]);
    report.exactly("held_and_told", told, WAVES * CLIENTS);
    report.count("rss_before_kib", usize::try_from(memory[0])?);
    report.count("rss_second_wave_kib", usize::try_from(second)?);
    let grows = || format!("memory grows with every wave: {memory:?} KiB");
    report.at_most("rss_last_wave_kib", last, second + GROWTH).because(grows);
    Ok(())
}

/// Connects, says nothing, and reads what it is told: one error packet and a clean end.
async fn wait(proxy: SocketAddr, patience: Duration) -> Result<()> {
    let mut stream = TcpStream::connect(proxy).await?;
    let mut told = Vec::new();
    tokio::time::timeout(patience, stream.read_to_end(&mut told)).await.context("it is held for ever")??;
    let length = told.len().checked_sub(4).context("the connection ended without a packet")?;
    anyhow::ensure!(
        told.len() > BEFORE_TEXT
            && told[4] == 0xff
            && u32::from_le_bytes([told[0], told[1], told[2], 0]) as usize == length,
        "this is no error packet: {told:02x?}"
    );
    // Before the greeting an error has no SQL state.
    anyhow::ensure!(
        told[3] == 0 && told[BEFORE_TEXT] != b'#',
        "not an error before the greeting: {told:02x?}"
    );
    Ok(())
}

/// `VmRSS` of proc(5).
fn resident_kib(proxy: &Proxy) -> Result<u64> {
    let pid = proxy.pid().context("the proxy does not run")?;
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
