//! Opens the files that settings are read from and that settings name. Not owned here: what is in them.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

/// Opens a regular file for reading. Opening a pipe would wait until somebody writes to it, and what is read from one
/// cannot be read again: so nothing waits here, and nothing else is accepted.
///
/// # Errors
/// The system's, or it is no regular file.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let kind = file.metadata()?.file_type();
    match (kind.is_file(), kind.is_dir()) {
        (true, _) => Ok(file),
        (_, true) => Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a directory")),
        _ => Err(io::Error::other("it is no regular file, but a pipe, a socket or a device")),
    }
}
