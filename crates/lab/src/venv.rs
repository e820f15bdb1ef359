//! The Python clients of the scenarios: a virtual environment with the packages of `python/requirements.txt`, made once
//! for a user and shared by every run.
//!
//! Does not run the clients, and does not install Python itself: `scripts/install` does.

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use rustix::fs::FlockOperation;
use tokio::process::Command;

use crate::progress::Progress;

const REQUIREMENTS: &str = include_str!("../python/requirements.txt");

/// The Python of the distribution: the one whose headers `python3-dev` installs.
const SYSTEM_PYTHON: &str = "/usr/bin/python3";

/// The interpreter of the shared virtual environment, which is made first if there is none yet.
///
/// # Errors
/// Python or one of its packages cannot be installed; the message holds the cause and the remedy.
pub async fn python(progress: &Progress) -> Result<PathBuf> {
    python_in(&cache_directory(), progress).await
}

/// As [`python`], with the virtual environments kept in `cache`.
///
/// # Errors
/// As [`python`].
pub async fn python_in(cache: &Path, progress: &Progress) -> Result<PathBuf> {
    std::fs::create_dir_all(cache).with_context(|| format!("{} cannot be made", cache.display()))?;
    let key = key(REQUIREMENTS, &output(Command::new(SYSTEM_PYTHON).arg("--version")).await?);
    let environment = cache.join(format!("python-{key}"));
    let interpreter = environment.join("bin/python");
    if !interpreter.exists() {
        let _makers_wait_here = lock(&cache.join(format!("python-{key}.lock"))).await?;
        if !interpreter.exists() {
            progress
                .say(format_args!("making a virtual environment for Python in {}", environment.display()));
            make(&environment).await?;
        }
    }
    Ok(interpreter)
}

/// A directory with this name exists only complete: it is made under another one and renamed. (The interpreter finds
/// its packages from where it is; only the scripts of pip do not survive the move, and nobody runs those.)
async fn make(environment: &Path) -> Result<()> {
    let partial = environment.with_extension("partial");
    if partial.exists() {
        std::fs::remove_dir_all(&partial)?;
    }
    output(Command::new(SYSTEM_PYTHON).args(["-m", "venv"]).arg(&partial)).await?;
    let requirements = partial.join("requirements.txt");
    std::fs::write(&requirements, REQUIREMENTS)?;
    let pip =
        ["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--requirement"];
    output(Command::new(partial.join("bin/python")).args(pip).arg(&requirements)).await?;
    std::fs::rename(&partial, environment)
        .with_context(|| format!("{} cannot be renamed to {}", partial.display(), environment.display()))
}

/// Puts `scripts` (name and text) into the lab's directory for them, and says which that is.
///
/// # Errors
/// A file cannot be written.
pub fn install_scripts(lab: &Path, scripts: &[(&str, &str)]) -> Result<PathBuf> {
    let directory = lab.join("python");
    std::fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
    for (name, text) in scripts {
        let path = directory.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(directory)
}

async fn output(command: &mut Command) -> Result<String> {
    const REMEDY: &str = "`scripts/install test` installs what Python needs (python3-venv python3-dev libmariadb-dev \
        pkg-config gcc); pip takes its packages from PyPI, or from where PIP_INDEX_URL points";
    let shown = format!("{:?}", command.as_std());
    let done = command.stdin(Stdio::null()).kill_on_drop(true).output().await;
    let done = done.with_context(|| format!("{shown} cannot be run; {REMEDY}"))?;
    let stdout = String::from_utf8_lossy(&done.stdout);
    if !done.status.success() {
        let said = format!("{stdout}{}", String::from_utf8_lossy(&done.stderr));
        bail!("{shown} failed ({}); {REMEDY}. It said:\n{}", done.status, last_lines(&said, 15));
    }
    Ok(stdout.into_owned())
}

/// Held until the file is dropped; the kernel drops it for a process that dies.
async fn lock(path: &Path) -> Result<File> {
    let path = path.to_owned();
    tokio::task::spawn_blocking(move || {
        let file = File::create(&path).with_context(|| format!("{} cannot be made", path.display()))?;
        rustix::fs::flock(&file, FlockOperation::LockExclusive)
            .with_context(|| format!("{} cannot be locked", path.display()))?;
        Ok(file)
    })
    .await?
}

/// Another set of packages, or another Python, is another environment.
fn key(requirements: &str, python: &str) -> String {
    let mut hasher = DefaultHasher::new();
    (requirements, python).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// Where the XDG base directory specification puts what can be made again.
fn cache_directory() -> PathBuf {
    let from =
        |variable: &str| std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    from("XDG_CACHE_HOME")
        .or_else(|| from("HOME").map(|home| home.join(".cache")))
        .unwrap_or_else(std::env::temp_dir)
        .join("capitana-lab")
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_requirements_are_another_environment() {
        assert_ne!(key("kazoo==2.11.0", "Python 3.11.2"), key("kazoo==2.10.0", "Python 3.11.2"));
        assert_ne!(key("kazoo==2.11.0", "Python 3.11.2"), key("kazoo==2.11.0", "Python 3.13.1"));
    }

    #[tokio::test]
    async fn a_command_that_fails_is_named_with_what_it_said_and_the_remedy() {
        let error =
            output(Command::new("sh").args(["-c", "echo no such package >&2; exit 3"])).await.unwrap_err();
        let error = error.to_string();
        assert!(error.contains("no such package") && error.contains("scripts/install"), "{error}");
    }

    #[tokio::test]
    async fn makers_side_by_side_share_one_environment() {
        let cache = tempfile::tempdir().unwrap();
        let said = tempfile::NamedTempFile::new().unwrap();
        let progress = Progress::to(said.reopen().unwrap());
        let (one, other) =
            tokio::join!(python_in(cache.path(), &progress), python_in(cache.path(), &progress));
        assert_eq!(one.unwrap(), other.unwrap());
        let said = std::fs::read_to_string(said.path()).unwrap();
        assert_eq!(said.matches("making").count(), 1, "{said}");
    }
}
