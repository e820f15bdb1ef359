//! A server that answers SHOW and refuses SELECT, as one outside the primary component can.

use std::io::Write;
use std::net::TcpStream;

use tempfile::TempDir;

use super::support::{Stub, accept_login, packet, read_packet};
use super::{agent, doctor};

const END: &[u8] = &[0xfe, 0, 0, 2, 0, 0, 0];

fn text(text: &str) -> Vec<u8> {
    [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
}

/// A column's description: a text of this name.
fn column(name: &str) -> Vec<u8> {
    [b"\x03def\0\0\0", &text(name)[..], b"\0\x0c\x2d\0\0\x01\0\0\xfd\0\0\0\0\0"].concat()
}

/// A table of one row, by column.
fn table(row: &[(&str, &str)]) -> Vec<u8> {
    let mut packets = vec![vec![u8::try_from(row.len()).unwrap()]];
    packets.extend(row.iter().map(|(name, _)| column(name)));
    packets.push(row.iter().flat_map(|(_, value)| text(value)).collect());
    packets.push(END.to_vec());
    let numbered = packets.iter().enumerate();
    numbered.flat_map(|(index, payload)| packet(u8::try_from(index + 1).unwrap(), payload)).collect()
}

fn error(code: u16, words: &str) -> Vec<u8> {
    packet(1, &[&[0xff], &code.to_le_bytes()[..], b"#08S01", words.as_bytes()].concat())
}

fn refuses(stream: TcpStream) {
    let Some(mut stream) = accept_login(stream) else { return };
    while let Ok(question) = read_packet(&mut stream) {
        let question = String::from_utf8_lossy(&question[5..]).into_owned();
        let answer = if question.starts_with("SHOW GRANTS") {
            table(&[("Grants", "GRANT FILE ON *.* TO `capitana`@`%` IDENTIFIED BY PASSWORD '*1'")])
        } else if question.starts_with("SHOW GLOBAL VARIABLES") {
            table(&[("Variable_name", "version"), ("Value", "10.11.8-MariaDB")])
        } else if question.starts_with("SHOW") {
            table(&[("Variable_name", "wsrep_ready"), ("Value", "OFF")])
        } else if question.starts_with("SET") {
            error(1193, "Unknown system variable")
        } else {
            error(1047, "WSREP has not yet prepared node for application use")
        };
        if stream.write_all(&answer).is_err() {
            return;
        }
    }
}

#[test]
fn a_server_that_refuses_select_is_judged_by_what_it_shows() {
    let server = Stub::new(refuses);
    let directory = TempDir::new().unwrap();
    let config = agent(directory.path(), "127.0.0.1:1", &server.address.to_string(), "");
    let found = doctor(&["--config", &config]);
    let unseen = found.found("DB-UNSEEN").unwrap_or_default();
    assert!(unseen.contains("its clock") && unseen.contains("1047"), "{:#}", found.json);
    let power = found.found("DB-ACCOUNT-POWER");
    assert_eq!(power.as_deref(), Some("the account has FILE on *.* or mysql.*"), "{:#}", found.json);
    assert_eq!(found.found("DB-UNREACHABLE"), None, "{:#}", found.json);
}
