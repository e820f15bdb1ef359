//! What an operator sees of the sessions, and how one is ended.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic, in its helpers too")]

#[path = "support/proxy/mod.rs"]
mod support;

use serde_json::Value;
use support::{Client, Proxy, Start, Stub, ask, get, metric, until};

fn sessions(proxy: &Proxy) -> Vec<Value> {
    serde_json::from_str(&get(proxy.admin, "/sessions").body).unwrap()
}

fn delete(proxy: &Proxy, id: &str) -> u16 {
    let request = format!("DELETE /sessions/{id} HTTP/1.1\r\nHost: capitana\r\nConnection: close\r\n\r\n");
    ask(proxy.admin, &request).status
}

fn open(proxy: &Proxy) -> (Client, Value) {
    let client = Client::open(proxy.listen);
    let open = || sessions(proxy).into_iter().find(|session| session["phase"] == "open");
    (client, until("the session is open", open))
}

#[test]
fn a_session_is_listed_with_what_its_handshake_showed() {
    let stub = Stub::echo();
    let proxy = Start::to(stub.address).start();
    assert_eq!(sessions(&proxy).len(), 0);
    let (_client, session) = open(&proxy);
    assert_eq!(session["upstream"], stub.address.to_string());
    assert_eq!((&session["epoch"], &session["tls"]), (&Value::from(0), &Value::from(false)));
    for shown in ["id", "client", "since_ms", "thread_id", "user", "capabilities"] {
        assert!(!session[shown].is_null(), "{shown} is missing in {session}");
    }
}

#[test]
fn a_session_that_is_deleted_ends_and_says_so() {
    let stub = Stub::echo();
    let proxy = Start::to(stub.address).start();
    let (mut client, session) = open(&proxy);
    assert_eq!(delete(&proxy, &session["id"].to_string()), 200);
    client.ends();
    proxy.has_sessions(0);
    assert_eq!(metric(proxy.admin, "capitana_sessions_ended_total{reason=\"operator\"}"), 1.0);
}

#[test]
fn a_session_that_is_not_there_cannot_be_deleted() {
    let stub = Stub::echo();
    let proxy = Start::to(stub.address).start();
    assert_eq!(delete(&proxy, "12345"), 404);
    assert_eq!(delete(&proxy, "all"), 400);
}
