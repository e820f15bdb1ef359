//! The pure decisions of capitana. Nothing here does IO, reads a clock or knows of a runtime: time and events
//! are passed in, decisions are returned.

mod address;

pub use address::{AllowList, AllowRule, HostPort, HostPortError};
