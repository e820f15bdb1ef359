//! Who this program is to ZooKeeper, read from the files that the settings name: anew for each session, so that a new
//! password or certificate needs no restart. Which files is `config`'s.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use zookeeper_client::TlsOptions;

use super::diagnosis::servers;
use crate::config::{Secret, ZooKeeperAccess, ZooKeeperAcl, ZooKeeperTls};

/// Whose the created znodes are.
#[derive(Debug, Clone)]
pub(super) struct Creator {
    /// The digest user, for people.
    pub(super) name: Option<String>,
    /// Who may do what with them.
    pub(super) acl: ZooKeeperAcl,
}

/// What a session is opened with.
pub(super) struct Credentials {
    /// `user:password` for the digest scheme.
    pub(super) digest: Option<String>,
    /// None: in the clear.
    pub(super) tls: Option<Tls>,
}

/// TLS for the client library, and for asking why the library failed.
pub(super) struct Tls {
    pub(super) options: TlsOptions,
    pub(super) config: Arc<ClientConfig>,
}

impl Credentials {
    /// Reads what `access` names, for sessions with `ensemble`.
    ///
    /// # Errors
    /// What cannot be used, in one line.
    pub(super) fn read(access: &ZooKeeperAccess, ensemble: &str) -> Result<Self, String> {
        let digest = access.auth.as_ref().map(digest).transpose()?;
        Ok(Self { digest, tls: access.tls.as_ref().map(|tls| read_tls(tls, ensemble)).transpose()? })
    }
}

fn digest(secret: &Secret) -> Result<String, String> {
    let text =
        secret.read().map_err(|error| format!("zookeeper-auth-file: cannot read {secret}: {error}"))?;
    match text.split_once(':') {
        Some((user, password)) if !user.is_empty() && !password.is_empty() && !text.contains('\n') => {
            Ok(text)
        }
        _ => Err(format!("zookeeper-auth-file: {secret} does not hold user:password in one line")),
    }
}

fn read_tls(tls: &ZooKeeperTls, ensemble: &str) -> Result<Tls, String> {
    // The library takes the process's provider, and panics where none is installed and several are built in. That
    // there is one already is as good.
    let _ = aws_lc_rs::default_provider().install_default();
    if let Some((host, _)) = servers(ensemble).find(|(host, _)| ServerName::try_from(*host).is_err()) {
        return Err(format!(
            "zookeeper: no certificate can be valid for {host}: name an IP address or a DNS name"
        ));
    }
    let authorities = authorities(tls.ca_file.as_deref())?;
    let mut roots = RootCertStore::empty();
    let (valid, _) = roots.add_parsable_certificates(certificates("zookeeper-ca-file", &authorities)?);
    if valid == 0 {
        return Err("zookeeper-ca-file: it holds no certificate (PEM) that can be used".to_owned());
    }
    let options = TlsOptions::new().with_pem_ca(&authorities).map_err(|error| error.to_string())?;
    let builder = ClientConfig::builder().with_root_certificates(roots);
    let Some((certificate, key)) = &tls.identity else {
        return Ok(Tls { options, config: Arc::new(builder.with_no_client_auth()) });
    };
    let (certificate, key) =
        (text("zookeeper-certificate-file", certificate)?, text("zookeeper-key-file", key)?);
    let chain = certificates("zookeeper-certificate-file", &certificate)?;
    let private = PrivateKeyDer::from_pem_slice(key.as_bytes())
        .map_err(|error| format!("zookeeper-key-file: no private key (PEM): {error}"))?;
    let config = builder.with_client_auth_cert(chain, private).map_err(|error| {
        format!(
            "zookeeper-certificate-file, zookeeper-key-file: certificate and key do not go together: {error}"
        )
    })?;
    let options = options.with_pem_identity(&certificate, &key).map_err(|error| error.to_string())?;
    Ok(Tls { options, config: Arc::new(config) })
}

/// Those whom the settings name, or those whom this system trusts.
fn authorities(named: Option<&Path>) -> Result<String, String> {
    if let Some(path) = named {
        return text("zookeeper-ca-file", path);
    }
    match openssl_probe::probe().cert_file {
        Some(path) => text("zookeeper-ca-file", &path),
        None => Err(
            "zookeeper-ca-file: missing, and this system has no list of authorities: name one, or install \
                     ca-certificates"
                .to_owned(),
        ),
    }
}

fn certificates(setting: &str, pem: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match read {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(format!("{setting}: it holds no certificate (PEM)")),
        Err(error) => Err(format!("{setting}: not PEM: {error}")),
    }
}

fn text(setting: &str, path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{setting}: cannot read {}: {error}", path.display()))
}
