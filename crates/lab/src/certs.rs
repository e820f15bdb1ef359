//! Certificates that live as long as a lab: a certificate authority of its own and a server certificate signed by it.
//!
//! Does not configure servers or clients with them: it writes the files and says where they are.

use std::path::{Path, PathBuf};

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

/// Where the files of one authority and the server certificate it signed are, all of them PEM.
#[derive(Debug, Clone)]
pub struct Certificates {
    /// The certificate of the authority, which a client is told to trust.
    pub authority: PathBuf,
    /// The server's certificate.
    pub server: PathBuf,
    /// The server's private key (ECDSA P-256, PKCS#8).
    pub server_key: PathBuf,
}

impl Certificates {
    /// Makes an authority and a server certificate valid for `names` (host names and IP addresses) in `directory`.
    ///
    /// # Errors
    ///
    /// A name that a certificate cannot hold, or a file that cannot be written.
    pub fn create(directory: &Path, names: &[String]) -> anyhow::Result<Self> {
        let paths = Self {
            authority: directory.join("authority.pem"),
            server: directory.join("server.pem"),
            server_key: directory.join("server-key.pem"),
        };
        std::fs::create_dir_all(directory)
            .with_context(|| format!("{} cannot be made", directory.display()))?;
        let authority = Authority::generate()?;
        let (server, server_key) = authority.sign_server(names)?;
        write(&paths.authority, &authority.certificate)?;
        write(&paths.server, &server)?;
        write(&paths.server_key, &server_key)?;
        Ok(paths)
    }

    /// The options of `mariadbd` that make it offer this certificate.
    pub fn server_options(&self) -> Vec<String> {
        vec![
            format!("--ssl-ca={}", self.authority.display()),
            format!("--ssl-cert={}", self.server.display()),
            format!("--ssl-key={}", self.server_key.display()),
        ]
    }
}

struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn generate() -> anyhow::Result<Self> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params
            .distinguished_name
            .push(DnType::CommonName, "capitana lab authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key)?.pem();
        Ok(Self {
            certificate,
            issuer: Issuer::new(params, key),
        })
    }

    /// The certificate and its private key, as PEM.
    fn sign_server(&self, names: &[String]) -> anyhow::Result<(String, String)> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(names.to_vec()).with_context(|| {
            format!(
                "not all of these can stand in a certificate: {}",
                names.join(", ")
            )
        })?;
        params
            .distinguished_name
            .push(DnType::CommonName, "capitana lab server");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        Ok((params.signed_by(&key, &self.issuer)?.pem(), key.serialize_pem()))
    }
}

fn write(path: &Path, pem: &str) -> anyhow::Result<()> {
    std::fs::write(path, pem).with_context(|| format!("{} cannot be written", path.display()))
}
