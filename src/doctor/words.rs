//! Asks ZooKeeper's servers their four-letter words, each on a connection of its own, as they want it. What the answers
//! mean is in `capitana_core::doctor::words`.

use std::future::Future;
use std::time::Duration;

use capitana_core::doctor::words::{Answer, Words};
use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// `mntr` has about 30 KB; more is not ZooKeeper's.
const LONGEST: u64 = 1 << 20;

/// The servers of the connect string `servers`, without its chroot.
pub(super) fn addresses(servers: &str) -> Vec<String> {
    let servers = servers.split('/').next().unwrap_or_default();
    servers.split(',').map(|server| server.trim().to_owned()).filter(|server| !server.is_empty()).collect()
}

/// Asks every server at once; each word is given up after `limit`.
pub(super) fn ask(addresses: Vec<String>, limit: Duration) -> impl Future<Output = Vec<Words>> {
    join_all(addresses.into_iter().map(move |address| async move {
        let (srvr, conf, mntr) = tokio::join!(
            word(&address, "srvr", limit),
            word(&address, "conf", limit),
            word(&address, "mntr", limit)
        );
        Words { address, srvr, conf, mntr }
    }))
}

async fn word(address: &str, word: &str, limit: Duration) -> Answer {
    match timeout(limit, reply(address, word)).await {
        Ok(Ok(reply)) => Answer::read(&reply),
        Ok(Err(error)) => Answer::Silent(error.to_string()),
        Err(_) => Answer::Silent(format!("no answer within {limit:?}")),
    }
}

async fn reply(address: &str, word: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(word.as_bytes()).await?;
    let mut reply = Vec::new();
    stream.take(LONGEST).read_to_end(&mut reply).await?;
    Ok(String::from_utf8_lossy(&reply).into_owned())
}
