//! What a proxy takes over from its settings file when it is sent SIGHUP.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

#[path = "support/proxy/mod.rs"]
mod support;

use std::fs;

use rustix::process::Signal;
use support::{Proxy, SettingsFile, Start, connect, error_of, free_address, read_packet};

/// A proxy with a settings file that can be changed.
struct Reloading {
    proxy: Proxy,
    file: SettingsFile,
}

impl Reloading {
    /// With a primary that is absent, and these lines.
    fn new(lines: &str) -> Self {
        let file = SettingsFile::new(&format!("primary = \"{}\"\n{lines}", free_address()));
        let proxy = Start::with(&["--config", file.path()]).start();
        Self { proxy, file }
    }

    /// Has the file's text changed, and the proxy read it.
    fn change(&self, from: &str, to: &str) {
        self.file.change(from, to, &self.proxy);
    }

    /// How long the next client waits, as its error says.
    fn waits(&self) -> String {
        error_of(&read_packet(&mut connect(self.proxy.listen)).unwrap()).1
    }
}

#[test]
fn sighup_takes_over_the_hold_timeout_for_clients_to_come() {
    let running = Reloading::new("hold-timeout = \"1h\"\n");
    let _waiting = connect(running.proxy.listen);
    running.proxy.has_held(1);
    running.change("1h", "150ms");
    running.proxy.log_line("settings reloaded");
    assert!(running.waits().contains("150ms"));
    running.proxy.has_held(1);
}

#[test]
fn sighup_says_what_needs_a_restart_and_leaves_it_as_it_was() {
    let running = Reloading::new("max-held = 0\nthreads = 1\nhold-timeout = \"1h\"\n");
    running.change("max-held = 0\nthreads = 1", "max-held = 5\nthreads = 3");
    let line = running.proxy.log_line("changed, but in effect only after a restart");
    assert_eq!(line["settings"], "max-held, threads");
    assert!(running.waits().contains("max-held"));
}

#[test]
fn sighup_takes_over_the_log_level() {
    let running = Reloading::new("hold-timeout = \"100ms\"\nlog-level = \"info\"\n");
    running.waits();
    running.proxy.log_line("session ended");
    running.change("\"info\"", "\"warn,capitana::live=info\"");
    running.proxy.log_line("settings reloaded");
    running.waits();
    running.proxy.has_sessions(0);
    assert_eq!(running.proxy.log_lines("session ended", 1).len(), 1);
}

#[test]
fn a_file_that_is_broken_leaves_the_old_settings_and_is_named_with_its_line() {
    let running = Reloading::new("hold-timeout = \"150ms\"\n");
    running.change("\"150ms\"", "150");
    let line = running.proxy.log_line("settings not reloaded: the old ones stay in effect");
    let error = line["error"].as_str().unwrap();
    assert!(error.contains("proxy.toml:2: hold-timeout"), "{error}");
    assert!(running.waits().contains("150ms"));
}

#[test]
fn a_file_that_is_gone_leaves_the_old_settings() {
    let running = Reloading::new("hold-timeout = \"150ms\"\n");
    fs::remove_file(running.file.path()).unwrap();
    running.proxy.signal(Signal::HUP);
    running.proxy.log_line("settings not reloaded: the old ones stay in effect");
    assert!(running.waits().contains("150ms"));
}
