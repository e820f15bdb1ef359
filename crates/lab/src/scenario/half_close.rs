//! Scenario `half-close`: each side ends its direction first while bytes still come the other way. Every byte arrives, and
//! the proxy keeps no half-closed connection.
//!
//! A server that ends its direction does so in the midst of a packet of the client's: one that has a whole command to
//! answer, and ends instead, has gone, and the client is told so.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use futures_util::stream::{self, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::data_path::{Fixed, Pairs, kernel};
use super::{Scenario, in_lab};
use crate::bank::quick;
use crate::lab::Lab;
use crate::progress::Progress;
use crate::report::Report;
use crate::wait::wait_until;

/// Sessions that each side ends first.
const SESSIONS: usize = 1_000;
const SESSIONS_QUICKLY: usize = 100;
const AT_ONCE: usize = 16;
/// Bytes in each direction, at most.
const MOST: usize = 256 * 1024;
/// The proxy closes a session 5 s after its server has ended at the latest; a busy machine may take longer.
const GRACE: Duration = Duration::from_secs(10);
/// How long the bytes of one session may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// A packet of 16 MB begins, of which the rest does not come at once.
const HEADER: [u8; 4] = [0xff, 0xff, 0xff, 0];

pub(super) const SCENARIO: Scenario = Scenario {
    name: "half-close",
    about: "each side ends its direction first while bytes come the other way, 1,000 times: all arrive, nothing is left",
    run: |progress| Box::pin(run(progress)),
};

async fn run(progress: Progress) -> Result<Report> {
    in_lab(Lab::builder(), &progress, async |lab, report| half_close(lab, report).await).await
}

async fn half_close(lab: &Lab, report: &mut Report) -> Result<()> {
    let server = SocketAddr::from((lab.slot().node(0), 3306));
    let pairs = Pairs::start(server).await?;
    let proxy = Fixed::start(lab, 0, server, None).await?;
    let seed = fastrand::u64(..1_000_000);
    lab.progress().say(format_args!("the bytes come from seed {seed}"));
    let sessions = if quick() { SESSIONS_QUICKLY } else { SESSIONS };

    let client = stream::iter(0..sessions).map(|n| {
        let (pairs, proxy) = (&pairs, proxy.address());
        async move { within(client_first(pairs, proxy, seed.wrapping_add(n as u64))).await }
    });
    judge("client_first", client.buffer_unordered(AT_ONCE).collect().await, report);
    let server_ends = stream::iter(0..sessions).map(|n| {
        let (pairs, proxy) = (&pairs, proxy.address());
        async move { within(server_first(pairs, proxy, seed.wrapping_sub(n as u64))).await }
    });
    judge("server_first", server_ends.buffer_unordered(AT_ONCE).collect().await, report);

    let half_closed = || kernel::half_closed(proxy.address(), &[server]);
    let none = async || half_closed().ok().filter(|left| left.all() == 0);
    // What is left then is judged below.
    let _ = wait_until(GRACE, "no connection is half-closed", none).await;
    let left = half_closed()?;
    report.none("left_in_close_wait", left.close_wait);
    report.none("left_in_fin_wait", left.fin_wait);
    report.none("sessions_left", usize::try_from(proxy.sessions().await?)?);
    Ok(())
}

async fn within(session: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::time::timeout(PATIENCE, session).await?
}

/// How many sessions brought every byte over, and the first thing that was wrong with another.
fn judge(name: &str, sessions: Vec<Result<()>>, report: &mut Report) {
    let (all, wrong): (usize, Vec<_>) =
        (sessions.len(), sessions.into_iter().filter_map(Result::err).collect());
    report.count(&format!("{name}_sessions"), all);
    let first = || wrong.first().map(|error| format!("{error:#}")).unwrap_or_default();
    report.none(&format!("{name}_incomplete"), wrong.len()).because(first);
}

/// The client has said all it has to say, and the server goes on.
async fn client_first(pairs: &Pairs, proxy: SocketAddr, seed: u64) -> Result<()> {
    let mut random = fastrand::Rng::with_seed(seed);
    let (up, early, late) = (some(&mut random), some(&mut random), some(&mut random));
    let (mut client, mut server) = pairs.open(proxy).await?;
    let asks = async {
        let (mut read, mut write) = client.split();
        let (written, received) = tokio::join!(
            async {
                write.write_all(&up).await?;
                write.shutdown().await
            },
            all(&mut read)
        );
        written?;
        received
    };
    let answers = async {
        let (mut read, mut write) = server.split();
        let (written, received) = tokio::join!(write.write_all(&early), all(&mut read));
        written?;
        write.write_all(&late).await?;
        write.shutdown().await?;
        received
    };
    let (at_client, at_server) = tokio::join!(asks, answers);
    compare("the server", &at_server?, &up)?;
    compare("the client", &at_client?, &[early, late].concat())
}

/// The server ends its direction in the midst of what the client sends.
async fn server_first(pairs: &Pairs, proxy: SocketAddr, seed: u64) -> Result<()> {
    let mut random = fastrand::Rng::with_seed(seed);
    let (down, up) = (some(&mut random), some(&mut random));
    let (mut client, mut server): (TcpStream, TcpStream) = pairs.open(proxy).await?;
    let (written, received) = tokio::join!(server.write_all(&down), exactly(&mut client, down.len()));
    written?;
    compare("the client", &received?, &down)?;
    client.write_all(&HEADER).await?;
    compare("the server", &exactly(&mut server, HEADER.len()).await?, &HEADER)?;
    server.shutdown().await?;
    ensure!(client.read(&mut [0]).await? == 0, "the client gets more than was sent");
    let asks = async {
        client.write_all(&up).await?;
        client.shutdown().await
    };
    let (written, received) = tokio::join!(asks, all(&mut server));
    written?;
    compare("the server", &received?, &up)
}

fn some(random: &mut fastrand::Rng) -> Vec<u8> {
    let length = random.usize(1..=MOST);
    let mut bytes = vec![0; length];
    random.fill(&mut bytes);
    bytes
}

async fn all(read: &mut (impl AsyncReadExt + Unpin)) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    read.read_to_end(&mut bytes).await?;
    Ok(bytes)
}

async fn exactly(read: &mut TcpStream, length: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    read.read_exact(&mut bytes).await?;
    Ok(bytes)
}

fn compare(who: &str, received: &[u8], sent: &[u8]) -> Result<()> {
    ensure!(received == sent, "{who} gets {} bytes of {}, or others", received.len(), sent.len());
    Ok(())
}
