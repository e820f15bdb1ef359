//! `capitana status` and `capitana primary` where there is no ZooKeeper, and with proxies that answer as they like.
//! With a real ensemble they are tested by the lab.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic, in its helpers too")]

#[path = "support/address.rs"]
mod address;
#[path = "support/command.rs"]
mod command;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use address::NOBODY;
use capitana::exit;
use command::{capitana, run};
use serde_json::Value;
use tempfile::TempDir;

const FOLLOWING: &str = r#"{"ready": true, "route": {"epoch": 7, "upstream": "db1:3306"},
    "sessions": {"active": 12, "held": 3}, "something": "of a later version"}"#;

/// A proxy's admin endpoint that answers one request with this status line and body.
fn proxy(status: &'static str, body: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let request = BufReader::new(stream.try_clone().unwrap());
        let head: Vec<_> = request.lines().map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
        assert_eq!(head[0], "GET /status HTTP/1.1");
        let length = body.len();
        write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
    });
    address
}

/// The settings file of a proxy with a fixed primary.
fn fixed() -> (TempDir, String) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("proxy.toml");
    fs::write(&path, format!("primary = \"db1:3306\"\nadmin-listen = \"{NOBODY}\"\n")).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (directory, path)
}

#[test]
fn primary_without_zookeeper_is_unavailable() {
    let said = run(&mut capitana(&["primary", "--zookeeper", NOBODY]));
    said.failed(exit::UNAVAILABLE, "is ZooKeeper running");
    assert_eq!(said.out, "");
}

#[test]
fn primary_does_not_wait_longer_than_it_is_told_for_a_zookeeper_that_says_nothing() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let said = run(&mut capitana(&["primary", "--zookeeper", &address, "--timeout", "300ms"]));
    said.failed(exit::UNAVAILABLE, "no answer within 300ms");
}

#[test]
fn primary_needs_to_know_the_ensemble() {
    let said = run(&mut capitana(&["primary"]));
    said.failed(exit::CONFIG, "setting zookeeper: missing");
}

#[test]
fn primary_names_a_fixed_primary() {
    let (_directory, path) = fixed();
    let said = run(&mut capitana(&["primary", "--config", &path]));
    assert_eq!((said.code, said.out.as_str()), (0, "db1:3306\n"));
}

#[test]
fn primary_reads_the_environment_as_the_proxy_does() {
    let said = run(capitana(&["primary"]).env("CAPITANA_PRIMARY", "db2:3306"));
    assert_eq!((said.code, said.out.as_str()), (0, "db2:3306\n"));
    let (_directory, path) = fixed();
    let said = run(capitana(&["primary", "--config", &path]).env("CAPITANA_PRIMARY", "db2:3306"));
    assert_eq!(said.out, "db2:3306\n", "the environment beats the file");
    let said = run(capitana(&["primary"]).env("CAPITANA_PRIMARY", "db2:port"));
    said.failed(exit::CONFIG, "CAPITANA_PRIMARY");
}

#[test]
fn status_shows_what_a_proxy_says() {
    let (_directory, path) = fixed();
    let address = proxy("200 OK", FOLLOWING).to_string();
    let said = run(&mut capitana(&["status", "--config", &path, "--proxy", &address]));
    assert_eq!(said.code, 0, "{}", said.err);
    let line = said.out.lines().find(|line| line.starts_with(&address)).unwrap();
    let cells: Vec<_> = line.split_whitespace().collect();
    assert_eq!(cells, [&address, "yes", "db1:3306", "7", "12", "3"]);
}

#[test]
fn status_says_why_a_proxy_does_not_answer() {
    let (_directory, path) = fixed();
    let said = run(&mut capitana(&["status", "--config", &path]));
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.out.contains("unreachable: Connection refused"), "{}", said.out);
}

#[test]
fn status_does_not_wait_for_a_proxy_that_says_nothing() {
    let (_directory, path) = fixed();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let said = run(&mut capitana(&["status", "--config", &path, "--proxy", &address, "--timeout", "300ms"]));
    assert!(said.out.contains("unreachable: no answer within 300ms"), "{}", said.out);
}

#[test]
fn status_recognises_an_address_that_is_no_proxys() {
    let (_directory, path) = fixed();
    let (missing, other) = (proxy("404 Not Found", "").to_string(), proxy("200 OK", "<html>").to_string());
    let said = run(&mut capitana(&["status", "--config", &path, "--proxy", &missing, "--proxy", &other]));
    assert!(said.out.contains("404 Not Found; is this an admin address of capitana's?"), "{}", said.out);
    assert!(said.out.contains("its /status is not JSON"), "{}", said.out);
}

#[test]
fn status_as_json_keeps_what_the_proxies_said_in_their_order() {
    let (_directory, path) = fixed();
    let there = proxy("200 OK", FOLLOWING).to_string();
    let said =
        run(&mut capitana(&["status", "--config", &path, "--json", "--proxy", NOBODY, "--proxy", &there]));
    let status: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(status["election"]["fixed_primary"], "db1:3306");
    assert_eq!(status["proxies"][0]["address"], NOBODY);
    assert_eq!(status["proxies"][0]["error"], "Connection refused (os error 111)");
    assert_eq!(status["proxies"][1]["status"]["something"], "of a later version");
}

#[test]
fn status_shows_the_proxies_even_without_zookeeper() {
    let address = proxy("200 OK", FOLLOWING).to_string();
    let said = run(&mut capitana(&["status", "--zookeeper", NOBODY, "--proxy", &address]));
    said.failed(exit::UNAVAILABLE, "is ZooKeeper running");
    assert!(said.out.contains("db1:3306"), "{}", said.out);
}

#[test]
fn control_characters_from_the_network_do_not_reach_the_terminal() {
    let (_directory, path) = fixed();
    let address = proxy("200 OK", r#"{"not_ready_because": "\u001b[2J"}"#).to_string();
    let said = run(&mut capitana(&["status", "--config", &path, "--proxy", &address]));
    assert!(said.out.contains("?[2J") && !said.out.contains('\u{1b}'), "{:?}", said.out);
}

#[test]
fn who_serves_reads_is_shown_of_each_proxy_that_has_a_listener_for_them() {
    let serving = proxy(
        "200 OK",
        r#"{"ready": true, "replicas": {"listen": ["0.0.0.0:3307"], "by_fallback": false,
            "members": [{"epoch": 8, "upstream": "db2:3306", "weight": 50, "sessions": 4}],
            "aside": [{"upstream": "db1:3306", "reason": "primary"}, {"upstream": "db3:3306", "reason": "lagging"}]}}"#,
    );
    let without = proxy("200 OK", FOLLOWING);
    let (_directory, path) = fixed();
    let proxies = format!("{serving},{without}");
    let said = run(&mut capitana(&["status", "--config", &path, "--proxy", &proxies]));
    let rows: Vec<Vec<_>> = said.out.lines().map(|line| line.split_whitespace().collect()).collect();
    let table = rows.iter().position(|row| row.get(1) == Some(&"REPLICA")).unwrap();
    let address = serving.to_string();
    assert_eq!(rows[table + 1], [address.as_str(), "db2:3306", "50", "4"]);
    assert_eq!(
        rows[table + 2],
        [address.as_str(), "db3:3306", "-", "-", "serves", "no", "reads:", "lagging"]
    );
    assert_eq!(rows.len(), table + 3, "{}", said.out);
}
