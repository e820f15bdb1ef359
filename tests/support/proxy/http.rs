//! A client of the admin endpoint, down to the bytes.

use std::io::{Read, Write};
use std::net::SocketAddr;

use super::client::connect;

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The head, in lower case.
    pub head: String,
    /// The body.
    pub body: String,
}

/// Asks for a path.
pub fn get(admin: SocketAddr, path: &str) -> Answer {
    ask(admin, &format!("GET {path} HTTP/1.1\r\nHost: capitana\r\nConnection: close\r\n\r\n"))
}

/// Sends a request as it is written and reads to the end.
pub fn ask(admin: SocketAddr, request: &str) -> Answer {
    let mut stream = connect(admin);
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
}

/// The value of one series, named as in the text: `capitana_sessions_ended_total{reason="shutdown"}`.
pub fn metric(admin: SocketAddr, series: &str) -> f64 {
    let body = get(admin, "/metrics").body;
    let line = body.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in\n{body}")).parse().unwrap()
}

/// The values that the series of this name have for this label.
pub fn labels(admin: SocketAddr, name: &str, label: &str) -> Vec<String> {
    let start = format!("{name}{{{label}=\"");
    let body = get(admin, "/metrics").body;
    let value = |line: &str| Some(line.strip_prefix(&start)?.split('"').next()?.to_owned());
    body.lines().filter_map(value).collect()
}
