//! Gives an order to the agent that runs on this host, on its admin endpoint, and says what it answered.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use capitana_core::HostPort;
use hyper::{Method, StatusCode};
use serde::Deserialize;
use tokio::time::timeout;

use crate::admin::exchange::exchange;
use crate::cli::wait::patiently;
use crate::config::AgentConfig;
use crate::error::Error;

/// The agent waits up to five seconds for ZooKeeper before it answers.
const LIMIT: Duration = Duration::from_secs(10);

/// The part of the answer that is shown.
#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(default)]
    znode: Option<Znode>,
    #[serde(default)]
    milliseconds: f64,
    #[serde(default)]
    not_withdrawn_because: Option<String>,
    #[serde(default)]
    not_registered_because: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Znode {
    path: String,
    epoch: i64,
}

pub(super) async fn step_down(config: &AgentConfig, out: &mut dyn Write) -> Result<(), Error> {
    let answer = give(config, "/step-down").await?;
    if let Some(why) = answer.not_withdrawn_because {
        return Err(Error::NotWithdrawn { why });
    }
    match answer.znode {
        Some(Znode { path, epoch }) => {
            let took = answer.milliseconds;
            writeln!(out, "stepped down: {path} (epoch {epoch}) is gone, after {took:.1} ms")
        }
        None => writeln!(out, "stepped down: it had no place in the election"),
    }
    .map_err(Error::Output)
}

pub(super) async fn rejoin(config: &AgentConfig, out: &mut dyn Write) -> Result<(), Error> {
    let answer = give(config, "/rejoin").await?;
    match (answer.znode, answer.not_registered_because) {
        (Some(Znode { path, epoch }), _) => writeln!(out, "rejoined as {path} (epoch {epoch})"),
        (None, Some(why)) => writeln!(out, "may rejoin, and has not yet: {why}"),
        (None, None) => writeln!(out, "may rejoin"),
    }
    .map_err(Error::Output)
}

async fn give(config: &AgentConfig, path: &str) -> Result<Answer, Error> {
    let address = address(config.common.admin_listen);
    let failed = |problem: String| Error::Agent { address, problem };
    let target = HostPort::new(&address.ip().to_string(), address.port())
        .map_err(|error| failed(error.to_string()))?;
    let name = format!("capitana agent (uid {})", rustix::process::getuid().as_raw());
    let answer = timeout(LIMIT, exchange(&target, Method::POST, path, &name));
    let (status, body) = patiently("the agent", LIMIT, answer)
        .await
        .map_err(|_| failed(format!("no answer within {}", humantime::format_duration(LIMIT))))?
        .map_err(failed)?;
    match status {
        StatusCode::OK | StatusCode::ACCEPTED => serde_json::from_slice(&body)
            .map_err(|error| failed(format!("its answer is not an agent's: {error}"))),
        status => {
            let words = String::from_utf8_lossy(&body);
            Err(failed(format!("it answered {status}: {}", words.lines().next().unwrap_or_default())))
        }
    }
}

/// Where an endpoint that listens on `admin_listen` is reached from this host.
fn address(admin_listen: SocketAddr) -> SocketAddr {
    let ip = match admin_listen.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, admin_listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_on_every_address_is_reached_on_the_loopback() {
        for (listen, reached) in [
            ("0.0.0.0:9308", "127.0.0.1:9308"),
            ("[::]:9308", "[::1]:9308"),
            ("192.0.2.7:9308", "192.0.2.7:9308"),
        ] {
            assert_eq!(address(listen.parse().unwrap()), reached.parse().unwrap());
        }
    }
}
