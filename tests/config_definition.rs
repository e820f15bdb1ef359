//! One definition gives each setting its key, its flag, its environment variable and its place in the example file.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic, in its helpers too")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use capitana::cli::Cli;
use capitana::config::document::{Document, Place};
use capitana::config::keys::Kind;
use capitana::config::source::variable;
use clap::CommandFactory;

fn example(kind: Kind) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(format!("{kind}.toml"))
}

/// The example as if every default were written out: `#key = value` without its `#`.
fn uncommented(kind: Kind) -> Document {
    let text = fs::read_to_string(example(kind)).unwrap();
    let lines = text.lines().map(|line| match line.strip_prefix('#') {
        Some(setting) if setting.starts_with(|c: char| c.is_ascii_lowercase()) => setting,
        _ => line,
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    Document::parse(Place::File(example(kind)), text).unwrap()
}

fn flags(kind: Kind) -> Vec<clap::Arg> {
    let cli = Cli::command();
    let command = cli.find_subcommand(kind.to_string()).unwrap();
    command.get_arguments().filter(|flag| flag.get_env().is_some()).cloned().collect()
}

fn every_example_has_every_key(kind: Kind) {
    let document = uncommented(kind);
    let documented: BTreeSet<_> = document.keys().map(str::to_owned).collect();
    assert_eq!(documented, kind.keys().into_iter().collect());
}

#[test]
fn every_setting_of_the_proxy_is_in_its_example() {
    every_example_has_every_key(Kind::Proxy);
}

#[test]
fn every_setting_of_the_agent_is_in_its_example() {
    every_example_has_every_key(Kind::Agent);
}

#[test]
fn every_setting_of_the_worker_is_in_its_example() {
    every_example_has_every_key(Kind::Worker);
}

#[test]
fn the_examples_show_the_defaults_that_hold() {
    for kind in Kind::ALL {
        let document = uncommented(kind);
        for flag in flags(kind) {
            let Some(default) = flag.get_default_values().first() else { continue };
            let key = flag.get_long().unwrap();
            let shown: toml::Value = document.value(key).unwrap().unwrap();
            let shown = match &shown {
                toml::Value::Array(values) => values.iter().filter_map(toml::Value::as_str).collect(),
                toml::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            assert_eq!(shown.as_str(), default, "{kind}: {key}");
        }
    }
}

#[test]
fn the_examples_show_where_the_admin_endpoint_is_by_default() {
    for kind in [Kind::Proxy, Kind::Agent] {
        let shown: Option<String> = uncommented(kind).value("admin-listen").unwrap();
        assert_eq!(shown, kind.admin_listen().map(|address| address.to_string()));
    }
}

#[test]
fn every_key_has_a_flag_and_a_variable_of_its_name() {
    for kind in Kind::ALL {
        let flags = flags(kind);
        for key in kind.keys() {
            let flag = flags.iter().find(|flag| flag.get_long() == Some(&key));
            let variable_of_flag = flag.and_then(|flag| flag.get_env()).and_then(|name| name.to_str());
            assert_eq!(variable_of_flag, Some(variable(&key.replace('-', "_")).as_str()), "{kind}: {key}");
        }
    }
}

#[test]
fn every_setting_has_a_line_of_help() {
    for kind in Kind::ALL {
        for flag in flags(kind) {
            assert!(flag.get_help().is_some(), "{kind}: {}", flag.get_id());
        }
    }
}

#[test]
fn the_two_daemons_share_the_settings_that_they_have_to_agree_on() {
    let agent = Kind::Agent.keys();
    let shared: Vec<_> = Kind::Proxy.keys().into_iter().filter(|key| agent.contains(key)).collect();
    assert_eq!(
        shared,
        [
            "zookeeper",
            "election-path",
            "config-path",
            "services-path",
            "zookeeper-auth-file",
            "zookeeper-tls",
            "zookeeper-ca-file",
            "zookeeper-certificate-file",
            "zookeeper-key-file",
            "zookeeper-session-timeout",
            "zookeeper-acl",
            "node-name",
            "admin-listen",
            "admin-advertise",
            "log-format",
            "log-level"
        ]
    );
}
