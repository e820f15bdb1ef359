//! Owns asking an admin endpoint: one GET, with a deadline.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;

/// How long an answer may take. A daemon answers within a millisecond; a frozen one never does.
const ANSWER: Duration = Duration::from_secs(1);

/// The status and the body of `http://address/path`.
///
/// # Errors
/// Nobody answers within a second, or not with HTTP and UTF-8.
pub async fn get(address: SocketAddr, path: &str) -> Result<(StatusCode, String)> {
    tokio::time::timeout(ANSWER, exchange(address, path))
        .await
        .map_err(|_| anyhow!("http://{address}{path}: no answer within {ANSWER:?}"))?
        .with_context(|| format!("http://{address}{path}"))
}

/// The JSON at `http://address/path`.
///
/// # Errors
/// As [`get`]; or the status is not 200, or the body is not such JSON.
pub async fn get_json<T: DeserializeOwned>(address: SocketAddr, path: &str) -> Result<T> {
    let (status, body) = get(address, path).await?;
    if status != StatusCode::OK {
        bail!("http://{address}{path}: {status}: {}", body.trim());
    }
    serde_json::from_str(&body).with_context(|| format!("http://{address}{path} says: {body}"))
}

async fn exchange(address: SocketAddr, path: &str) -> Result<(StatusCode, String)> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get(path).header(header::HOST, address.to_string()).body(Empty::<Bytes>::new())?;
    let answer = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        drop(sender);
        Ok((status, String::from_utf8(body.to_vec())?))
    };
    // The connection does the reading and writing while the answer is awaited.
    let (_, answer) = tokio::join!(connection, answer);
    answer
}
