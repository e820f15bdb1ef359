//! Owns the ways in which a client's handshake breaks off.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::super::raw::{Raw, login, packet, tls_request};

/// The beginning of a TLS client's first message: 50 of the 512 bytes that it announces.
const HALF_A_HELLO: [u8; 9] = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc];

/// Where a client stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Connected,
    ConnectedAndReset,
    Greeted,
    GreetedAndReset,
    HalfALogin,
    NoMysql,
    AMalformedLogin,
    ALoginOutOfOrder,
    ALogin,
    ALoginAndReset,
    AskedByAPlugin,
    HalfAnAnswer,
    AWrongPassword,
    ARequestForTls,
    HalfATlsHello,
    ATlsHandshake,
    ATlsHandshakeAndReset,
    DistrustsTheServer,
}

/// Those at which many clients stop at once.
pub(super) const ALL: [Stage; 17] = [
    Stage::Connected,
    Stage::ConnectedAndReset,
    Stage::Greeted,
    Stage::GreetedAndReset,
    Stage::HalfALogin,
    Stage::NoMysql,
    Stage::AMalformedLogin,
    Stage::ALoginOutOfOrder,
    Stage::ALogin,
    Stage::ALoginAndReset,
    Stage::AskedByAPlugin,
    Stage::HalfAnAnswer,
    Stage::AWrongPassword,
    Stage::ARequestForTls,
    Stage::HalfATlsHello,
    Stage::ATlsHandshake,
    Stage::ATlsHandshakeAndReset,
];

impl Stage {
    /// Comes, gets this far and vanishes. What it meets on the way does not matter to it.
    pub(super) async fn act(self, proxy: SocketAddr, tls: &Tls) {
        let _ = self.try_act(proxy, tls).await;
    }

    async fn try_act(self, proxy: SocketAddr, tls: &Tls) -> io::Result<()> {
        let mut client = Raw::connect(SocketAddr::from(([127, 0, 0, 1], 0)), proxy).await?;
        match self {
            Self::Connected => return Ok(()),
            Self::ConnectedAndReset => return client.reset(),
            _ => drop(client.packet().await?),
        }
        let half_asked = login("root", "client_ed25519");
        match self {
            Self::Connected | Self::ConnectedAndReset | Self::Greeted => Ok(()),
            Self::GreetedAndReset => client.reset(),
            Self::HalfALogin => client.send(&half_asked[..20]).await,
            Self::NoMysql => client.send(b"GET / HTTP/1.1\r\n\r\n").await,
            Self::AMalformedLogin => client.send(&packet(1, b"what is this")).await,
            Self::ALoginOutOfOrder => client.send(&packet(7, &half_asked[4..])).await,
            Self::ALogin => client.send(&half_asked).await,
            Self::ALoginAndReset => {
                client.send(&half_asked).await?;
                client.reset()
            }
            Self::AskedByAPlugin => {
                client.send(&login("app", "client_ed25519")).await?;
                client.packet().await.map(drop)
            }
            Self::HalfAnAnswer => {
                client.send(&login("app", "client_ed25519")).await?;
                client.packet().await?;
                client.send(&packet(3, &[7; 20])[..9]).await
            }
            Self::AWrongPassword => {
                client.send(&login("app", "mysql_native_password")).await?;
                client.packet().await.map(drop)
            }
            Self::ARequestForTls => client.send(&tls_request()).await,
            Self::HalfATlsHello => client.send(&[&tls_request()[..], &HALF_A_HELLO].concat()).await,
            Self::ATlsHandshake => tls.shake_hands(client, true).await.map(drop),
            Self::ATlsHandshakeAndReset => tls.shake_hands(client, true).await?.reset(),
            Self::DistrustsTheServer => tls.shake_hands(client, false).await.map(drop),
        }
    }
}

/// What clients need for TLS.
#[derive(Clone)]
pub(super) struct Tls {
    trusting: TlsConnector,
    distrustful: TlsConnector,
    server: ServerName<'static>,
}

impl Tls {
    /// For clients of the server at this address, whose certificate is signed by `authority`.
    ///
    /// # Errors
    /// The certificate cannot be read.
    pub(super) fn new(authority: &Path, server: IpAddr) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        let certificate =
            CertificateDer::from_pem_file(authority).context("no certificate of the authority")?;
        roots.add(certificate)?;
        Ok(Self {
            trusting: connector(roots)?,
            distrustful: connector(RootCertStore::empty())?,
            server: ServerName::from(server),
        })
    }

    /// Asks for TLS and comes through its handshake, or not.
    async fn shake_hands(&self, mut client: Raw, trusts: bool) -> io::Result<Raw> {
        client.send(&tls_request()).await?;
        let connector = if trusts { &self.trusting } else { &self.distrustful };
        let stream = connector.connect(self.server.clone(), client.0).await?;
        Ok(Raw(stream.into_inner().0))
    }
}

fn connector(roots: RootCertStore) -> Result<TlsConnector> {
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
