//! lab

pub mod certs;
pub mod venv;
