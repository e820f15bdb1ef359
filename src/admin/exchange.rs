//! One request to another daemon's admin endpoint, and its answer. How long it is waited for, and what is made of the
//! answer, is the caller's.

use bytes::Bytes;
use capitana_core::HostPort;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper::header::{HOST, USER_AGENT};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// The longest answer that is read; one is a few kilobytes.
const LONGEST_ANSWER: usize = 4 * 1024 * 1024;

/// Asks `path` of the daemon at `address`; `name` is what the asker calls itself.
///
/// # Errors
/// Why there is no answer, for people.
pub async fn exchange(
    address: &HostPort,
    method: Method,
    path: &str,
    name: &str,
) -> Result<(StatusCode, Bytes), String> {
    let stream = TcpStream::connect((address.host(), address.port())).await.map_err(|e| e.to_string())?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, address.to_string())
        .header(USER_AGENT, name)
        .body(Empty::<Bytes>::new())
        .map_err(|e| e.to_string())?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(|e| e.to_string())?;
        let status = response.status();
        let body = Limited::new(response.into_body(), LONGEST_ANSWER).collect().await;
        Ok((status, body.map_err(|e| e.to_string())?.to_bytes()))
    };
    // The connection ends when the exchange has dropped its sender, or before, and then the exchange says why.
    tokio::select! {
        answer = exchange => answer,
        Err(error) = connection => Err(error.to_string()),
    }
}
