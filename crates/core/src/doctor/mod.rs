//! What `capitana doctor` judges: facts about an ensemble, a server, an account, a host and settings come in, findings
//! come out. How the facts are gathered is in `src/doctor`, how findings are printed in `src/cli`.

mod finding;

pub mod account;
pub mod acl;
pub mod bugs;
pub mod ensemble;
pub mod galera;
pub mod host;
pub mod members;
pub mod reach;
pub mod server;
pub mod settings;
pub mod units;
pub mod words;

pub use finding::{Finding, Kind, Severity, worst};

/// Every kind of finding there is, by code.
#[must_use]
pub fn kinds() -> Vec<Kind> {
    let modules = [
        reach::KINDS,
        ensemble::KINDS,
        acl::KINDS,
        members::KINDS,
        server::KINDS,
        galera::KINDS,
        account::KINDS,
        bugs::KINDS,
        host::KINDS,
        settings::KINDS,
    ];
    let mut kinds: Vec<Kind> = modules.concat();
    kinds.sort_by_key(|kind| kind.code);
    kinds
}
