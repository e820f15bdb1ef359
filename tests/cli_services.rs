//! `capitana services` where there is no ZooKeeper, and what it takes on the command line. With a real ensemble it is in the
//! lab's scenario `discovery`.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

#[path = "support/address.rs"]
mod address;
#[path = "support/command.rs"]
mod command;

use std::fs;

use address::NOBODY;
use capitana::exit;
use command::{capitana, run};
use tempfile::TempDir;

#[test]
fn without_zookeeper_it_is_unavailable_and_a_file_stays_as_it_is() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("list");
    fs::write(&path, "the last good one").unwrap();
    let out = path.to_str().unwrap();
    let said = run(&mut capitana(&["services", "--zookeeper", NOBODY, "--out", out]));
    said.failed(exit::UNAVAILABLE, "is ZooKeeper running");
    assert_eq!(fs::read_to_string(&path).unwrap(), "the last good one");
}

#[test]
fn a_fixed_primary_has_no_list() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("proxy.toml");
    fs::write(&path, "primary = \"db1:3306\"\n").unwrap();
    let said = run(&mut capitana(&["services", "--config", path.to_str().unwrap()]));
    said.failed(exit::CONFIG, "there is no ZooKeeper");
}

#[test]
fn a_kind_is_one_name() {
    for kind in ["a/b", "..", "."] {
        let said = run(&mut capitana(&["services", kind, "--zookeeper", NOBODY]));
        assert_eq!(said.code, i32::from(exit::USAGE), "{kind}: {}", said.err);
        assert!(said.err.contains("is no kind of service"), "{}", said.err);
    }
}

#[test]
fn what_makes_sense_only_together_is_asked_for() {
    for flags in [&["--exec", "true"][..], &["--watch", "--exec", "true"], &["--json", "--template", "x"]] {
        let said = run(capitana(&["services", "--zookeeper", NOBODY]).args(flags));
        assert_eq!(said.code, i32::from(exit::USAGE), "{flags:?}: {}", said.err);
    }
}
