//! What a daemon makes of settings in ZooKeeper, beside its flags and its file: against a ZooKeeper in memory.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic, in its helpers too")]

mod fake;

use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use capitana::config::ProxyConfig;
use capitana::config::load::DaemonArgs;
use capitana::config::settings::ProxySettings;
use capitana::live::{ConfigStatus, Follow, Live, Standing};
use capitana::side::Part;
use clap::{Args, Command};
use fake::FakeZooKeeper;
use tempfile::TempDir;
use tracing::subscriber::{DefaultGuard, set_default};

/// A proxy's settings, and what is between them and ZooKeeper.
struct Proxy {
    zookeeper: FakeZooKeeper,
    live: Live<ProxySettings>,
    follow: Follow,
    file: PathBuf,
    _directory: TempDir,
}

impl Proxy {
    /// With this file, beside a ZooKeeper's name, and these flags.
    fn new(zookeeper: &FakeZooKeeper, file: &str, flags: &[&str]) -> Self {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("proxy.toml");
        fs::write(&path, file).unwrap();
        let command = DaemonArgs::<ProxySettings>::augment_args(Command::new("capitana"));
        let config = ["capitana", "--zookeeper", "zk1", "--config", path.to_str().unwrap()];
        let matches = command.try_get_matches_from(config.iter().chain(flags)).unwrap();
        let mut live = Live::load(matches).unwrap();
        let follow = live.follow().unwrap();
        Self { zookeeper: zookeeper.clone(), live, follow, file: path, _directory: directory }
    }

    /// Reads ZooKeeper until there is nothing more to read.
    async fn look(&mut self) -> ConfigStatus {
        loop {
            let before = self.status();
            // A reading that fails is told of all the same.
            let _ = Part::round(&self.follow, &self.zookeeper).await;
            self.live.see();
            if self.status() == before {
                return before;
            }
        }
    }

    /// Has the log of this thread written to a file, until the guard is dropped.
    fn log(&self) -> (PathBuf, DefaultGuard) {
        let path = self.file.with_extension("log");
        let file = Arc::new(File::create(&path).unwrap());
        (path, set_default(tracing_subscriber::fmt().with_writer(file).finish()))
    }

    fn status(&self) -> ConfigStatus {
        self.live.status().borrow().clone()
    }

    fn config(&self) -> &ProxyConfig {
        self.live.config()
    }

