//! `capitana doctor` on real servers: an unsafe one gives exactly the findings it should, a safe one none that asks for
//! anything, and what cannot be reached is one finding.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic, in its helpers too")]

#[path = "support/command.rs"]
mod command;
#[path = "cli_doctor/refusing.rs"]
mod refusing;
#[path = "cli_doctor/settings.rs"]
mod settings;
#[path = "support/proxy/mod.rs"]
mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use capitana::control::{Coordinator, ZooKeeper, ZooKeeperConnector};
use capitana::exit;
use capitana_core::doctor::kinds;
use capitana_lab::{Lab, Progress};
use command::{capitana, run};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use serde_json::Value;
use tempfile::TempDir;
use zookeeper_client::{Acl, AuthId, Client, CreateMode, Permission};

const PATH: &str = "/mariadb/primary";
const SETTINGS: &str = "/capitana/config";

/// Galera's timeouts and its cache as they are by default, where the lab has others.
const PROVIDER: &str = "gcache.size=128M;evs.keepalive_period=PT1S;evs.inactive_check_period=PT0.5S;\
                        evs.suspect_timeout=PT5S;evs.inactive_timeout=PT15S;evs.install_timeout=PT7.5S";

struct Found {
    code: i32,
    json: Value,
}

impl Found {
    /// The codes, but for those about this host, which a test does not choose.
    fn codes(&self) -> Vec<String> {
        let codes = self.json["findings"].as_array().unwrap().iter();
        let mut codes: Vec<_> = codes.map(|finding| finding["code"].as_str().unwrap().to_owned()).collect();
        codes.retain(|code| !code.starts_with("HOST-"));
        codes.sort();
        codes
    }

    /// What was found of this code.
    fn found(&self, code: &str) -> Option<String> {
        let mut findings = self.json["findings"].as_array().unwrap().iter();
        let finding = findings.find(|finding| finding["code"] == code)?;
        Some(finding["found"].as_str().unwrap().to_owned())
    }

    /// Those of them that ask for something to be done.
    fn bad(&self) -> Vec<String> {
        let is_info =
            |code: &str| kinds().iter().any(|kind| kind.code == code && kind.severity.label() == "info");
        self.codes().into_iter().filter(|code| !is_info(code)).collect()
    }
}

fn doctor(arguments: &[&str]) -> Found {
    let said = run(&mut capitana(&[&["doctor", "--json"], arguments].concat()));
    assert_eq!(said.err, "");
    let json: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(json.as_object().unwrap().keys().collect::<Vec<_>>(), ["findings", "worst"]);
    Found { code: said.code, json }
}

