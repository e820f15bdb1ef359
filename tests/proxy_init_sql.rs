//! The statement that sessions begin with, against stub servers that note every packet.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

#[path = "support/proxy/mod.rs"]
mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use support::{Client, Proxy, Start, Stub, connect, greeting, login, metric, ok, packet, read_packet, until};

const SQL: &str = "SET SESSION wsrep_sync_wait=1";

/// A server that notes what it is told, answers the first command with `answer`, and echoes from then on.
fn server(answer: Vec<u8>) -> (Stub, Arc<Mutex<Vec<Vec<u8>>>>) {
    let told: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
    let noted = Arc::clone(&told);
    let stub = Stub::new(move |mut stream| {
        let note = |packet: Vec<u8>| noted.lock().unwrap().push(packet);
        if stream.write_all(&greeting(42)).is_err() {
            return;
        }
        let Ok(login) = read_packet(&mut stream) else { return };
        note(login);
        if stream.write_all(&ok()).is_err() {
            return;
        }
        let Ok(command) = read_packet(&mut stream) else { return };
        note(command);
        if stream.write_all(&answer).is_err() {
            return;
        }
        let mut byte = [0; 256];
        while let Ok(read @ 1..) = stream.read(&mut byte) {
            note(byte[..read].to_vec());
            if stream.write_all(&byte[..read]).is_err() {
                return;
            }
        }
    });
    (stub, told)
}

fn done() -> Vec<u8> {
    packet(1, &[0, 0, 0, 2, 0, 0, 0])
}

fn query(sql: &str) -> Vec<u8> {
    packet(0, &[&[3], sql.as_bytes()].concat())
}

fn start(stub: &Stub) -> Proxy {
    Start::to(stub.address).flag("--init-sql", SQL).start()
}

fn results(proxy: &Proxy, result: &str) -> f64 {
    metric(proxy.admin, &format!("capitana_init_sql_total{{result=\"{result}\"}}"))
}

#[test]
fn a_session_begins_with_the_statement_and_the_client_sees_nothing_of_it() {
    let (stub, told) = server(done());
    let proxy = start(&stub);
    let mut client = connect(proxy.listen);
    assert_eq!(read_packet(&mut client).unwrap(), greeting(42));
    client.write_all(&login("shop")).unwrap();
    assert_eq!(read_packet(&mut client).unwrap(), ok());
    let mut client = Client(client);
    client.echo(b"the client's own");
    assert_eq!(*told.lock().unwrap(), [login("shop"), query(SQL), b"the client's own".to_vec()]);
    assert_eq!(results(&proxy, "sent"), 1.0);
}

#[test]
fn a_statement_that_fails_is_a_login_that_fails() {
    let refusal = packet(1, b"\xff\xa9\x04#HY000Unknown system variable 'wsrep_sync_wait'");
    let (stub, told) = server(refusal);
    let proxy = start(&stub);
    let mut client = connect(proxy.listen);
    read_packet(&mut client).unwrap();
    client.write_all(&login("shop")).unwrap();
    let error = read_packet(&mut client).unwrap();
    assert_eq!((error[3], error[4], u16::from_le_bytes([error[5], error[6]])), (2, 0xff, 1184));
    let text = String::from_utf8_lossy(&error[7..]).into_owned();
    assert!(text.starts_with("#08S01capitana: init-sql failed on"), "{text}");
    assert!(text.contains("error 1193: Unknown system variable"), "{text}");
    Client(client).ends();
    until("the server was told goodbye", || (told.lock().unwrap().len() == 3).then_some(()));
    assert_eq!(told.lock().unwrap()[2], [1, 0, 0, 0, 1]);
    assert_eq!(results(&proxy, "failed"), 1.0);
    let reason = "capitana_sessions_ended_total{reason=\"init-sql-failed\"}";
    until("the end is counted", || (metric(proxy.admin, reason) == 1.0).then_some(()));
}

#[test]
fn a_login_of_several_questions_is_passed_on_in_order() {
    let told: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
    let noted = Arc::clone(&told);
    let stub = Stub::new(move |mut stream| {
        let mut expect = |say: &[u8]| {
            let _ = stream.write_all(say);
            if let Ok(packet) = read_packet(&mut stream) {
                noted.lock().unwrap().push(packet);
            }
        };
        expect(&greeting(42));
        expect(&packet(2, b"\xfeclient_ed25519\0nonce"));
        // The beginning of the next question comes alone.
        let question = packet(4, b"\x01more");
        expect(&question[..6]);
    });
    let proxy = Start::to(stub.address).flag("--init-sql", SQL).flag("--handshake-timeout", "500ms").start();
    let mut client = connect(proxy.listen);
    read_packet(&mut client).unwrap();
    client.write_all(&login("shop")).unwrap();
    assert_eq!(read_packet(&mut client).unwrap(), packet(2, b"\xfeclient_ed25519\0nonce"));
    let answer = packet(3, &[7; 64]);
    client.write_all(&answer[..10]).unwrap();
    client.write_all(&answer[10..]).unwrap();
    until("the answer has arrived", || (told.lock().unwrap().len() == 2).then_some(()));
    assert_eq!(*told.lock().unwrap(), [login("shop"), answer]);
    drop(client);
    // Half a question is none: it is the server's turn until the time is over.
    until("no session is left", || (metric(proxy.admin, "capitana_sessions") == 0.0).then_some(()));
}

