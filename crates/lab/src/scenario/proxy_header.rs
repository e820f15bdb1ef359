//! Scenario `proxy-header`: MariaDB sees the clients' own addresses, whatever load balancers, proxies and forgers send.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::raw::Raw;
use super::{Scenario, in_lab};
use crate::daemon::program;
use crate::galera::Node;
use crate::http;
use crate::lab::Lab;
use crate::process::Process;
use crate::progress::Progress;
use crate::report::Report;
use crate::wait::wait_until;

/// Where a load balancer in front that is trusted is.
const BALANCER: Ipv4Addr = Ipv4Addr::new(127, 88, 0, 1);
/// Where ordinary clients are.
const CLIENT: Ipv4Addr = Ipv4Addr::new(127, 89, 0, 1);
/// Who the balancer says its clients are.
const BEHIND: &str = "203.0.113.7";
/// Who forgers would like to be.
const FORGED: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 66);
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) const SCENARIO: Scenario = Scenario {
    name: "proxy-header",
    about: "PROXY headers v1, v2, UNKNOWN, LOCAL, a second one and untrusted ones: user()@host is true, 0 forged",
    run: |progress| Box::pin(run(progress)),
};

async fn run(progress: Progress) -> Result<Report> {
    let builder = Lab::builder()
        .galera(1)
        .server_option("proxy_protocol_networks", "*")
        .server_option("performance_schema", "ON");
    in_lab(builder, &progress, async |lab, report| check(lab, report).await).await
}

/// A client's first bytes, where it is, and who it has to be for the server. None: it must not come in.
struct Case {
    name: &'static str,
    from: Ipv4Addr,
    before: Vec<u8>,
    after_greeting: Vec<u8>,
    expected: Option<String>,
}

async fn check(lab: &Lab, report: &mut Report) -> Result<()> {
    let node = lab.nodes().first().context("no node")?;
    node.execute("CREATE USER probe@'%'").await?;
    let (mut right, mut wrong) = (0, 0);
    for (index, version) in ["v1", "v2"].into_iter().enumerate() {
        let proxy = start(lab, node, index, version).await?;
        for case in cases() {
            let seen = seen(&case, proxy).await;
            let is_right = match (&seen, &case.expected) {
                (Ok(seen), Some(expected)) => seen == expected,
                (Err(_), None) => true,
                _ => false,
            };
            let shown = seen.unwrap_or_else(|why| format!("nobody ({why:#})"));
            lab.progress().say(format_args!("{version}, {}: MariaDB sees {shown}", case.name));
            if is_right {
                right += 1;
            } else {
                wrong += 1;
            }
            report.check(is_right, || {
                format!("{version}, {}: MariaDB sees {shown}, expected {:?}", case.name, case.expected)
            });
        }
    }
    let forged = forged(node).await?;
    report.count("right", right);
    report.none("wrong", wrong);
    report.none("forged", forged).because(|| format!("MariaDB knows connections from {FORGED}"));
    Ok(())
}

fn cases() -> Vec<Case> {
    let user = |address: &str| Some(format!("probe@{address}"));
    let case = |name, from, before: &[u8], after: &[u8], expected| Case {
        name,
        from,
        before: before.to_vec(),
        after_greeting: after.to_vec(),
        expected,
    };
    let line = format!("PROXY TCP4 {BEHIND} 198.51.100.1 4711 3306\r\n").into_bytes();
    let forged_line = format!("PROXY TCP4 {FORGED} 198.51.100.1 4711 3306\r\n").into_bytes();
    let behind = Ipv4Addr::new(203, 0, 113, 7);
    vec![
        case("a client without a header", CLIENT, b"", b"", user(&CLIENT.to_string())),
        case("a balancer's line", BALANCER, &line, b"", user(BEHIND)),
        case("a balancer's binary header", BALANCER, &binary(0x21, behind), b"", user(BEHIND)),
        case("a balancer's UNKNOWN", BALANCER, b"PROXY UNKNOWN\r\n", b"", user(&BALANCER.to_string())),
        case("a balancer's LOCAL", BALANCER, &binary(0x20, FORGED), b"", user(&BALANCER.to_string())),
        case("a balancer without a header", BALANCER, b"", b"", None),
        case("a line from an untrusted address", CLIENT, &forged_line, b"", None),
        case("a binary header from an untrusted address", CLIENT, &binary(0x21, FORGED), b"", None),
        case("a line after the greeting", CLIENT, b"", &forged_line, None),
        case("a binary header after the greeting", CLIENT, b"", &binary(0x21, FORGED), None),
        case("a second line behind a balancer", BALANCER, &line, &forged_line, None),
        case("a second header at once", BALANCER, &[&line[..], &binary(0x21, FORGED)].concat(), b"", None),
    ]
}

fn binary(command: u8, source: Ipv4Addr) -> Vec<u8> {
    let mut header = SIGNATURE.to_vec();
    header.extend_from_slice(&[command, 0x11, 0, 12]);
    header.extend_from_slice(&source.octets());
    header.extend_from_slice(&[198, 51, 100, 1, 0x12, 0x67, 0x0c, 0xea]);
    header
}

/// Who the client is for the server.
async fn seen(case: &Case, proxy: SocketAddr) -> Result<String> {
    let mut client = Raw::connect(SocketAddr::from((case.from, 0)), proxy).await?;
    client.send(&case.before).await?;
    if case.after_greeting.is_empty() {
        return client.ask("probe", "SELECT USER()").await;
    }
    client.packet().await?;
    client.send(&case.after_greeting).await?;
    // If that went through, the server waits for a login as if it had not greeted yet.
    client.send(&super::raw::login("probe", "mysql_native_password")).await?;
    let answer = client.packet().await?;
    anyhow::ensure!(answer.first() == Some(&0), "{}", super::raw::text(&answer));
    Ok(format!("probe@{FORGED}?"))
}

/// A proxy that tells the server by this version who its clients are.
async fn start(lab: &Lab, node: &Node, index: usize, version: &'static str) -> Result<SocketAddr> {
    let address = SocketAddr::from((lab.slot().proxy(index), 3306));
    let admin = SocketAddr::from((lab.slot().proxy(index), 9307));
    let (program, primary) = (program()?, node.address());
    let process: Process = lab.process(&format!("proxy-{version}"), move || {
        let mut command = Command::new(&program);
        command.args(["proxy", "--primary", &primary.to_string(), "--listen", &address.to_string()]);
        command.args(["--admin-listen", &admin.to_string(), "--proxy-protocol", version]);
        command.args(["--accept-proxy-protocol", &BALANCER.to_string(), "--handshake-timeout", "2s"]);
        Ok(command)
    })?;
    process.start().await?;
    let ready = async || http::get(admin, "/readyz").await.ok().filter(|(status, _)| status.is_success());
    wait_until(PATIENCE, "the proxy is ready", ready).await?;
    Ok(address)
}

/// Connections from the forged address that the server has let in.
async fn forged(node: &Node) -> Result<usize> {
    use mysql_async::prelude::Queryable;
    let mut conn = node.root().await?;
    let question = format!(
        "SELECT COALESCE(SUM(total_connections), 0) FROM performance_schema.hosts WHERE host = '{FORGED}'"
    );
    let count: Option<u64> = conn.query_first(question).await?;
    conn.disconnect().await?;
    Ok(count.unwrap_or_default() as usize)
}