/// An agent's settings file in `directory`, with a state directory and a password as they should be.
fn agent(directory: &Path, zookeeper: &str, server: &str, more: &str) -> String {
    let (state, password, path) =
        (directory.join("state"), directory.join("password"), directory.join("agent.toml"));
    fs::create_dir_all(&state).unwrap();
    fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(&password, "capitana").unwrap();
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
    let state = state.display();
    let text = format!(
        "zookeeper = \"{zookeeper}\"\nserver = \"{server}\"\npassword-file = \"password\"\nadvertise = \"db1\"\n\
         state-directory = \"{state}\"\n{more}"
    );
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

async fn session(lab: &Lab) -> ZooKeeper {
    ZooKeeperConnector::new(lab.zookeeper(), Duration::from_secs(6)).connect().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unsafe_server_and_election_give_exactly_these_findings() {
    let lab = Lab::builder().galera(1).zookeeper(1);
    let lab = lab
        .server_option("innodb_flush_log_at_trx_commit", "2")
        .server_option("wsrep_certify_nonPK", "OFF")
        .server_option("proxy_protocol_networks", "*")
        .provider_options(
            "pc.ignore_sb=true;evs.inactive_timeout=PT15S;evs.suspect_timeout=PT5S;evs.install_timeout=PT5S",
        );
    let lab = lab.start(&Progress::stderr()).await.unwrap();
    lab.nodes()[0].execute("GRANT ALL PRIVILEGES ON *.* TO capitana@'%'").await.unwrap();
    let session = session(&lab).await;
    session.ensure_path(PATH).await.unwrap();
    session.create_sequential(&format!("{PATH}/node-"), b"127.0.0.1:3306").await.unwrap();
    session.create_sequential(&format!("{PATH}/node-"), b"127.0.0.1:3306").await.unwrap();
    session.create_sequential(&format!("{PATH}/node-"), b"no host").await.unwrap();

    let directory = TempDir::new().unwrap();
    let server = lab.nodes()[0].address().to_string();
    let fence = "fence = \"reject\"\nadmin-listen = \"0.0.0.0:9308\"\n";
    let config = agent(directory.path(), &lab.zookeeper(), &server, fence);
    fs::set_permissions(directory.path().join("password"), fs::Permissions::from_mode(0o644)).unwrap();
    let found = doctor(&["--config", &config, "--zookeeper-session-timeout", "60s"]);
    assert_eq!(
        found.bad(),
        [
            "ADMIN-EVERYWHERE",
            "DB-ACCOUNT-POWER",
            "DB-CERTIFY-NONPK",
            "DB-FLUSH-LOG",
            "DB-PROXY-NETWORKS",
            "DB-SST-BLOCKING",
            "FENCE-PEERS",
            "FENCE-UNREACHABLE",
            "GALERA-ALONE",
            "GALERA-EVS-INSTALL",
            "GALERA-GCACHE",
            "GALERA-IGNORE-QUORUM",
            "SECRET-READABLE",
            "ZK-ACL-CONFIG-OPEN",
            "ZK-ACL-MEMBER-OPEN",
            "ZK-ACL-OPEN",
            "ZK-ACL-PARENT-OPEN",
            "ZK-CHILD-DUPLICATE",
            "ZK-CHILD-UNREADABLE",
            "ZK-STANDALONE",
            "ZK-TIMEOUT",
        ],
        "{:#}",
        found.json
    );
    assert_eq!((found.code, &found.json["worst"]), (i32::from(exit::DANGER), &Value::from("danger")));
    lab.shutdown().await.unwrap();
}

/// Everybody may read; who is on this machine may do everything.
fn closed() -> [Acl; 2] {
    let here = Acl::new(Permission::ALL, AuthId::new("ip", "127.0.0.0/8"));
    [here, Acl::new(Permission::READ, AuthId::anyone())]
}

/// Stands in the election as an agent does that names its admin address, below znodes that only this machine may change. The
/// settings of all daemons can only be made by this machine either.
async fn stand(client: &Client, upstream: &str) {
    let acl = closed();
    let persistent = CreateMode::Persistent.with_acls((&acl[..]).into());
    client.mkdir(PATH, &persistent).await.unwrap();
    client.mkdir(SETTINGS, &persistent).await.unwrap();
    let (host, port) = upstream.rsplit_once(':').unwrap();
    let data = format!(r#"{{"host": "{host}", "port": {port}, "guid": "g", "admin": "{host}:9308"}}"#);
    let candidate = CreateMode::EphemeralSequential.with_acls((&acl[..]).into());
    client.create(&format!("{PATH}/node-"), data.as_bytes(), &candidate).await.unwrap();
    let nobody = [Acl::new(Permission::ALL, AuthId::new("digest", "nobody:x"))];
    client.create("/secret", b"", &CreateMode::Persistent.with_acls((&nobody[..]).into())).await.unwrap();
}

/// Has the first node apply nothing, as long as what is answered lives, while another one commits, and all statements on it
/// wait for that.
async fn fall_behind(lab: &Lab) -> Conn {
    let mut lock = lab.nodes()[0].root().await.unwrap();
    lock.query_drop("SET GLOBAL wsrep_sync_wait=15").await.unwrap();
    lock.query_drop("FLUSH TABLES WITH READ LOCK").await.unwrap();
    lab.nodes()[1].execute("CREATE TABLE capitana.later (id INT PRIMARY KEY)").await.unwrap();
    lock
}

#[tokio::test(flavor = "multi_thread")]
async fn a_safe_server_and_election_give_nothing_to_do() {
    let lab = Lab::builder().galera(3).zookeeper(3).provider_options(PROVIDER);
    let lab = lab.server_option("wsrep_sst_method", "mariabackup").start(&Progress::stderr()).await.unwrap();
    for grant in [
        "CREATE DATABASE capitana",
        "GRANT CONNECTION ADMIN, READ_ONLY ADMIN ON *.* TO capitana@'%'",
        "GRANT ALL ON capitana.* TO capitana@'%'",
    ] {
        lab.nodes()[0].execute(grant).await.unwrap();
    }
    let server = lab.nodes()[0].address().to_string();
    let client = Client::connect(&lab.zookeeper()).await.unwrap();
    stand(&client, &server).await;

    let directory = TempDir::new().unwrap();
    let fence = "fence = \"read-only\"\nadmin-listen = \"127.0.0.1:9308\"\nadmin-advertise = \"db1:9308\"\n";
    let config = agent(directory.path(), &lab.zookeeper(), &server, fence);
    let proxy = directory.path().join("proxy.toml");
    let zookeeper = lab.zookeeper();
    let text = format!(
        "zookeeper = \"{zookeeper}\"\nmonitor-user = \"capitana\"\nmonitor-password-file = \"password\"\n\
         allow-upstreams = [\"127.0.0.0/8\"]\n"
    );
    fs::write(&proxy, text).unwrap();
    let both = ["--config", &config, "--config", proxy.to_str().unwrap()];
    let found = doctor(&both);
    assert_eq!(found.bad(), Vec::<String>::new(), "{:#}", found.json);

    let lagging = doctor(&[&both[..], &["--zookeeper-session-timeout", "5s"]].concat());
    assert_eq!(lagging.bad(), ["ZK-SYNC-LIMIT"], "the lab's syncLimit is 5 s: {:#}", lagging.json);
    let refused = doctor(&[&both[..], &["--election-path", "/secret"]].concat());
    assert_eq!(refused.bad(), ["ZK-REFUSED"], "{:#}", refused.json);

    let behind = fall_behind(&lab).await;
    let waiting = doctor(&both);
    for code in ["DB-UNREACHABLE", "DB-UNSEEN"] {
        assert_eq!(waiting.found(code), None, "a check does not wait for others' writes: {:#}", waiting.json);
    }
    drop(behind);

    fs::write(directory.path().join("password"), "wrong").unwrap();
    let wrong = doctor(&both);
    assert_eq!(wrong.bad(), ["DB-LOGIN", "DB-LOGIN"], "{:#}", wrong.json);
    assert_eq!(wrong.code, i32::from(exit::DANGER));
    lab.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn with_zookeeper_alone_the_worst_is_a_warning_and_the_exit_status_says_so() {
    let lab = Lab::builder().zookeeper(1).start(&Progress::stderr()).await.unwrap();
    let client = Client::connect(&lab.zookeeper()).await.unwrap();
    stand(&client, "db1.internal:3306").await;
    let found = doctor(&["--zookeeper", &lab.zookeeper()]);
    assert_eq!(found.codes(), ["DB-NOT-CHECKED", "ZK-CLEAR", "ZK-STANDALONE"], "{:#}", found.json);
    assert_eq!((found.code, &found.json["worst"]), (i32::from(exit::WARNING), &Value::from("warning")));
    lab.shutdown().await.unwrap();
}

/// Accepts connections and says nothing, or closes them, as a port that speaks something else.
fn stranger(closes: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            if closes {
                let _ = stream.read(&mut [0; 64]);
                let _ = stream.write_all(b"\x15\x03\x03\x00\x02\x02\x50");
            } else {
                kept.push(stream);
            }
        }
    });
    address
}

#[test]
fn a_zookeeper_that_cannot_be_had_is_one_finding() {
    for zookeeper in ["127.0.0.1:1".to_owned(), stranger(true), stranger(false)] {
        let started = Instant::now();
        let found = doctor(&["--zookeeper", &zookeeper, "--timeout", "3s"]);
        assert_eq!(found.codes(), ["DB-NOT-CHECKED", "ZK-UNREACHABLE"], "{:#}", found.json);
        assert_eq!(found.code, i32::from(exit::DANGER));
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    }
}

#[test]
fn a_mariadb_that_cannot_be_had_is_one_finding() {
    for server in ["127.0.0.1:1".to_owned(), stranger(false), "/nowhere/mysqld.sock".to_owned()] {
        let found = doctor(&["--zookeeper", "127.0.0.1:1", "--server", &server, "--timeout", "2s"]);
        let of_server: Vec<_> = found.codes().into_iter().filter(|code| code.starts_with("DB-")).collect();
        assert_eq!(of_server, ["DB-UNREACHABLE"], "{:#}", found.json);
    }
}

#[test]
fn two_files_of_one_kind_are_an_error_of_the_command() {
    let directory = TempDir::new().unwrap();
    let config = agent(directory.path(), "127.0.0.1:1", "127.0.0.1:1", "");
    let said = run(&mut capitana(&["doctor", "--config", &config, "--config", &config]));
    said.failed(exit::USAGE, "two files of one kind");
}

#[test]
fn a_broken_settings_file_is_an_error_of_the_command_as_it_is_of_the_daemon() {
    let directory = TempDir::new().unwrap();
    let config = agent(directory.path(), "127.0.0.1:1", "127.0.0.1:1", "fal = 3\n");
    run(&mut capitana(&["doctor", "--config", &config])).failed(exit::CONFIG, "did you mean fall?");
}
