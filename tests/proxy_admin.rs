//! The admin endpoint: what each path answers, to good and to bad clients.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

#[path = "support/proxy/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::io::{Read, Write};

use capitana_core::EndReason;
use serde_json::Value;
use support::{
    Client, Proxy, Start, Stub, ask, connect, free_address, get, greeting, labels, login, metric, ok, until,
};

fn idle() -> Proxy {
    Start::to(free_address()).start()
}

fn bare(method: &str, path: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: capitana\r\nConnection: close\r\n\r\n")
}

#[test]
fn a_process_that_lives_is_healthy() {
    let health = get(idle().admin, "/healthz");
    assert_eq!((health.status, health.body.as_str()), (200, "ok\n"));
}

#[test]
fn a_proxy_with_a_primary_is_ready() {
    let ready = get(idle().admin, "/readyz");
    assert_eq!((ready.status, ready.body.as_str()), (200, "ready\n"));
}

#[test]
fn the_status_is_json_with_route_and_sessions() {
    let stub = Stub::echo();
    let proxy = Start::to(stub.address).start();
    let _client = Client::open(proxy.listen);
    let answer = get(proxy.admin, "/status");
    assert!(answer.head.contains("content-type: application/json"), "{}", answer.head);
    let status: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(status["ready"], true);
    assert_eq!(status["route"]["upstream"], stub.address.to_string());
    assert_eq!(status["route"]["epoch"], 0);
    assert_eq!(status["sessions"]["active"], 1);
    assert_eq!(status["election"], Value::Null);
}

#[test]
fn the_status_of_an_election_that_cannot_be_read_says_why() {
    let proxy =
        Start::with(&["--zookeeper", "127.0.0.1:1/chroot", "--election-path", "/shop/primary"]).start();
    let status = proxy.status("the cause is known", |status| !status["election"]["link"]["cause"].is_null());
    assert_eq!(status["ready"], false);
    assert_eq!(status["route"], Value::Null);
    assert_eq!(status["election"]["path"], "/shop/primary");
    assert_eq!(status["election"]["connected"], false);
    assert_eq!(status["election"]["link"]["state"], "never-up");
    assert!(status["not_ready_because"].as_str().unwrap().contains("ZooKeeper cannot be reached"));
}

#[test]
fn who_knows_no_zookeeper_knows_no_services_and_who_cannot_reach_it_says_so() {
    assert_eq!(get(idle().admin, "/sd").status, 404);
    let proxy = Start::with(&["--zookeeper", "127.0.0.1:1"]).start();
    proxy.status("it was tried", |status| !status["service"]["zookeeper"]["cause"].is_null());
    let answer = get(proxy.admin, "/sd");
    assert_eq!(answer.status, 503);
    assert!(answer.body.contains("ZooKeeper has not been reached yet"), "{}", answer.body);
}

#[test]
fn an_unknown_path_is_not_found_and_the_known_ones_are_listed() {
    let answer = get(idle().admin, "/nonsense");
    assert_eq!(answer.status, 404);
    assert!(answer.body.contains("/metrics") && answer.body.contains("/readyz"), "{}", answer.body);
}

#[test]
fn a_proxy_takes_no_orders_and_is_no_server() {
    let proxy = idle();
    for path in ["/step-down", "/rejoin"] {
        assert_eq!(ask(proxy.admin, &bare("POST", path)).status, 404);
    }
    for path in ["/primary", "/replica"] {
        assert_eq!(get(proxy.admin, path).status, 404);
    }
    for path in ["/", "/help"] {
        let help = get(proxy.admin, path);
        assert_eq!(help.status, 200);
        assert!(help.body.contains("/sessions") && !help.body.contains("/primary"), "{}", help.body);
    }
}

#[test]
fn a_query_behind_a_path_is_ignored() {
    assert_eq!(get(idle().admin, "/healthz?verbose=1").status, 200);
}

#[test]
fn only_get_and_head_are_answered() {
    let proxy = idle();
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "NONSENSE"] {
        let answer = ask(proxy.admin, &bare(method, "/status"));
        assert_eq!(answer.status, 405, "{method}");
        assert!(answer.head.contains("allow: get, head"), "{}", answer.head);
    }
    let answer = ask(proxy.admin, &bare("HEAD", "/metrics"));
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
}

