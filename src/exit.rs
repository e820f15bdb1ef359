//! The exit codes of the `capitana` command: those of BSD's `sysexits.h`, and what each is used for here; and two below
//! them for what the doctor finds.
//! Which error has which code is said in `error/blame.rs`.

/// Everything went well (`EX_OK`).
pub const OK: u8 = 0;

/// `capitana doctor` found something that makes a fault cost more than it has to. As with plugins of monitoring
/// systems, 1 is a warning and 2 is critical.
pub const WARNING: u8 = 1;

/// `capitana doctor` found something dangerous.
pub const DANGER: u8 = 2;

/// The command line is wrong: an unknown flag, a missing argument, a value that cannot be read (`EX_USAGE`).
pub const USAGE: u8 = 64;

/// A file holds what cannot be used: a template with a mistake (`EX_DATAERR`).
pub const DATA_ERROR: u8 = 65;

/// A file that was named does not exist or cannot be read (`EX_NOINPUT`).
pub const NO_INPUT: u8 = 66;

/// A service or a resource is not available: ZooKeeper does not answer, an address is in use (`EX_UNAVAILABLE`).
pub const UNAVAILABLE: u8 = 69;

/// A mistake in capitana itself (`EX_SOFTWARE`).
pub const INTERNAL: u8 = 70;

/// The operating system refused something ordinary: a thread, a runtime, a socket (`EX_OSERR`).
pub const OS_ERROR: u8 = 71;

/// Writing the output failed (`EX_IOERR`).
pub const IO_ERROR: u8 = 74;

/// Nothing is wrong, but there is no answer now: the election has no member. Try again (`EX_TEMPFAIL`).
pub const TRY_AGAIN: u8 = 75;

/// A permission is missing that is not about a file: a port below 1024 (`EX_NOPERM`).
pub const NO_PERMISSION: u8 = 77;

/// A setting in a file or in the environment is wrong or missing (`EX_CONFIG`).
pub const CONFIG: u8 = 78;
