//! What is wrong with a settings file is said in one line: the place, the key, what was expected, what was found.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic, in its helpers too")]

#[path = "support/settings.rs"]
mod settings;

use capitana::config::settings::{AgentSettings, ProxySettings};
use capitana::error::Fault;
use capitana::exit;
use settings::with_flags;

/// Expects that a proxy refuses this file, beginning with `place` and saying `what`.
fn refused(file: &str, place: &str, what: &str) {
    let error = with_flags::<ProxySettings>(file, &[]).unwrap_err();
    let message = error.to_string();
    let (_, said) = message.split_once("settings.toml:").unwrap_or(("", &message));
    assert!(said.starts_with(place) && said.contains(what), "{message}");
    assert!(!message.contains('\n'), "{message}");
    assert_eq!((error.exit_code(), error.fault()), (exit::CONFIG, Fault::Configuration));
}

/// Expects the same of one bad line behind a good one.
fn refused_line(line: &str, what: &str) {
    let (key, _) = line.split_once(' ').unwrap();
    refused(&format!("zookeeper = \"zk1\"\n{line}\n"), &format!("2: {key}: "), what);
}

#[test]
fn a_server_without_galera_cannot_be_fenced_by_what_only_galera_knows() {
    let file = "zookeeper = \"zk1\"\ngalera = \"off\"\nfence = \"reject\"\n";
    let error = with_flags::<AgentSettings>(file, &[]).unwrap_err().to_string();
    assert!(error.contains("3: fence: ") && error.contains("choose \"read-only\""), "{error}");
    assert!(with_flags::<AgentSettings>(&file.replace("reject", "read-only"), &[]).is_ok());
}

#[test]
fn an_unknown_key_comes_with_the_one_that_was_meant() {
    refused_line("hold-timout = \"8s\"", "unknown key; did you mean hold-timeout?");
}

#[test]
fn an_unknown_key_like_no_other_comes_with_where_to_look() {
    refused_line("colour = \"blue\"", "`capitana proxy --help` lists the settings");
}

#[test]
fn a_key_with_a_line_break_does_not_break_the_line() {
    refused("zookeeper = \"zk1\"\n\"a\\nb\" = 1\n", "2: a?b: ", "unknown key");
}

#[test]
fn a_key_of_the_other_daemon_is_recognised() {
    refused_line("poll-interval = \"1s\"", "a setting of the agent, and this file is for the proxy");
}

#[test]
fn tables_are_not_understood() {
    refused("zookeeper = \"zk1\"\n\n[proxy]\nmax-held = 1\n", "3: proxy: ", "top level");
}

#[test]
fn a_key_that_is_set_twice_is_refused_at_its_second_place() {
    refused("zookeeper = \"zk1\"\nthreads = 1\nthreads = 2\n", "3: threads: ", "set twice");
}

#[test]
fn a_wrong_type_comes_with_the_right_one() {
    refused_line("hold-timeout = 8", "integer `8`, expected a duration");
    refused_line("max-held = \"many\"", "string \"many\", expected a whole number");
    refused_line("listen = \"0.0.0.0:3306\"", "expected a list");
}

#[test]
fn a_bad_value_inside_a_list_is_found_on_its_own_line() {
    let file = "zookeeper = \"zk1\"\nlisten = [\n  \"0.0.0.0:3306\",\n  \"3307\",\n]\n";
    refused(file, "4: listen: ", "expected an IP address and a port");
}

#[test]
fn each_kind_of_value_says_what_it_expects() {
    refused_line("hold-timeout = \"soon\"", "a duration longer than 0, such as \"8s\"");
    refused_line("hold-timeout = \"0s\"", "longer than 0");
    refused_line("shutdown-timeout = \"99years\"", "longer than a year");
    refused_line(
        "zookeeper-session-timeout = \"61min\"",
        "1h at most, such as \"6s\": \"61min\" is longer than an hour",
    );
    refused_line("zookeeper-session-timeout = \"0s\"", "longer than 0");
    refused_line("threads = 0", "a whole number, 1 or more");
    refused_line("threads = 4000", "at most 1024");
    refused_line("max-held = -1", "0 or more");
    refused_line("allow-upstreams = [\"10.0.0.0/33\"]", "a network");
    refused_line("election-path = \"mariadb/\"", "the path of a znode");
    refused_line("log-format = \"xml\"", "`human` or `json`");
    refused_line("log-level = \"inof\"", "\"inof\" is not one of off, error");
    refused_line("admin-listen = \"localhost\"", "an IP address and a port");
}

#[test]
fn a_bad_zookeeper_server_is_named() {
    refused("zookeeper = \"zk1:2181,zk2:port\"", "1: zookeeper: ", "\"port\" is not a port");
    refused("zookeeper = \"zk1/\"", "1: zookeeper: ", "not a znode path");
}

#[test]
fn text_that_is_not_toml_is_placed() {
    refused("\nzookeeper = zk1\n", "2: zookeeper: ", "not TOML");
    refused("\n\nnonsense\n", "3: ", "not TOML");
}

#[test]
fn a_proxy_needs_a_way_to_its_primary() {
    refused("max-held = 1\n", "setting zookeeper: missing", "or a fixed primary");
}

#[test]
fn an_election_and_a_fixed_primary_exclude_each_other() {
    refused_line("primary = \"db1\"", "takes the place of the election");
}

#[test]
fn an_address_cannot_be_listened_on_twice() {
    refused_line("listen = [\"127.0.0.1:1\", \"127.0.0.1:1\"]", "is there twice");
    refused_line("listen = [\"127.0.0.1:9307\"]", "also the address of admin-listen");
}

#[test]
fn a_proxy_listens_somewhere() {
    refused_line("listen = []", "at least one address");
}

#[test]
fn an_agent_needs_zookeeper() {
    let error = with_flags::<AgentSettings>("", &[]).unwrap_err();
    assert!(error.to_string().starts_with("setting zookeeper: missing"), "{error}");
}

#[test]
fn a_password_file_that_is_not_there_is_named_with_its_key() {
    let file = "zookeeper = \"zk1\"\npassword-file = \"none\"\n";
    let error = with_flags::<AgentSettings>(file, &[]).unwrap_err();
    let message = error.to_string();
    assert!(message.contains("settings.toml:2: password-file: cannot read "), "{message}");
    assert!(message.contains("/none: No such file"), "{message}");
    assert_eq!(error.exit_code(), exit::NO_INPUT);
}

#[test]
fn a_bad_value_is_refused_even_where_a_flag_beats_it() {
    let file = "zookeeper = \"zk1\"\nhold-timeout = \"soon\"\n";
    let error = with_flags::<ProxySettings>(file, &["--hold-timeout", "8s"]).unwrap_err();
    assert!(error.to_string().contains("settings.toml:2: hold-timeout"), "{error}");
}

#[test]
fn a_fixed_primary_is_not_the_proxy_itself() {
    let problem = "is where this proxy listens itself";
    refused("primary = \"127.0.0.1:3306\"\n", "1: primary: ", problem);
    refused("primary = \"10.0.0.1:3307\"\nlisten = [\"10.0.0.1:3307\"]\n", "1: primary: ", problem);
}

#[test]
fn a_limit_beyond_reason_is_refused() {
    refused_line("max-held = 9223372036854775807", "expected at most 10000000");
    refused_line("max-connections = 9223372036854775807", "expected at most 10000000");
}
