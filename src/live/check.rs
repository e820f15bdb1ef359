//! Whether settings could stand in ZooKeeper: what a daemon looks at before it uses them, for those who write them. The
//! daemon's own file, flags and environment are not known here, so that it may still refuse what does not go with them.

use clap::{Args, Command};

use crate::config::document::{Document, Place};
use crate::config::keys::{Kind, check_live};
use crate::config::load::{Daemon, DaemonArgs, put_together};
use crate::config::settings::{AgentSettings, ProxySettings};
use crate::config::source::Documents;
use crate::error::Error;

/// Checks settings of the daemons of this kind. `place` is what errors name.
///
/// # Errors
/// The first thing that is wrong, with its line.
pub fn check(kind: Kind, place: Place, text: &[u8]) -> Result<Document, Error> {
    let document = super::parse(place, text)?;
    check_live(&document, kind)?;
    match kind {
        Kind::Proxy => alone::<ProxySettings>(document),
        Kind::Agent => alone::<AgentSettings>(document),
        Kind::Worker => Err(Error::Usage(
            "capitana: a worker reads no settings in ZooKeeper: they are the proxy's or the agent's"
                .to_owned(),
        )),
    }
}

/// Puts it together with defaults, and a ZooKeeper that is not asked. The environment is this shell's and not the
/// daemon's.
fn alone<D: Daemon>(document: Document) -> Result<Document, Error> {
    let command = DaemonArgs::<D>::augment_args(Command::new("capitana"));
    let command = command.mut_args(|arg| arg.env(None::<&'static str>));
    let matches = command.try_get_matches_from(["capitana", "--zookeeper", "localhost"]);
    let matches = matches.map_err(|error| Error::Internal(error.to_string()))?;
    let documents = Documents { zookeeper: Some(document), file: None };
    put_together::<D>(&matches, &documents, None)?;
    documents.zookeeper.ok_or_else(|| Error::Internal("a document has gone".to_owned()))
}
