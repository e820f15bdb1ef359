//! The process's own limits: raises the number of file descriptors to what the system allows. Each session takes two.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors kept for what is neither a session nor a thread's: ZooKeeper, the admin endpoint and its connections, the
/// connections of the monitoring account, the log.
const RESERVED: u64 = 64;
/// Those of a thread that relays, beside a listener for each address: its epoll, and what wakes it.
const OF_A_THREAD: u64 = 4;

/// Raises the limit of open files to the hard limit and answers how many sessions that allows beside so many threads that
/// relay and accept. None: no limit is known.
///
/// # Errors
/// The system refused, which leaves the limit as it was.
pub fn raise_open_files(threads: usize, listeners: usize) -> std::io::Result<Option<u64>> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    let kept = RESERVED + threads as u64 * (OF_A_THREAD + listeners as u64);
    Ok(limit.maximum.map(|files| files.saturating_sub(kept) / 2))
}
