//! The example for keepalived, as it stands in the repository but for the address: whoever's proxy is ready holds it.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{env, fs};

use anyhow::{Context, Result};

use super::{Lan, Looker, PATIENCE};
use crate::daemon;
use crate::lab::Lab;
use crate::process::Process;
use crate::progress::shown;
use crate::report::Report;
use crate::wait::wait_until;

const EXAMPLE: &str = include_str!("../../../../../config/keepalived/keepalived.conf");
/// Two checks a second apart that fail, and then a word to the others.
const MOVED: Duration = Duration::from_secs(6);

pub(super) async fn moves(lab: &Lab, lan: &Lan, report: &mut Report) -> Result<()> {
    let ip: IpAddr = "10.9.0.20".parse()?;
    let looker = Looker::start(lan, ip);
    let proxies = [proxy(lab, lan, 0)?, proxy(lab, lan, 1)?];
    let vrrp = [keepalived(lab, lan, 0, ip)?, keepalived(lab, lan, 1, ip)?];
    for process in proxies.iter().chain(&vrrp) {
        process.start().await?;
    }
    // Both are ready before anything is looked at: until then they settle whose the address is.
    tokio::time::timeout(PATIENCE, settled(&looker)).await.context("keepalived does not settle")?;
    let holder = looker.holder().context("nobody has the address")?;
    lab.progress().say(format_args!("keepalived has {ip} on host {holder}"));
    let (began, before) = (Instant::now(), looker.both.load(std::sync::atomic::Ordering::Relaxed));
    proxies[holder].kill().await?;
    let elsewhere = async || looker.holder().filter(|now| *now != holder);
    wait_until(PATIENCE, "the address is where the other proxy is", elsewhere).await?;
    lab.progress().say(format_args!("its proxy is gone: on the other host {} later", shown(began.elapsed())));
    report.at_most("keepalived_moved_ms", began.elapsed(), MOVED);
    proxies[holder].start().await?;
    let back = async || (looker.holder() == Some(holder)).then_some(());
    let back = wait_until(MOVED, "the address goes back", back).await;
    report.check(back.is_err(), || "the address went back when the first proxy was ready again".to_owned());
    let both = looker.both.load(std::sync::atomic::Ordering::Relaxed) - before;
    // VRRP has no agreement: while it moves both may have it for a moment.
    report.count("keepalived_looks_at_both_having_it", both);
    for process in vrrp.iter().chain(&proxies) {
        process.stop().await?;
    }
    Ok(())
}

/// The same host has it for three seconds.
async fn settled(looker: &Looker) {
    let (mut last, mut since) = (None, Instant::now());
    while since.elapsed() < Duration::from_secs(3) || last.is_none() {
        let now = looker.holder();
        if now != last {
            (last, since) = (now, Instant::now());
        }
        tokio::time::sleep(super::LOOK).await;
    }
}

fn proxy(lab: &Lab, lan: &Lan, host: usize) -> Result<Process> {
    let (program, hosts) = (daemon::program()?, Arc::clone(&lan.hosts));
    lab.process(&format!("vrrp-proxy{host}"), move || {
        let mut command = hosts[host].command(program.to_str().context("the program's path")?)?;
        command.args(["proxy", "--primary", "127.0.0.1:1", "--listen", "127.0.0.1:3306"]);
        Ok(command)
    })
}

fn keepalived(lab: &Lab, lan: &Lan, host: usize, ip: IpAddr) -> Result<Process> {
    let directory = lab.slot().directory().join(format!("keepalived{host}"));
    fs::create_dir_all(&directory)?;
    let file = directory.join("keepalived.conf");
    fs::write(&file, EXAMPLE.replace("192.0.2.10", &ip.to_string()))?;
    let (hosts, program) = (Arc::clone(&lan.hosts), installed()?);
    lab.process(&format!("keepalived{host}"), move || {
        let mut command = hosts[host].command(&program)?;
        command.args(["--dont-fork", "--log-console", "--vrrp", "--use-file"]).arg(&file);
        command.arg("--pid").arg(directory.join("pid")).arg("--vrrp_pid").arg(directory.join("vrrp-pid"));
        Ok(command)
    })
}

fn installed() -> Result<String> {
    let paths = env::var("PATH").unwrap_or_default() + ":/usr/sbin";
    let found =
        paths.split(':').map(|directory| Path::new(directory).join("keepalived")).find(|path| path.exists());
    Ok(found.context("keepalived is missing: apt-get install keepalived")?.display().to_string())
}