#[test]
fn rows_are_no_answer_that_a_session_may_begin_with() {
    let (stub, _) = server(packet(1, &[1]));
    let proxy = start(&stub);
    let mut client = connect(proxy.listen);
    read_packet(&mut client).unwrap();
    client.write_all(&login("shop")).unwrap();
    let error = read_packet(&mut client).unwrap();
    assert!(String::from_utf8_lossy(&error).contains("it answers with rows"));
}

#[test]
fn what_a_client_says_too_early_is_kept_until_the_statement_is_carried_out() {
    let (stub, told) = server(done());
    let proxy = start(&stub);
    let mut client = connect(proxy.listen);
    read_packet(&mut client).unwrap();
    client.write_all(&[login("shop"), b"early".to_vec()].concat()).unwrap();
    assert_eq!(read_packet(&mut client).unwrap(), ok());
    let mut back = [0; 5];
    client.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"early");
    assert_eq!(*told.lock().unwrap(), [login("shop"), query(SQL), b"early".to_vec()]);
}

#[test]
fn a_login_that_the_server_denies_is_denied_and_no_statement_is_sent() {
    let denial = packet(2, b"\xff\x15\x04#28000Access denied");
    let said = denial.clone();
    let stub = Stub::new(move |mut stream: TcpStream| {
        let _ = stream.write_all(&greeting(42));
        let _ = read_packet(&mut stream);
        let _ = stream.write_all(&said);
    });
    let proxy = start(&stub);
    let mut client = connect(proxy.listen);
    read_packet(&mut client).unwrap();
    client.write_all(&login("shop")).unwrap();
    assert_eq!(read_packet(&mut client).unwrap(), denial);
    Client(client).ends();
    assert_eq!(results(&proxy, "sent") + results(&proxy, "failed"), 0.0);
}

/// A client's request for TLS, and the beginning of it.
fn tls_request() -> Vec<u8> {
    let mut payload = 0x0000_aa00_u32.to_le_bytes().to_vec();
    payload.resize(32, 0);
    [packet(1, &payload), vec![0x16, 3, 1, 0, 1, 0]].concat()
}

#[test]
fn a_client_that_asks_for_tls_is_refused_and_the_server_hears_no_request() {
    let (stub, told) = server(done());
    let proxy = start(&stub);
    let mut client = connect(proxy.listen);
    read_packet(&mut client).unwrap();
    client.write_all(&tls_request()).unwrap();
    let error = read_packet(&mut client).unwrap();
    let text = String::from_utf8_lossy(&error[7..]).into_owned();
    assert!(text.contains("init-sql-encrypted"), "{text}");
    Client(client).ends();
    assert_eq!(results(&proxy, "refused"), 1.0);
    let reason = "capitana_sessions_ended_total{reason=\"init-sql-encrypted\"}";
    until("the end is counted", || (metric(proxy.admin, reason) == 1.0).then_some(()));
    // The handshake is ended for it by a login of nobody.
    until("the server has a login", || (!told.lock().unwrap().is_empty()).then_some(()));
    assert!(told.lock().unwrap()[0].windows(8).any(|window| window == b"vanished"));
}

#[test]
fn by_choice_a_client_that_asks_for_tls_goes_on_without_the_statement() {
    let (stub, told) = server(done());
    let proxy = Start::to(stub.address).flag("--init-sql", SQL).flag("--init-sql-encrypted", "pass").start();
    let mut client = connect(proxy.listen);
    read_packet(&mut client).unwrap();
    client.write_all(&tls_request()).unwrap();
    until("the request has arrived", || (!told.lock().unwrap().is_empty()).then_some(()));
    assert_eq!(told.lock().unwrap()[0][..36], tls_request()[..36]);
    assert_eq!(results(&proxy, "passed"), 1.0);
    proxy.log_line(
        "a session with TLS goes on without its first statement (init-sql-encrypted = pass); \
         capitana_init_sql_total counts the others",
    );
}

#[test]
fn a_server_that_goes_before_its_answer_leaves_no_session() {
    let stub = Stub::new(|mut stream: TcpStream| {
        let _ = stream.write_all(&greeting(42));
        let _ = read_packet(&mut stream);
        let _ = stream.write_all(&ok());
        let _ = read_packet(&mut stream);
    });
    let proxy = start(&stub);
    let mut client = connect(proxy.listen);
    read_packet(&mut client).unwrap();
    client.write_all(&login("shop")).unwrap();
    Client(client).ends();
    until("no session is left", || (metric(proxy.admin, "capitana_sessions") == 0.0).then_some(()));
}

#[test]
fn a_server_that_does_not_answer_the_statement_ends_at_the_handshake_timeout() {
    let stub = Stub::new(|mut stream: TcpStream| {
        let _ = stream.write_all(&greeting(42));
        let _ = read_packet(&mut stream);
        let _ = stream.write_all(&ok());
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let proxy = Start::to(stub.address).flag("--init-sql", SQL).flag("--handshake-timeout", "300ms").start();
    let mut client = connect(proxy.listen);
    read_packet(&mut client).unwrap();
    client.write_all(&login("shop")).unwrap();
    Client(client).ends();
    let reason = "capitana_sessions_ended_total{reason=\"handshake-timeout\"}";
    until("the end is counted", || (metric(proxy.admin, reason) == 1.0).then_some(()));
}
