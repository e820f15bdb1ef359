//! What the settings of a daemon come to: who wins, and what follows from what.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic, in its helpers too")]

#[path = "support/settings.rs"]
mod settings;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use capitana::config::settings::{AgentSettings, ProxySettings};
use capitana::config::{AgentConfig, LogFormat, ProxyConfig, Secret, ServerAddress};
use capitana::error::Origin;
use capitana_core::HostPort;
use settings::with_flags;
use tempfile::TempDir;

const ZOOKEEPER: &str = "zookeeper = \"zk1\"\n";

fn proxy(file: &str, flags: &[&str]) -> ProxyConfig {
    with_flags::<ProxySettings>(&format!("{ZOOKEEPER}{file}"), flags).unwrap().config
}

fn agent(file: &str) -> AgentConfig {
    with_flags::<AgentSettings>(&format!("{ZOOKEEPER}{file}"), &[]).unwrap().config
}

#[test]
fn the_file_beats_the_default() {
    assert_eq!(proxy("hold-timeout = \"3s\"", &[]).hold_timeout, Duration::from_secs(3));
}

#[test]
fn a_flag_beats_the_file() {
    let config = proxy("hold-timeout = \"3s\"", &["--hold-timeout", "4s"]);
    assert_eq!(config.hold_timeout, Duration::from_secs(4));
}

#[test]
fn a_flag_that_says_the_default_beats_the_file() {
    let config = proxy("hold-timeout = \"3s\"", &["--hold-timeout", "8s"]);
    assert_eq!(config.hold_timeout, Duration::from_secs(8));
}

#[test]
fn a_flags_list_replaces_the_files_list() {
    let config = proxy("listen = [\"127.0.0.1:1\", \"127.0.0.1:2\"]", &["--listen", "127.0.0.1:3"]);
    assert_eq!(config.listen, ["127.0.0.1:3".parse().unwrap()]);
}

#[test]
fn a_flag_may_be_repeated_or_hold_commas() {
    let config = proxy("", &["--listen", "127.0.0.1:1,[::1]:2", "--listen", "127.0.0.1:3"]);
    assert_eq!(config.listen.len(), 3);
}

#[test]
fn the_origin_of_each_value_is_known() {
    let loaded =
        with_flags::<ProxySettings>(&format!("{ZOOKEEPER}max-held = 5\n"), &["--threads", "2"]).unwrap();
    let origin = |key| &loaded.effective.iter().find(|setting| setting.key == key).unwrap().origin;
    assert!(matches!(origin("max-held"), Origin::File { line: 2, .. }));
    assert_eq!(origin("threads"), &Origin::Flag("threads".to_owned()));
    assert_eq!(origin("dial-timeout"), &Origin::Unset("dial-timeout".to_owned()));
}

#[test]
fn zookeepers_port_may_be_left_out() {
    let file = "zookeeper = \"zk1,zk2:2182,[::1]/apps/db\"";
    let loaded = with_flags::<ProxySettings>(file, &[]).unwrap();
    assert_eq!(loaded.config.common.zookeeper.unwrap(), "zk1:2181,zk2:2182,[::1]:2181/apps/db");
}

#[test]
fn a_fixed_primary_needs_no_zookeeper() {
    let config = with_flags::<ProxySettings>("primary = \"db1\"", &[]).unwrap().config;
    assert_eq!(config.primary, Some(HostPort::new("db1", 3306).unwrap()));
    assert_eq!(config.common.zookeeper, None);
}

#[test]
fn the_daemons_have_admin_endpoints_side_by_side() {
    let proxy = proxy("", &[]).common.admin_listen;
    let agent = agent("").common.admin_listen;
    assert_eq!((proxy.port(), agent.port()), (9307, 9308));
    assert!(proxy.ip().is_loopback() && agent.ip().is_loopback());
}

#[test]
fn the_log_format_is_read_from_the_file() {
    assert_eq!(proxy("log-format = \"json\"", &[]).common.log_format, LogFormat::Json);
}

#[test]
fn an_agent_advertises_this_host_with_the_servers_port() {
    let config = agent("server = \"127.0.0.1:3399\"");
    assert_eq!(config.advertise.port(), 3399);
    assert_eq!(config.advertise.host(), config.common.node_name.to_lowercase());
}

#[test]
fn an_advertised_host_without_a_port_gets_the_servers_port() {
    let config = agent("server = \"127.0.0.1:3399\"\nadvertise = \"db1.internal\"");
    assert_eq!(config.advertise.to_string(), "db1.internal:3399");
}

#[test]
fn an_advertised_port_stays() {
    let config = agent("server = \"127.0.0.1:3399\"\nadvertise = \"[2001:db8::1]:3306\"");
    assert_eq!(config.advertise.to_string(), "[2001:db8::1]:3306");
}

#[test]
fn a_server_that_begins_with_a_slash_is_a_socket() {
    let config = agent("server = \"/run/mysqld/mysqld.sock\"\nadvertise = \"db1\"");
    assert_eq!(config.server, ServerAddress::Unix("/run/mysqld/mysqld.sock".into()));
    assert_eq!(config.advertise.port(), 3306);
}

#[test]
fn a_password_file_that_everybody_can_read_is_warned_about() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("password");
    fs::write(&path, "secret").unwrap();
    let file = format!("{ZOOKEEPER}password-file = \"{}\"", path.display());
    for (mode, warnings) in [(0o644, 1), (0o600, 0)] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let loaded = with_flags::<AgentSettings>(&file, &["--advertise", "db1"]).unwrap();
        assert_eq!(loaded.warnings.len(), warnings, "{:?}", loaded.warnings);
        assert_eq!(loaded.config.password, Some(Secret::File(path.clone())));
    }
}

#[test]
fn a_bool_may_be_a_bare_flag() {
    let loaded = with_flags::<AgentSettings>(ZOOKEEPER, &["--available-when-donor"]).unwrap();
    assert!(loaded.config.available_when_donor);
}

#[test]
fn a_flag_can_take_back_a_bool_of_the_file() {
    let file = format!("{ZOOKEEPER}available-when-donor = true");
    let loaded = with_flags::<AgentSettings>(&file, &["--available-when-donor=false"]).unwrap();
    assert!(!loaded.config.available_when_donor);
}
