//! A settings file that a running proxy is told to read again.

use std::fs;
use std::path::PathBuf;

use rustix::process::Signal;
use tempfile::TempDir;

use super::daemon::Proxy;

/// A settings file, until it is dropped.
pub struct SettingsFile {
    file: PathBuf,
    _directory: TempDir,
}

impl SettingsFile {
    /// With this text.
    pub fn new(text: &str) -> Self {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("proxy.toml");
        fs::write(&file, text).unwrap();
        Self { file, _directory: directory }
    }

    /// Where it is.
    pub fn path(&self) -> &str {
        self.file.to_str().unwrap()
    }

    /// Has a part of its text changed, and the proxy read it.
    pub fn change(&self, from: &str, to: &str, proxy: &Proxy) {
        let text = fs::read_to_string(&self.file).unwrap();
        assert!(text.contains(from));
        fs::write(&self.file, text.replace(from, to)).unwrap();
        proxy.signal(Signal::HUP);
    }
}
