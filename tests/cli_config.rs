//! `capitana config` where there is no ZooKeeper: what is wrong is said before it is asked.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic, in its helpers too")]

#[path = "support/address.rs"]
mod address;
#[path = "support/command.rs"]
mod command;

use std::fs;

use address::NOBODY;
use capitana::exit;
use command::{Said, capitana, run};
use tempfile::TempDir;

/// Writes this text for the daemons of this kind.
fn set(kind: &str, text: &[u8]) -> Said {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("new.toml");
    fs::write(&file, text).unwrap();
    run(&mut capitana(&["config", "set", kind, file.to_str().unwrap(), "--zookeeper", NOBODY]))
}

#[test]
fn good_settings_are_written_as_soon_as_there_is_a_zookeeper() {
    set("proxy", b"hold-timeout = \"3s\"\n").failed(exit::UNAVAILABLE, "is ZooKeeper running");
    set("agent", b"").failed(exit::UNAVAILABLE, "is ZooKeeper running");
}

#[test]
fn bad_settings_are_refused_with_their_line_before_zookeeper_is_asked() {
    set("proxy", b"\nhold-timeout = 3\n").failed(exit::CONFIG, "new.toml:2: hold-timeout: invalid type");
    set("agent", b"hold-timeout = \"3s\"")
        .failed(exit::CONFIG, "new.toml:1: hold-timeout: this is a setting of the proxy");
    set("proxy", b"hold-timeout").failed(exit::CONFIG, "new.toml:1: not TOML");
    set("proxy", b"\xff\xfe\x00").failed(exit::CONFIG, "not UTF-8");
    set("proxy", &vec![b'#'; 2_000_000]).failed(exit::CONFIG, "no settings: at most");
}

#[test]
fn what_needs_a_restart_or_names_something_of_one_host_is_refused_with_the_reason() {
    set("proxy", b"threads = 2").failed(exit::CONFIG, "threads: it takes effect only at a start");
    set("agent", b"zookeeper-auth-file = \"/a\"").failed(exit::CONFIG, "it takes effect only at a start");
    set("proxy", b"monitor-password-file = \"/etc/passwd\"").failed(exit::CONFIG, "something of one host");
}

#[test]
fn a_version_is_a_number_or_none() {
    let said = run(&mut capitana(&["config", "set", "proxy", "-", "--version", "x", "--zookeeper", "zk1"]));
    assert_eq!(said.code, i32::from(exit::USAGE));
    assert!(said.err.contains("a version as `capitana config history` shows them"), "{}", said.err);
}

#[test]
fn settings_that_are_not_kept_anywhere_cannot_be_shown() {
    let said = run(&mut capitana(&["config", "get", "proxy", "--zookeeper", "zk1", "--config-path", "off"]));
    said.failed(exit::CONFIG, "config-path: it is \"off\"");
    let said = run(&mut capitana(&["config", "get", "proxy", "--primary", "db1"]));
    said.failed(exit::CONFIG, "with a fixed primary there is no ZooKeeper");
}

#[test]
fn the_environment_of_the_shell_is_not_what_is_checked() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("new.toml");
    fs::write(&file, "hold-timeout = \"3s\"").unwrap();
    let mut command = capitana(&["config", "set", "proxy", file.to_str().unwrap(), "--zookeeper", NOBODY]);
    let said = run(command.env("CAPITANA_LISTEN", "no address").env("CAPITANA_THREADS", "0"));
    said.failed(exit::UNAVAILABLE, "is ZooKeeper running");
}
