//! Where what was made goes: to standard output, or into a file that is replaced as a whole. Whoever reads the file at any
//! moment, also after a crash, finds the old content or the new.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use crate::error::Error;

/// Of a file that was not there before: for everybody to read, less what the process's mask takes away.
const NEW_MODE: u32 = 0o644;

/// Where it goes.
#[derive(Debug, Clone)]
pub(super) struct Target(Option<PathBuf>);

impl Target {
    /// The file at `path`; none: standard output.
    pub(super) fn new(path: Option<PathBuf>) -> Self {
        Self(path)
    }

    /// The file, if it is one.
    pub(super) fn path(&self) -> Option<&Path> {
        self.0.as_deref()
    }

    /// Puts `content` there. Answers whether that has changed anything; what is printed always has.
    ///
    /// # Errors
    /// It cannot be written; a file that was there stays as it was.
    pub(super) fn put(&self, content: &str, out: &mut dyn Write) -> Result<bool, Error> {
        match &self.0 {
            None => out
                .write_all(content.as_bytes())
                .and_then(|()| out.flush())
                .map(|()| true)
                .map_err(Error::Output),
            Some(path) => replace(path, content.as_bytes())
                .map_err(|source| Error::WriteFile { path: path.clone(), source }),
        }
    }
}

fn replace(named: &Path, content: &[u8]) -> io::Result<bool> {
    // A link stays one, and what it leads to is replaced.
    let path = fs::canonicalize(named).unwrap_or_else(|_| named.to_owned());
    let before = match fs::read(&path) {
        Ok(there) if there == content => return Ok(false),
        Ok(_) => Some(fs::metadata(&path)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?.to_string_lossy();
    let beside = directory.join(format!(".{name}.capitana"));
    let written = write(&beside, content, before.as_ref()).and_then(|()| fs::rename(&beside, &path));
    if let Err(error) = written {
        // What is left is in nobody's way, and goes with the next attempt.
        let _ = fs::remove_file(&beside);
        return Err(error);
    }
    File::open(directory)?.sync_all()?;
    Ok(true)
}

/// A file of its own, never somebody else's that a link leads to, with the mode and the owner of the one it replaces.
fn write(path: &Path, content: &[u8], before: Option<&fs::Metadata>) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(NEW_MODE).open(path)?;
    if let Some(before) = before {
        let now = file.metadata()?;
        if (now.uid(), now.gid()) != (before.uid(), before.gid()) {
            // Only root gives files away; for others a file that is theirs is as good as they can have it.
            let _ = fchown(&file, Some(before.uid()), Some(before.gid()));
        }
        file.set_permissions(Permissions::from_mode(before.mode() & 0o7777))?;
    }
    file.write_all(content)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    fn put(path: &Path, content: &str) -> Result<bool, Error> {
        Target::new(Some(path.to_owned())).put(content, &mut Vec::new())
    }

    #[test]
    fn a_file_is_made_and_replaced_and_left_alone_where_it_says_that_already() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("list");
        assert!(put(&path, "one").unwrap());
        assert!(!put(&path, "one").unwrap());
        assert!(put(&path, "two").unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn mode_and_link_stay() {
        let directory = TempDir::new().unwrap();
        let (path, link) = (directory.path().join("list"), directory.path().join("link"));
        put(&path, "one").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        symlink(&path, &link).unwrap();
        assert!(put(&link, "two").unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[test]
    fn what_somebody_has_put_in_the_way_is_not_written_through() {
        let directory = TempDir::new().unwrap();
        let (path, victim) = (directory.path().join("list"), directory.path().join("victim"));
        fs::write(&victim, "mine").unwrap();
        symlink(&victim, directory.path().join(".list.capitana")).unwrap();
        put(&path, "one").unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "mine");
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named() {
        let said = put(Path::new("/nowhere/list"), "one").unwrap_err().to_string();
        assert!(said.starts_with("cannot write /nowhere/list: "), "{said}");
    }
}
