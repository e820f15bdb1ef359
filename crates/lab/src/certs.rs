//! Certificates that live as long as a lab: a certificate authority of its own, and certificates of a server and of a
//! client signed by it.
//!
//! Does not configure servers or clients with them: it writes the files and says where they are.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

/// An authority and the server certificate it signed. The files are PEM.
#[derive(Debug)]
pub struct Certificates {
    /// The certificate of the authority, which a client is told to trust.
    pub authority: PathBuf,
    /// The server's certificate.
    pub server: PathBuf,
    /// The server's private key (ECDSA P-256, PKCS#8).
    pub server_key: PathBuf,
    signer: Authority,
}

impl Certificates {
    /// Makes an authority and a server certificate valid for `names` (host names and IP addresses) in `directory`.
    ///
    /// # Errors
    /// A name that a certificate cannot hold, or a file that cannot be written.
    pub fn create(directory: &Path, names: &[String]) -> Result<Self> {
        std::fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
        let certificates = Self {
            authority: directory.join("authority.pem"),
            server: directory.join("server.pem"),
            server_key: directory.join("server-key.pem"),
            signer: Authority::generate()?,
        };
        write(&certificates.authority, &certificates.signer.certificate)?;
        certificates.renew(names)?;
        Ok(certificates)
    }

    /// Replaces the server's certificate and key by ones for other names.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn renew(&self, names: &[String]) -> Result<()> {
        let (server, server_key) =
            self.signer.sign(names, "capitana lab server", ExtendedKeyUsagePurpose::ServerAuth)?;
        write(&self.server, &server)?;
        write(&self.server_key, &server_key)
    }

    /// Writes a certificate with which a client can show who it is, and its key. Returns where they are.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn client(&self) -> Result<(PathBuf, PathBuf)> {
        let (certificate, key) =
            (self.server.with_file_name("client.pem"), self.server.with_file_name("client-key.pem"));
        let (pem, key_pem) =
            self.signer.sign(&[], "capitana lab client", ExtendedKeyUsagePurpose::ClientAuth)?;
        write(&certificate, &pem)?;
        write(&key, &key_pem)?;
        Ok((certificate, key))
    }

    /// The options of mariadbd that make it offer this certificate: name and value.
    pub fn server_options(&self) -> [(&'static str, &Path); 3] {
        [("ssl_ca", &self.authority), ("ssl_cert", &self.server), ("ssl_key", &self.server_key)]
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn generate() -> Result<Self> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, "capitana lab authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key)?.pem();
        Ok(Self { certificate, issuer: Issuer::new(params, key) })
    }

    /// The certificate and its private key, as PEM.
    fn sign(
        &self,
        names: &[String],
        name: &str,
        purpose: ExtendedKeyUsagePurpose,
    ) -> Result<(String, String)> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(names.to_vec())
            .with_context(|| format!("not all of these can stand in a certificate: {}", names.join(", ")))?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![purpose];
        params.use_authority_key_identifier_extension = true;
        Ok((params.signed_by(&key, &self.issuer)?.pem(), key.serialize_pem()))
    }
}

fn write(path: &Path, pem: &str) -> Result<()> {
    std::fs::write(path, pem).with_context(|| format!("cannot write {}", path.display()))
}
