//! Secrets, and the files that settings name: is a secret in a file or in the environment? Can the file be read, and by
//! whom else? What is in a file is read where it is used, so that a new password needs no restart.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::{env, fmt};

use super::file;
use super::source::{Source, variable};
use crate::error::{Error, Origin};

/// Permission bits of everybody who is neither the owner nor in the group.
const OTHERS_READ: u32 = 0o004;

/// A password, or what is like one. It shows its place in place of itself, wherever it is printed.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// In this file; the line end that an editor leaves is not part of it.
    File(PathBuf),
    /// In an environment variable.
    Environment {
        /// The variable's name.
        variable: String,
        /// The secret.
        value: String,
    },
}

impl Secret {
    /// The secret as it is now.
    ///
    /// # Errors
    /// The file cannot be read, or is not UTF-8.
    pub fn read(&self) -> io::Result<String> {
        match self {
            Self::File(path) => Ok(fs::read_to_string(path)?.trim_end_matches(['\r', '\n']).to_owned()),
            Self::Environment { value, .. } => Ok(value.clone()),
        }
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Environment { variable, .. } => write!(f, "environment variable {variable}"),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({self})")
    }
}

/// The settings whose secret may stand in the environment instead of a file, and there has the name of the setting's
/// own variable without `_FILE`.
const IN_ENVIRONMENT: [&str; 3] = ["zookeeper_auth_file", "password_file", "monitor_password_file"];

/// The environment variables that hold a secret themselves.
pub(super) fn variables() -> impl Iterator<Item = String> {
    IN_ENVIRONMENT.into_iter().map(in_environment)
}

fn in_environment(id: &str) -> String {
    variable(id.strip_suffix("_file").unwrap_or(id))
}

/// The secret of the setting `id`: in the file it names, or in the environment. An empty variable is none.
pub(super) fn secret(
    id: &'static str,
    named: Option<&PathBuf>,
    source: &Source<'_>,
    warnings: &mut Vec<String>,
) -> Result<Option<Secret>, Error> {
    let file = secret_file(id, named, source, warnings)?;
    let variable = in_environment(id);
    let unusable = |problem| Error::Setting { origin: Origin::Environment(variable.clone()), problem };
    let value = match env::var(&variable) {
        Ok(value) => Some(value).filter(|value| !value.is_empty()),
        Err(env::VarError::NotPresent) => None,
        Err(env::VarError::NotUnicode(_)) => return Err(unusable("it is not UTF-8".to_owned())),
    };
    match (file, value) {
        (Some(_), Some(_)) => {
            let origin = source.origin(id);
            Err(unusable(format!("{origin} names a file for the same secret: keep one of the two")))
        }
        (Some(file), None) => Ok(Some(Secret::File(file))),
        (None, value) => Ok(value.map(|value| Secret::Environment { variable, value })),
    }
}

/// The secret file that the setting `id` names: one that everybody can read is worth a warning.
pub(super) fn secret_file(
    id: &'static str,
    named: Option<&PathBuf>,
    source: &Source<'_>,
    warnings: &mut Vec<String>,
) -> Result<Option<PathBuf>, Error> {
    let file = readable(id, named, source)?;
    let metadata = file.as_ref().and_then(|path| fs::metadata(path).ok());
    if let (Some(path), Some(metadata)) = (&file, metadata)
        && metadata.permissions().mode() & OTHERS_READ != 0
    {
        let (origin, path) = (source.origin(id), path.display());
        warnings.push(format!("{origin}: everybody on this host can read {path}: chmod o-r {path}"));
    }
    Ok(file)
}

/// The file that the setting `id` names, counted from the settings file's directory if it is relative and named there.
pub(super) fn readable(
    id: &'static str,
    named: Option<&PathBuf>,
    source: &Source<'_>,
) -> Result<Option<PathBuf>, Error> {
    let Some(named) = named else {
        return Ok(None);
    };
    let path = source.directory(id).unwrap_or(Path::new("")).join(named);
    let unreadable =
        |cause: String| Error::ReadNamed { origin: source.origin(id), path: path.clone(), cause };
    match file::open(&path) {
        Ok(_) => Ok(Some(path)),
        Err(error) => Err(unreadable(error.to_string())),
    }
}
