//! Loads a daemon's settings from a file's text and flags, as the daemon does. The environment is not touched: what
//! it does is tested on the real binary.

use std::fs;

use capitana::config::load::{Daemon, DaemonArgs, Loaded, load};
use capitana::error::Error;
use clap::{Args, Command};
use tempfile::TempDir;

/// The settings of `D` with this file and these flags.
pub fn with_flags<D: Daemon>(file: &str, flags: &[&str]) -> Result<Loaded<D::Config>, Error> {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("settings.toml");
    fs::write(&path, file).unwrap();
    let config = ["capitana", "--config", path.to_str().unwrap()];
    let command = DaemonArgs::<D>::augment_args(Command::new("capitana"));
    let matches = command.try_get_matches_from(config.iter().chain(flags)).unwrap();
    load::<D>(&matches)
}
