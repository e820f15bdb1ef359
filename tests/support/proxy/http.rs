//! A client of the admin endpoint, down to the bytes.

use std::collections::BTreeSet;
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

/// The sum of the series of a name that have these labels, and perhaps more: `capitana_sessions`, or
/// `capitana_sessions_ended_total{reason="shutdown"}`.
pub fn metric(admin: SocketAddr, series: &str) -> f64 {
    let body = get(admin, "/metrics").body;
    let (name, wanted) = parts(series);
    let value = |line: &str| {
        let (found, value) = line.rsplit_once(' ')?;
        let (found, labels) = parts(found);
        let fits = found == name && wanted.iter().all(|label| labels.contains(label));
        fits.then(|| value.parse::<f64>().unwrap())
    };
    let values: Vec<_> = body.lines().filter_map(value).collect();
    assert!(!values.is_empty(), "no {series} in\n{body}");
    values.iter().sum()
}

/// A series' name and its labels, each as it is written.
fn parts(series: &str) -> (&str, Vec<&str>) {
    match series.split_once('{') {
        Some((name, labels)) => (name, labels.trim_end_matches('}').split(',').collect()),
        None => (series, Vec::new()),
    }
}

/// The values that the series of this name have for this label, each once, in order.
pub fn labels(admin: SocketAddr, name: &str, label: &str) -> Vec<String> {
    let start = format!("{label}=\"");
    let body = get(admin, "/metrics").body;
    let value = |line: &str| {
        let (found, labels) = parts(line.rsplit_once(' ')?.0);
        let mut values = labels.iter().filter_map(|label| label.strip_prefix(&start));
        values.next().filter(|_| found == name).map(|text| text.trim_end_matches('"').to_owned())
    };
    let values: BTreeSet<_> = body.lines().filter_map(value).collect();
    values.into_iter().collect()
}