#[test]
fn garbage_is_refused_and_the_next_client_is_served() {
    let proxy = idle();
    for garbage in ["\0\0\0\0\r\n\r\n", "GET\r\n\r\n", "\x16\x03\x01\x02\0\x01\0\x01\r\n\r\n"] {
        let answer = ask(proxy.admin, garbage);
        assert!(matches!(answer.status, 0 | 400), "{answer:?}");
    }
    let endless = format!("GET / HTTP/1.1\r\n{}\r\n\r\n", "x: y\r\n".repeat(200));
    assert!(matches!(ask(proxy.admin, &endless).status, 400 | 431));
    assert_eq!(get(proxy.admin, "/healthz").status, 200);
}

#[test]
fn clients_that_never_finish_their_request_do_not_keep_the_others_out() {
    let proxy = idle();
    // More than are served at once.
    let mut slow: Vec<_> = (0..100).map(|_| connect(proxy.admin)).collect();
    for client in &mut slow {
        client.write_all(b"GET /healthz HT").unwrap();
    }
    assert_eq!(get(proxy.admin, "/healthz").status, 200);
    let end = slow[0].read(&mut [0; 1000]);
    assert!(end.is_ok(), "{end:?}");
}

/// Families by name, with the type and the names of their series.
fn families(text: &str) -> BTreeMap<String, (String, Vec<String>)> {
    let mut families = BTreeMap::new();
    let mut help = None;
    let mut family = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, text) = rest.split_once(' ').unwrap();
            assert!(text.len() > 3, "a HELP that says nothing: {line}");
            help = Some(name.to_owned());
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(help.take().as_deref(), Some(name), "HELP stands before TYPE");
            family = name.to_owned();
            assert!(families.insert(family.clone(), (kind.to_owned(), Vec::new())).is_none(), "{name} twice");
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap();
            value.parse::<f64>().unwrap();
            families.get_mut(&family).unwrap().1.push(series.to_owned());
        }
    }
    families
}

#[test]
fn every_metric_has_help_and_type_and_a_name_by_prometheus_conventions() {
    let answer = get(idle().admin, "/metrics");
    assert!(answer.head.contains("content-type: text/plain; version=0.0.4"), "{}", answer.head);
    let families = families(&answer.body);
    for (name, (kind, series)) in &families {
        assert!(!series.is_empty(), "{name} has no series");
        assert!(name.starts_with("capitana_") || name.starts_with("process_"), "{name}");
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'), "{name}");
        assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
        assert!(
            !["_count", "_sum", "_bucket", "_ms", "_millis", "_kb"].iter().any(|end| name.ends_with(end))
        );
        assert!(kind != "histogram" || name.ends_with("_seconds"), "{name}");
        assert!(series.iter().all(|series| series.starts_with(name.as_str())), "{series:?}");
    }
    assert!(families.contains_key("process_open_fds") && families.contains_key("process_start_time_seconds"));
}

#[test]
fn every_reason_of_an_end_is_counted_from_the_start() {
    let proxy = idle();
    let mut expected: Vec<_> = EndReason::ALL.iter().map(|reason| reason.label()).collect();
    expected.sort_unstable();
    assert_eq!(labels(proxy.admin, "capitana_sessions_ended_total", "reason"), expected);
}

#[test]
fn bytes_and_connections_are_counted() {
    let stub = Stub::echo();
    let proxy = Start::to(stub.address).start();
    let mut client = Client::open(proxy.listen);
    let of = |direction: &str| {
        metric(proxy.admin, &format!("capitana_relay_bytes_total{{direction=\"{direction}\"}}"))
    };
    // Bytes are counted after they are written: a client may be ahead of that.
    let counted = |to_upstream: usize, to_client: usize| {
        until(&format!("{to_upstream} and {to_client} bytes are counted"), || {
            let now = (of("to-upstream"), of("to-client"));
            (now == (to_upstream as f64, to_client as f64)).then_some(())
        });
    };
    let (to_upstream, to_client) = (login("shop").len(), greeting(42).len() + ok().len());
    counted(to_upstream, to_client);
    client.echo(&[7; 1000]);
    client.echo(&[7; 234]);
    counted(to_upstream + 1234, to_client + 1234);
    assert_eq!(metric(proxy.admin, "capitana_connections_accepted_total"), 1.0);
    assert_eq!(metric(proxy.admin, "capitana_sessions"), 1.0);
    assert_eq!(metric(proxy.admin, "capitana_dial_duration_seconds_count"), 1.0);
    assert_eq!(metric(proxy.admin, "capitana_route_open"), 1.0);
}
