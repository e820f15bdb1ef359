//! What the tests of the proxy have in common: the real proxy as a process, servers and clients that speak as much
//! MySQL as a proxy sees, and what the kernel says of sockets and processes.

#![allow(dead_code, unused_imports, reason = "each test file uses a part of this")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic, in its helpers too")]
#![allow(clippy::print_stdout, reason = "the output of a test is shown where it fails")]

#[path = "../address.rs"]
mod address;
mod client;
mod daemon;
mod http;
mod kernel;
mod mysql;
mod pair;
mod random;
mod settings_file;
mod stub;
mod wait;

pub use address::{NOBODY, free_address, free_port};
pub use client::{Client, connect};
pub use daemon::{Proxy, Start};
pub use http::{Answer, ask, get, labels, metric};
pub use kernel::{descriptors, half_closed, resident, time_waits_to};
pub use mysql::{error_of, greeting, login, ok, packet, read_packet};
pub use pair::{handing_over, nothing_is_left, pair, read_all};
pub use random::{Random, digest, seed};
pub use settings_file::SettingsFile;
pub use stub::{Stub, accept_login};
pub use wait::{DEADLINE, pause, until};