    /// The line of `/config` about this setting.
    fn line(&self, key: &str) -> String {
        let lines = self.status().lines;
        lines.lines().find(|line| line.starts_with(&format!("{key} = "))).unwrap().to_owned()
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn zookeeper_beats_the_file_and_flags_beat_zookeeper() {
    let zookeeper = FakeZooKeeper::new();
    zookeeper.write("hold-timeout = \"5s\"\ndial-timeout = \"5s\"\n", true);
    let mut proxy =
        Proxy::new(&zookeeper, "hold-timeout = \"3s\"\ndrain-timeout = \"3s\"", &["--dial-timeout", "7s"]);
    assert_eq!(proxy.config().hold_timeout, 3 * SECOND);
    proxy.look().await;
    let config = proxy.config();
    assert_eq!(
        (config.hold_timeout, config.dial_timeout, config.drain_timeout),
        (5 * SECOND, 7 * SECOND, 3 * SECOND)
    );
}

#[tokio::test]
async fn where_each_setting_comes_from_is_shown() {
    let zookeeper = FakeZooKeeper::new();
    zookeeper.write("\nhold-timeout = \"5s\"\n", true);
    let mut proxy = Proxy::new(&zookeeper, "drain-timeout = \"3s\"", &[]);
    proxy.look().await;
    assert_eq!(
        proxy.line("hold-timeout"),
        "hold-timeout = \"5s\"  # ZooKeeper /capitana/config/proxy version 0:2"
    );
    assert!(proxy.line("drain-timeout").ends_with("proxy.toml:1"));
}

#[tokio::test]
async fn a_bad_version_is_used_in_no_part_and_named() {
    let zookeeper = FakeZooKeeper::new();
    let mut proxy = Proxy::new(&zookeeper, "", &[]);
    zookeeper.write("hold-timeout = \"5s\"", true);
    proxy.look().await;
    zookeeper.write("dial-timeout = \"1s\"\nthreads = 3", false);
    let status = proxy.look().await;
    assert_eq!((status.standing, status.version, status.newest), (Standing::Refused, Some(0), Some(1)));
    assert!(
        status
            .error
            .unwrap()
            .starts_with("ZooKeeper /capitana/config/proxy version 1:2: threads: it takes effect")
    );
    assert_eq!((proxy.config().hold_timeout, proxy.config().dial_timeout), (5 * SECOND, 2 * SECOND));
}

#[tokio::test]
async fn a_proxy_that_starts_under_a_bad_version_uses_the_last_good_one() {
    let zookeeper = FakeZooKeeper::new();
    for text in ["hold-timeout = \"4s\"", "hold-timeout = \"5s\"", "hold-timeout = 5"] {
        zookeeper.write(text, true);
    }
    let mut proxy = Proxy::new(&zookeeper, "", &[]);
    let status = proxy.look().await;
    assert_eq!((status.standing, status.version), (Standing::Refused, Some(1)));
    assert_eq!(proxy.config().hold_timeout, 5 * SECOND);
}

#[tokio::test]
async fn settings_that_are_deleted_lead_back_to_the_file() {
    let zookeeper = FakeZooKeeper::new();
    let mut proxy = Proxy::new(&zookeeper, "hold-timeout = \"3s\"", &[]);
    zookeeper.write("hold-timeout = \"5s\"", true);
    proxy.look().await;
    zookeeper.delete();
    let status = proxy.look().await;
    assert_eq!((status.standing, status.version), (Standing::Absent, None));
    assert_eq!(proxy.config().hold_timeout, 3 * SECOND);
}

#[tokio::test]
async fn settings_that_may_not_be_read_leave_everything_as_it_is() {
    let zookeeper = FakeZooKeeper::new();
    let mut proxy = Proxy::new(&zookeeper, "", &[]);
    zookeeper.write("hold-timeout = \"5s\"", true);
    proxy.look().await;
    zookeeper.let_read(false);
    let status = proxy.look().await;
    assert_eq!((status.standing, status.version), (Standing::Unreadable, Some(0)));
    assert_eq!(proxy.config().hold_timeout, 5 * SECOND);
    zookeeper.let_read(true);
    assert_eq!(proxy.look().await.standing, Standing::Applied);
}

#[tokio::test]
async fn settings_of_a_zookeeper_that_was_set_up_anew_are_not_used_and_why_is_said_once() {
    let zookeeper = FakeZooKeeper::new();
    let mut proxy = Proxy::new(&zookeeper, "", &[]);
    for text in ["hold-timeout = \"4s\"", "hold-timeout = \"5s\""] {
        zookeeper.write(text, true);
    }
    proxy.look().await;
    zookeeper.set_up_anew();
    zookeeper.write("hold-timeout = \"9s\"", true);
    let (log, _logging) = proxy.log();
    for _ in 0..2 {
        let status = proxy.look().await;
        assert_eq!((status.standing, status.version), (Standing::Unreadable, Some(1)));
        let error = status.error.unwrap();
        assert!(error.contains("/capitana/config/proxy") && error.contains("restart"), "{error}");
        assert_eq!(proxy.config().hold_timeout, 5 * SECOND);
        assert!(proxy.live.reload());
    }
    assert_eq!(proxy.status().standing, Standing::Unreadable);
    let said = fs::read_to_string(log).unwrap();
    assert_eq!(said.matches("older than ones already seen").count(), 1, "{said}");

    let mut restarted = Proxy::new(&zookeeper, "", &[]);
    assert_eq!(restarted.look().await.standing, Standing::Applied);
    assert_eq!(restarted.config().hold_timeout, 9 * SECOND);
}

#[tokio::test]
async fn settings_that_are_as_new_as_before_are_good_again() {
    let zookeeper = FakeZooKeeper::new();
    let mut proxy = Proxy::new(&zookeeper, "", &[]);
    let texts = ["hold-timeout = \"4s\"", "hold-timeout = \"5s\"", "hold-timeout = \"6s\""];
    texts[..2].iter().for_each(|text| zookeeper.write(*text, true));
    let before = proxy.look().await;
    zookeeper.set_up_anew();
    zookeeper.write(texts[0], true);
    assert_eq!(proxy.look().await.standing, Standing::Unreadable);
    zookeeper.write(texts[1], true);
    assert_eq!(proxy.look().await, before);
    zookeeper.write(texts[2], true);
    assert_eq!(proxy.look().await.standing, Standing::Applied);
    assert_eq!(proxy.config().hold_timeout, 6 * SECOND);
}

#[tokio::test]
async fn a_file_that_is_read_again_does_not_let_zookeeper_be_read() {
    let zookeeper = FakeZooKeeper::new();
    let mut proxy = Proxy::new(&zookeeper, "", &[]);
    zookeeper.write("hold-timeout = \"5s\"", true);
    proxy.look().await;
    zookeeper.let_read(false);
    let before = proxy.look().await;
    assert!(proxy.live.reload());
    assert_eq!(proxy.status(), before);
    zookeeper.let_read(true);
    assert_eq!(proxy.look().await.standing, Standing::Applied);
}

#[tokio::test]
async fn a_file_that_is_read_again_stays_below_zookeeper() {
    let zookeeper = FakeZooKeeper::new();
    let mut proxy = Proxy::new(&zookeeper, "hold-timeout = \"3s\"", &[]);
    zookeeper.write("hold-timeout = \"5s\"", true);
    proxy.look().await;
    fs::write(&proxy.file, "hold-timeout = \"4s\"\ndrain-timeout = \"4s\"\nthreads = 2").unwrap();
    assert!(proxy.live.reload());
    let config = proxy.config();
    assert_eq!((config.hold_timeout, config.drain_timeout, config.threads), (5 * SECOND, 4 * SECOND, None));
    assert_eq!(proxy.status().restart_needed, ["threads"]);
}

#[tokio::test]
async fn a_file_that_waits_for_a_restart_keeps_no_version_of_zookeepers_out() {
    let zookeeper = FakeZooKeeper::new();
    let mut proxy = Proxy::new(&zookeeper, "", &[]);
    fs::write(&proxy.file, "threads = 2").unwrap();
    assert!(proxy.live.reload());
    zookeeper.write("hold-timeout = \"5s\"", true);
    assert_eq!(proxy.look().await.standing, Standing::Applied);
    assert_eq!(proxy.config().hold_timeout, 5 * SECOND);
}

#[tokio::test]
async fn what_holds_is_handed_over_before_it_is_said_to_hold() {
    let zookeeper = FakeZooKeeper::new();
    let mut proxy = Proxy::new(&zookeeper, "", &[]);
    let (applied, status) = (Arc::new(Mutex::new(Vec::new())), proxy.live.status());
    let kept = Arc::clone(&applied);
    proxy.live.applied_by(move |config| {
        kept.lock().unwrap().push((config.hold_timeout, status.borrow().version));
    });
    zookeeper.write("hold-timeout = \"5s\"", true);
    proxy.look().await;
    fs::write(&proxy.file, "drain-timeout = \"4s\"").unwrap();
    assert!(proxy.live.reload());
    assert_eq!(*applied.lock().unwrap(), [(5 * SECOND, None), (5 * SECOND, Some(0))]);
}

#[tokio::test]
async fn a_broken_file_keeps_what_zookeeper_says_in_effect() {
    let zookeeper = FakeZooKeeper::new();
    let mut proxy = Proxy::new(&zookeeper, "", &[]);
    zookeeper.write("hold-timeout = \"5s\"", true);
    proxy.look().await;
    fs::write(&proxy.file, "hold-timeout = 4").unwrap();
    assert!(!proxy.live.reload());
    zookeeper.write("hold-timeout = \"6s\"", true);
    proxy.look().await;
    assert_eq!(proxy.config().hold_timeout, 6 * SECOND);
}

#[tokio::test]
async fn what_is_no_toml_too_long_or_no_text_is_refused() {
    let zookeeper = FakeZooKeeper::new();
    let mut proxy = Proxy::new(&zookeeper, "", &[]);
    for (bad, named) in
        [(b"[".to_vec(), "not TOML"), (vec![b' '; 2_000_000], "at most"), (vec![0xff, 0], "not UTF-8")]
    {
        zookeeper.write(bad, false);
        let status = proxy.look().await;
        assert_eq!(status.standing, Standing::Refused);
        assert!(status.error.as_ref().unwrap().contains(named), "{status:?}");
    }
}
