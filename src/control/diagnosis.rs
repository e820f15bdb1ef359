//! Why no session could be opened: the client library only says that no host was available, so the servers are asked
//! once more, each with one connection, and what they do is put into words. Nothing is decided by it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{CertificateError, ClientConfig, Error as TlsError};

/// How long one server that can be reached may take: a handshake in Java on a busy machine. All are asked at once; the
/// caller tries to open a session again only after this.
const LIMIT: Duration = Duration::from_secs(3);
/// How long one may take to be reached. Those that are cut off are found by this, and hold nobody up for long.
const REACH: Duration = Duration::from_secs(1);
/// ZooKeeper's question for whether it runs, which every server answers, if only that it may not.
const QUESTION: &[u8] = b"ruok";
/// A port for TLS waits for five bytes before it finds that this is none. A ZooKeeper in the clear has answered by then:
/// what follows the question could cost it the answer.
const MORE: &[u8] = b"\n";
/// How long an answer may take before more is sent.
const PATIENCE: Duration = Duration::from_millis(300);
/// How a TLS alert begins.
const ALERT: u8 = 0x15;

/// What one server does.
#[derive(Debug, PartialEq, Eq)]
enum Finding {
    /// It cannot be reached.
    Unreachable(String),
    /// It can be reached, and this speaks against a session with it.
    Wrong(String),
    /// It is a ZooKeeper server that answers.
    Answers,
}

/// What is found out of an ensemble that opens no session.
pub(super) struct Diagnosis {
    /// Why, in one line. None: it cannot be told.
    pub(super) why: Option<String>,
    /// Whether a server answers all the same.
    pub(super) answers: bool,
}

/// Why no server of `ensemble` opens a session, over TLS if `tls` says so.
pub(super) async fn diagnose(ensemble: &str, tls: Option<Arc<ClientConfig>>) -> Diagnosis {
    let probes = servers(ensemble).map(|(host, port)| {
        let tls = tls.clone();
        async move {
            let found = timeout(LIMIT, probe(host, port, tls)).await;
            let silent = || Finding::Unreachable(format!("no answer within {LIMIT:?}"));
            (format!("{host}:{port}"), found.unwrap_or_else(|_| silent()))
        }
    });
    let found = join_all(probes).await;
    let answers = found.iter().any(|(_, finding)| *finding == Finding::Answers);
    Diagnosis { why: verdict(&found), answers }
}

/// A server that can be reached says more than one that cannot.
fn verdict(found: &[(String, Finding)]) -> Option<String> {
    let wrong = found.iter().find_map(|(server, finding)| match finding {
        Finding::Wrong(why) => Some(format!("{server} {why}")),
        _ => None,
    });
    let answers = found.iter().find(|(_, finding)| *finding == Finding::Answers);
    let quorum = answers.map(|(server, _)| {
        format!("{server} answers and opens no session: has the ensemble a quorum, and this host a connection left?")
    });
    let unreachable = || {
        let each = found.iter().map(|(server, finding)| match finding {
            Finding::Unreachable(why) | Finding::Wrong(why) => format!("{server}: {why}"),
            Finding::Answers => server.clone(),
        });
        let each = each.collect::<Vec<_>>().join("; ");
        format!("{each}; is ZooKeeper running, and can this host reach it?")
    };
    wrong.or(quorum).or_else(|| (!found.is_empty()).then(unreachable))
}

/// The servers of a connect string, without the brackets of IPv6.
pub(super) fn servers(ensemble: &str) -> impl Iterator<Item = (&str, u16)> {
    let servers = ensemble.split('/').next().unwrap_or_default();
    servers.split(',').filter_map(|server| {
        let (host, port) = server.rsplit_once(':')?;
        Some((host.trim_start_matches('[').trim_end_matches(']'), port.parse().ok()?))
    })
}

async fn probe(host: &str, port: u16, tls: Option<Arc<ClientConfig>>) -> Finding {
    let stream = match timeout(REACH, TcpStream::connect((host, port))).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Finding::Unreachable(error.to_string()),
        Err(_) => return Finding::Unreachable(format!("cannot be reached within {REACH:?}")),
    };
    let Some(config) = tls else { return in_the_clear(&ask(stream).await) };
    let Ok(name) = ServerName::try_from(host.to_owned()) else {
        return Finding::Wrong("is no name for a certificate".to_owned());
    };
    match TlsConnector::from(config).connect(name, stream).await {
        // A server that wants another certificate says so after the handshake, in TLS 1.3.
        Ok(stream) => match ask(stream).await {
            Ok(_) => Finding::Answers,
            Err(error) => over_tls(&error),
        },
        Err(error) => over_tls(&error),
    }
}

/// Answers the first byte of the answer; none: the connection was closed without one.
async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<Option<u8>> {
    stream.write_all(QUESTION).await?;
    stream.flush().await?;
    let mut first = [0];
    let read = match timeout(PATIENCE, stream.read(&mut first)).await {
        Ok(read) => read?,
        Err(_) => {
            stream.write_all(MORE).await?;
            stream.flush().await?;
            stream.read(&mut first).await?
        }
    };
    Ok((read > 0).then_some(first[0]))
}

fn in_the_clear(answer: &io::Result<Option<u8>>) -> Finding {
    match answer {
        Ok(Some(ALERT)) => Finding::Wrong("speaks TLS: set zookeeper-tls = true".to_owned()),
        Ok(Some(_)) => Finding::Answers,
        Ok(None) | Err(_) => Finding::Wrong(
            "closes the connection without a word: if it is a port for TLS (secureClientPort), set zookeeper-tls = true"
                .to_owned(),
        ),
    }
}

fn over_tls(error: &io::Error) -> Finding {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>());
    Finding::Wrong(match tls {
        None | Some(TlsError::InvalidMessage(_)) => format!(
            "does not speak TLS ({error}): name ZooKeeper's secureClientPort, or set zookeeper-tls = false"
        ),
        Some(TlsError::InvalidCertificate(error)) => certificate(error),
        Some(TlsError::AlertReceived(alert)) => format!(
            "refuses the certificate of this side ({alert:?}): it wants one that its authorities have signed \
             (zookeeper-certificate-file, zookeeper-key-file)"
        ),
        Some(error) => format!("does not agree on TLS: {error}"),
    })
}

fn certificate(error: &CertificateError) -> String {
    match error {
        // Of an authority with the name of a known one and another key.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "has a certificate that no authority in zookeeper-ca-file has signed: name its authority there"
                .to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("has a certificate for another name ({error}): name the server as its certificate does")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!(
                "has a certificate that is not valid any more ({error}): renew it, or set this host's clock"
            )
        }
        error => format!("has a certificate that cannot be used: {error}"),
    }
}
