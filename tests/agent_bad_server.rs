//! An agent whose server speaks nonsense: it finds the server unfit, and goes on to look.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic, in its helpers too")]

#[path = "support/proxy/mod.rs"]
mod support;

use std::fs::{self, File};
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use support::{
    NOBODY, Random, Stub, accept_login, free_address, greeting, metric, ok, packet, read_packet, seed, until,
};
use tempfile::TempDir;

/// An agent of that server, without ZooKeeper.
struct Agent {
    child: Child,
    admin: SocketAddr,
    directory: TempDir,
}

impl Agent {
    fn of(server: &Stub) -> Self {
        let (directory, admin) = (TempDir::new().unwrap(), free_address());
        let address = server.address.to_string();
        let state = directory.path().join("state");
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", env!("CARGO_BIN_EXE_capitana"), "agent"])
            .args(["--zookeeper", NOBODY, "--server", &address, "--advertise", NOBODY])
            .args(["--poll-interval", "20ms", "--check-timeout", "200ms", "--fence", "read-only"])
            .args(["--admin-listen", &admin.to_string(), "--state-directory", state.to_str().unwrap()])
            .stdin(Stdio::null())
            .stderr(File::create(directory.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let agent = Self { child, admin, directory };
        until("the agent answers", || TcpStream::connect(admin).ok());
        agent
    }

    fn checks(&self, result: &str) -> f64 {
        metric(self.admin, &format!("capitana_agent_checks_total{{result=\"{result}\"}}"))
    }

    /// It goes on to check, and nothing in it has panicked.
    fn is_well(&mut self) {
        let log = || fs::read_to_string(self.directory.path().join("log")).unwrap();
        assert!(self.child.try_wait().unwrap().is_none(), "the agent has ended:\n{}", log());
        assert!(!log().contains("panicked"), "{}", log());
        let all = |agent: &Self| {
            ["passed", "objected", "failed"].map(|result| agent.checks(result)).iter().sum::<f64>()
        };
        let before = all(self);
        until("the agent checks on", || (all(self) > before).then_some(()));
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A column's description: a text of this name.
fn column(name: &str) -> Vec<u8> {
    let mut bytes = b"\x03def\0\0\0".to_vec();
    bytes.push(u8::try_from(name.len()).unwrap());
    bytes.extend_from_slice(name.as_bytes());
    bytes.extend_from_slice(b"\0\x0c\x2d\0\0\x01\0\0\xfd\0\0\0\0\0");
    bytes
}

/// A table of two columns.
fn table(rows: &[[Option<&[u8]>; 2]]) -> Vec<u8> {
    const END: &[u8] = &[0xfe, 0, 0, 2, 0, 0, 0];
    let mut packets = vec![vec![2], column("Variable_name"), column("Value")];
    packets.extend(rows.iter().map(|row| {
        row.iter().fold(Vec::new(), |mut bytes, value| {
            match value {
                Some(value) => {
                    bytes.push(u8::try_from(value.len()).unwrap());
                    bytes.extend_from_slice(value);
                }
                None => bytes.push(0xfb),
            }
            bytes
        })
    }));
    packets.push(END.to_vec());
    let numbered = packets.iter().enumerate();
    numbered.flat_map(|(index, payload)| packet(u8::try_from(index + 1).unwrap(), payload)).collect()
}

/// Answers every question that asks for values with these, and every other with OK.
fn answers(stream: TcpStream, rows: &[[Option<&[u8]>; 2]]) {
    let Some(mut stream) = accept_login(stream) else { return };
    while let Ok(question) = read_packet(&mut stream) {
        let shows = question[5..].starts_with(b"SHOW") || question[5..].starts_with(b"SELECT");
        let answer = if shows { table(rows) } else { packet(1, &ok()[4..]) };
        if stream.write_all(&answer).is_err() {
            return;
        }
    }
}

#[test]
fn a_value_that_is_missing_or_no_text_is_read_as_far_as_it_goes() {
    let server = Stub::new(|stream| {
        answers(
            stream,
            &[
                [Some(b"wsrep_ready"), None],
                [None, Some(b"ON")],
                [None, None],
                [Some(b"wsrep_cluster_status"), Some(b"\xff\xfe\x80")],
                [Some(b"\xc3\x28"), Some(b"ON")],
            ],
        );
    });
    let mut agent = Agent::of(&server);
    until("a check was answered", || (agent.checks("objected") + agent.checks("passed") > 3.0).then_some(()));
    agent.is_well();
}

/// An answer that announces no more than 250 columns. The client library takes memory for as many as it is told of, and
/// panics where there is not as much: then the agent ends, and its service manager starts it again.
fn with_few_columns(mut answer: Vec<u8>) -> Vec<u8> {
    const ERROR: u8 = 0xff;
    if let Some(count) = answer.get_mut(4).filter(|count| **count > 250) {
        *count = ERROR;
    }
    answer
}

/// Says something that is no MySQL, or stops being it somewhere, and closes then.
fn babbles(mut stream: TcpStream, random: &mut Random) {
    // Who has understood the greeting answers at once.
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let mut first = greeting(42);
    match random.below(5) {
        0 => {
            first = random.bytes(200);
        }
        1 => {
            for _ in 0..=random.below(4) {
                let at = random.below(first.len() as u64) as usize;
                first[at] = random.next() as u8;
            }
        }
        2 => first.truncate(random.below(first.len() as u64) as usize),
        _ => {}
    }
    if stream.write_all(&first).is_err()
        || read_packet(&mut stream).is_err()
        || stream.write_all(&ok()).is_err()
    {
        return;
    }
    while read_packet(&mut stream).is_ok() {
        let answer = match random.below(4) {
            0 | 1 => packet(1, &ok()[4..]),
            2 => {
                let mut answer = table(&[[Some(b"wsrep_ready"), Some(b"ON")]]);
                for _ in 0..=random.below(3) {
                    let at = random.below(answer.len() as u64) as usize;
                    answer[at] = random.next() as u8;
                }
                let _ = stream.write_all(&with_few_columns(answer));
                return;
            }
            _ => {
                let length = random.below(60) as usize;
                let _ = stream.write_all(&with_few_columns(packet(1, &random.bytes(length))));
                return;
            }
        };
        if stream.write_all(&answer).is_err() {
            return;
        }
    }
}

#[test]
fn a_server_that_speaks_nonsense_ends_no_check_for_good() {
    let (seed, connections) = (seed(), AtomicU64::new(0));
    let server = Stub::new(move |stream| {
        let number = connections.fetch_add(1, SeqCst);
        babbles(stream, &mut Random(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    });
    let mut agent = Agent::of(&server);
    until("the server was asked a hundred times", || (server.accepted() > 100).then_some(()));
    agent.is_well();
}
