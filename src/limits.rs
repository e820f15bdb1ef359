//! The process's own limits: raises the number of file descriptors to what the system allows. Each session takes two.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors kept for everything that is not a session: listeners, ZooKeeper, the admin endpoint, the log.
const RESERVED: u64 = 64;

/// Raises the limit of open files to the hard limit and answers how many sessions that allows. None: no limit is known.
///
/// # Errors
/// The system refused, which leaves the limit as it was.
pub fn raise_open_files() -> std::io::Result<Option<u64>> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    Ok(limit.maximum.map(|files| files.saturating_sub(RESERVED) / 2))
}
