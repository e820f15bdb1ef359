//! Who this program is to ZooKeeper, from the settings of every command that reads the election: which files, and do they
//! fit together? What is in them is read where it is used.

use std::path::PathBuf;

use super::password;
use super::settings::ElectionSettings;
use super::source::Source;
use super::{ZooKeeperAccess, ZooKeeperTls};
use crate::error::Error;

/// Checks the files that the settings name.
///
/// # Errors
/// A file that cannot be read, or settings that make sense only together.
pub fn zookeeper_access(
    election: &ElectionSettings,
    source: &Source<'_>,
    warnings: &mut Vec<String>,
) -> Result<ZooKeeperAccess, Error> {
    let named = election.zookeeper_auth_file.as_ref();
    let auth = password::secret("zookeeper_auth_file", named, source, warnings)?;
    Ok(ZooKeeperAccess { auth, tls: tls(election, source, warnings)? })
}

fn tls(
    election: &ElectionSettings,
    source: &Source<'_>,
    warnings: &mut Vec<String>,
) -> Result<Option<ZooKeeperTls>, Error> {
    let (ca, certificate) = (&election.zookeeper_ca_file, &election.zookeeper_certificate_file);
    let key = &election.zookeeper_key_file;
    if !election.zookeeper_tls {
        return only_with_tls(
            &[
                ("zookeeper_ca_file", ca),
                ("zookeeper_certificate_file", certificate),
                ("zookeeper_key_file", key),
            ],
            source,
        )
        .map(|()| None);
    }
    let ca_file = password::readable("zookeeper_ca_file", ca.as_ref(), source)?;
    let certificate = password::readable("zookeeper_certificate_file", certificate.as_ref(), source)?;
    let key = password::secret_file("zookeeper_key_file", key.as_ref(), source, warnings)?;
    let identity = match (certificate, key) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        (Some(_), None) => {
            return Err(source.error("zookeeper_key_file", "missing: a certificate needs its key"));
        }
        (None, Some(_)) => {
            return Err(source.error("zookeeper_certificate_file", "missing: a key needs its certificate"));
        }
    };
    Ok(Some(ZooKeeperTls { ca_file, identity }))
}

fn only_with_tls(files: &[(&'static str, &Option<PathBuf>)], source: &Source<'_>) -> Result<(), Error> {
    match files.iter().find(|(_, file)| file.is_some()) {
        Some((id, _)) => Err(source.error(id, "it is for TLS only: set zookeeper-tls = true as well")),
        None => Ok(()),
    }
}
