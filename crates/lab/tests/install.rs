//! `scripts/install`, with a package database and a Cargo of the tests' own. What it does with apt needs a machine.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/install");

/// A directory with the programs that come first on the script's PATH: name and what they do.
fn programs(programs: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, body) in programs {
        let path = directory.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    directory
}

fn install(programs: &Path, profile: &str) -> Output {
    let path = format!("{}:/usr/bin:/bin", programs.display());
    Command::new("bash").arg(SCRIPT).arg(profile).env("PATH", path).output().unwrap()
}

#[test]
fn nothing_is_said_or_done_when_nothing_is_missing() {
    let programs = programs(&[
        ("cargo", "echo cargo 1.95.0"),
        ("dpkg-query", "printf installed"),
        ("apt-get", "echo apt-get was called; exit 1"),
    ]);
    for profile in ["demo", "test", "bench"] {
        let output = install(programs.path(), profile);
        assert!(output.status.success(), "{output:?}");
        assert!(output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
    }
}

#[test]
fn a_cargo_that_is_too_old_is_named_with_the_version_that_is_needed() {
    let programs = programs(&[("cargo", "echo 'cargo 1.63.0 (fd9c4297c 2022-07-01)'")]);
    let output = install(programs.path(), "demo");
    assert_eq!(output.status.code(), Some(69));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("cargo is 1.63.0, but 1.90 or newer is needed"), "{said}");
}

#[test]
fn the_version_asked_of_cargo_is_the_one_the_workspace_needs() {
    let manifest = include_str!("../../../Cargo.toml");
    let needed = manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap();
    let script = fs::read_to_string(SCRIPT).unwrap();
    assert!(script.contains(&format!("CARGO_AT_LEAST={}\n", needed.trim_matches('"'))));
}

#[test]
fn an_unknown_profile_is_an_error_of_usage() {
    let output = install(Path::new("/nonexistent"), "everything");
    assert_eq!(output.status.code(), Some(64));
}
