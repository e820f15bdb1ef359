//! The files that settings name, such as one that holds a password: can it be read, and by whom else? What is in it is
//! read where it is used.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::source::Source;
use crate::error::Error;

/// Permission bits of everybody who is neither the owner nor in the group.
const OTHERS_READ: u32 = 0o004;

/// The secret file that the setting `id` names: one that everybody can read is worth a warning.
pub(super) fn secret(
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
    File::open(&path).map_err(|error| unreadable(error.to_string()))?;
    let metadata = fs::metadata(&path).map_err(|error| unreadable(error.to_string()))?;
    if metadata.is_dir() {
        return Err(unreadable("it is a directory".to_owned()));
    }
    Ok(Some(path))
}
