//! Asks another daemon's admin endpoint for its `/status`. How long it is waited for, and what is made of the answer, is
//! the caller's.

use bytes::Bytes;
use capitana_core::HostPort;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// The longest answer that is read; one is a few kilobytes.
const LONGEST_ANSWER: usize = 4 * 1024 * 1024;

/// What the daemon at `address` says of itself.
///
/// # Errors
/// Why there is no such answer, for people.
pub async fn status(address: &HostPort) -> Result<serde_json::Value, String> {
    let stream = TcpStream::connect((address.host(), address.port())).await.map_err(|e| e.to_string())?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
    let request = Request::get("/status")
        .header(HOST, address.to_string())
        .body(Empty::<Bytes>::new())
        .map_err(|e| e.to_string())?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(|e| e.to_string())?;
        if response.status() != StatusCode::OK {
            return Err(format!(
                "it answered {}; is this an admin address of capitana's?",
                response.status()
            ));
        }
        let body = Limited::new(response.into_body(), LONGEST_ANSWER).collect().await;
        let body = body.map_err(|e| e.to_string())?.to_bytes();
        serde_json::from_slice(&body)
            .map_err(|e| format!("its /status is not JSON ({e}); is this an admin address of capitana's?"))
    };
    // The connection ends when the exchange has dropped its sender, or before, and then the exchange says why.
    tokio::select! {
        answer = exchange => answer,
        Err(error) = connection => Err(error.to_string()),
    }
}
