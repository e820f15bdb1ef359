//! What proxies say of themselves: `GET /status` on the admin endpoint of each, all at once, each in its time.
//! What is done with the answers is `status`'s.

use std::time::Duration;

use bytes::Bytes;
use capitana_core::HostPort;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::wait::patiently;

/// The longest answer that is read; a proxy's is a few kilobytes.
const LONGEST_ANSWER: usize = 4 * 1024 * 1024;

/// What one proxy said.
#[derive(Debug, Serialize)]
pub(super) struct Proxy {
    /// Its admin address.
    pub(super) address: HostPort,
    /// Its answer.
    #[serde(flatten)]
    pub(super) answer: Answer,
}

/// A proxy's answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Answer {
    /// Its `/status`, as it came.
    Status(serde_json::Value),
    /// Why there is none.
    Error(String),
}

/// The part of a proxy's `/status` that is shown in a table. Every field may be missing in another version.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Shown {
    /// Whether clients are served.
    pub(super) ready: bool,
    /// Why not.
    pub(super) not_ready_because: Option<String>,
    /// The primary that is followed.
    pub(super) route: Option<ShownRoute>,
    /// Sessions.
    pub(super) sessions: Sessions,
}

/// The primary that a proxy follows.
#[derive(Debug, Deserialize)]
pub(super) struct ShownRoute {
    /// Its epoch.
    pub(super) epoch: i64,
    /// Its address.
    pub(super) upstream: String,
}

/// How many sessions a proxy has.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Sessions {
    /// All there are, waiting ones included.
    #[serde(rename = "active")]
    pub(super) all: i64,
    /// Those of them that wait for a primary.
    pub(super) held: i64,
}

/// Asks every proxy, and answers in the order of `addresses`.
pub(super) async fn ask(addresses: Vec<HostPort>, limit: Duration) -> Vec<Proxy> {
    let mut asked = JoinSet::new();
    for (place, address) in addresses.into_iter().enumerate() {
        asked.spawn(async move { (place, one(address, limit).await) });
    }
    let mut answered = patiently("the proxies", limit, asked.join_all()).await;
    answered.sort_by_key(|(place, _)| *place);
    answered.into_iter().map(|(_, proxy)| proxy).collect()
}

async fn one(address: HostPort, limit: Duration) -> Proxy {
    let answer = match timeout(limit, status(&address)).await {
        Ok(Ok(status)) => Answer::Status(status),
        Ok(Err(why)) => Answer::Error(why),
        Err(_) => Answer::Error(format!("no answer within {}", humantime::format_duration(limit))),
    };
    Proxy { address, answer }
}

async fn status(address: &HostPort) -> Result<serde_json::Value, String> {
    let stream = TcpStream::connect((address.host(), address.port())).await.map_err(|e| e.to_string())?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
    let request = Request::get("/status")
        .header(HOST, address.to_string())
        .body(Empty::<Bytes>::new())
        .map_err(|e| e.to_string())?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(|e| e.to_string())?;
        if response.status() != StatusCode::OK {
            return Err(format!("it answered {}; is this a proxy's admin address?", response.status()));
        }
        let body = Limited::new(response.into_body(), LONGEST_ANSWER).collect().await;
        let body = body.map_err(|e| e.to_string())?.to_bytes();
        serde_json::from_slice(&body).map_err(|e| format!("its /status is not JSON ({e}); is this a proxy?"))
    };
    // The connection ends when the exchange has dropped its sender, or before, and then the exchange says why.
    tokio::select! {
        answer = exchange => answer,
        Err(error) = connection => Err(error.to_string()),
    }
}
