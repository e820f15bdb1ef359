//! The real command, given something bad: one line, a code of sysexits.h, no panic.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic, in its helpers too")]

#[path = "support/command.rs"]
mod command;

use std::fs;
use std::io;
use std::net::TcpListener;

use capitana::error::Error;
use capitana::exit;
use command::{capitana, run};
use rustix::fs::{FileType, Mode};
use tempfile::TempDir;

#[test]
fn an_unknown_command_is_a_usage_error_with_a_suggestion() {
    let said = run(&mut capitana(&["prxy"]));
    assert_eq!(said.code, i32::from(exit::USAGE));
    assert!(said.err.contains("'proxy'") && said.err.contains("--help"), "{}", said.err);
}

#[test]
fn an_unknown_flag_is_a_usage_error_with_a_suggestion() {
    let said = run(&mut capitana(&["proxy", "--hold-timout", "8s"]));
    assert_eq!(said.code, i32::from(exit::USAGE));
    assert!(said.err.contains("--hold-timeout"), "{}", said.err);
}

#[test]
fn no_command_at_all_shows_the_help_and_is_a_usage_error() {
    let said = run(&mut capitana(&[]));
    assert_eq!(said.code, i32::from(exit::USAGE));
    assert!(said.err.contains("Usage: capitana"), "{}", said.err);
}

#[test]
fn a_bad_flag_is_named() {
    let said = run(&mut capitana(&["proxy", "--hold-timeout", "soon"]));
    said.failed(exit::USAGE, "--hold-timeout: expected a duration longer than 0");
}

#[test]
fn a_bad_choice_lists_the_good_ones() {
    let said = run(&mut capitana(&["agent", "--log-format=xml"]));
    said.failed(exit::USAGE, "--log-format: expected one of human, json, found \"xml\"");
}

#[test]
fn a_bad_environment_variable_is_named() {
    let said = run(capitana(&["proxy"]).env("CAPITANA_HOLD_TIMEOUT", "soon"));
    said.failed(exit::CONFIG, "environment variable CAPITANA_HOLD_TIMEOUT: expected a duration");
}

#[test]
fn an_empty_environment_variable_is_named() {
    let said = run(capitana(&["proxy"]).env("CAPITANA_LOG_FORMAT", ""));
    said.failed(exit::CONFIG, "environment variable CAPITANA_LOG_FORMAT: expected one of human, json");
}

#[test]
fn a_flag_beats_the_environment() {
    let said = run(capitana(&["proxy", "--hold-timeout", "0s"]).env("CAPITANA_HOLD_TIMEOUT", "soon"));
    said.failed(exit::USAGE, "--hold-timeout: expected a duration longer than 0");
}

#[test]
fn a_settings_file_that_is_not_there_is_named() {
    let said = run(&mut capitana(&["proxy", "--config", "/nowhere/proxy.toml"]));
    said.failed(exit::NO_INPUT, "/nowhere/proxy.toml: cannot read the settings file: No such file");
}

#[test]
fn a_settings_file_that_is_not_text_is_refused() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("proxy.toml");
    fs::write(&path, [0xff, 0xfe, 0x00]).unwrap();
    let said = run(&mut capitana(&["check-config", path.to_str().unwrap()]));
    said.failed(exit::NO_INPUT, "proxy.toml: cannot read the settings file");
}

#[test]
fn a_pipe_in_the_place_of_a_settings_file_is_refused_at_once() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("proxy.toml");
    rustix::fs::mknodat(rustix::fs::CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let said = run(&mut capitana(&["check-config", path.to_str().unwrap()]));
    let why = "proxy.toml: cannot read the settings file: it is no regular file, but a pipe";
    said.failed(exit::NO_INPUT, why);
}

#[test]
fn a_pipe_in_the_place_of_a_password_file_is_refused_at_once() {
    let directory = TempDir::new().unwrap();
    let (settings, pipe) = (directory.path().join("proxy.toml"), directory.path().join("password"));
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let text = "primary = \"db1\"\nmonitor-user = \"m\"\nmonitor-password-file = \"password\"\n";
    fs::write(&settings, text).unwrap();
    let said = run(&mut capitana(&["check-config", settings.to_str().unwrap()]));
    assert_eq!(said.code, i32::from(exit::NO_INPUT), "{}", said.err);
    assert!(said.err.contains("it is no regular file, but a pipe"), "{}", said.err);
}

#[test]
fn an_address_in_use_is_named_with_its_setting_and_a_remedy() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = run(&mut capitana(&["proxy", "--primary", "127.0.0.1:3306", "--listen", &address]));
    said.failed(exit::UNAVAILABLE, &format!("listen: {address} is in use by another process"));
}

#[test]
fn an_admin_address_in_use_is_named_with_its_setting() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let arguments =
        ["proxy", "--primary", "127.0.0.1:1", "--listen", "127.0.0.1:0", "--admin-listen", &address];
    let said = run(&mut capitana(&arguments));
    said.failed(exit::UNAVAILABLE, &format!("admin-listen: {address} is in use by another process"));
}

#[test]
fn an_address_of_another_machine_is_refused() {
    // 192.0.2.0/24 is kept for documentation (RFC 5737): no machine has it.
    let said = run(&mut capitana(&["proxy", "--primary", "127.0.0.1:3306", "--listen", "192.0.2.1:3306"]));
    said.failed(exit::CONFIG, "listen: 192.0.2.1:3306 is not an address of this machine");
}

#[test]
fn a_closed_pipe_is_no_error() {
    let mut command = capitana(&["completions", "bash"]);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_port_that_needs_root_is_named_with_a_remedy() {
    let denied = io::Error::from(io::ErrorKind::PermissionDenied);
    let error = Error::listen("listen", "0.0.0.0:306".parse().unwrap(), denied);
    assert_eq!(error.exit_code(), exit::NO_PERMISSION);
    let message = error.to_string();
    assert!(message.starts_with("listen: no permission to listen on 0.0.0.0:306"), "{message}");
    assert!(message.contains("CAP_NET_BIND_SERVICE"), "{message}");
}
