//! A handshake begun with a server: from the dial to the client's login. However it ends, it ends as the server wants
//! it (see `part`); what is said to the client is its caller's.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use capitana_core::packet::HEADER;
use capitana_core::{Role, Route, opening};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::deadlines::{Alarm, Late};
use super::part::{Parting, part};
use super::waiting::Place;
use super::worker::Worker;

/// Greetings are shorter than this.
const GREETING: usize = 256;
/// `ER_SERVER_SHUTDOWN`.
const SHUTTING_DOWN: u16 = 1053;

/// A server that has accepted a connection, and greeted unless it is still being waited for that.
pub struct Begun {
    worker: Rc<Worker>,
    connection: Option<(TcpStream, Place)>,
    /// The first bytes of its greeting, or of its error in the place of one.
    pub greeting: Vec<u8>,
    /// Where it stands in the election.
    pub route: Route,
}

/// Why a server did not greet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unbegun {
    /// It cannot be reached, or does not want anybody.
    Failed(String),
    /// The time was over; whether the connection stood by then.
    OutOfTime(bool),
}

/// Dials, says `header` and waits for the greeting until the deadline. It is not to be dropped on the way: a server
/// whose connection is cut before its greeting counts that against this proxy.
///
/// # Errors
/// The server did not greet. The place was given back.
pub async fn begin(
    worker: Rc<Worker>,
    (route, place): (Route, Place),
    header: Vec<u8>,
    deadline: Instant,
) -> Result<Begun, Unbegun> {
    let config = worker.shared.config.load_full();
    let (started, role) = (Instant::now(), place.role());
    // The steps of a failover are those of clients of the primary.
    let epoch = (role == Role::Primary).then_some(route.epoch);
    epoch.inspect(|epoch| worker.shared.milestones.dialling(*epoch));
    let limit = config.dial_timeout.min(deadline.saturating_duration_since(started));
    let mut alarm = Alarm::at(&worker.deadlines, started + limit);
    let dialled = alarm.limit(worker.shared.dialler.dial(&route.upstream, &config)).await;
    let greeted = match dialled.unwrap_or_else(|Late| Err(unanswered(limit))) {
        Ok(stream) => {
            alarm.put_off(deadline);
            let connection = Some((stream, place));
            let greeting = Vec::with_capacity(GREETING);
            let mut begun = Begun { worker: Rc::clone(&worker), connection, greeting, route };
            match alarm.limit(begun.greet(&header)).await {
                Ok(Ok(())) => Ok(begun),
                Ok(Err(error)) => {
                    begun.fail(&error.to_string());
                    Err(Unbegun::Failed(error.to_string()))
                }
                Err(Late) => Err(Unbegun::OutOfTime(true)),
            }
        }
        Err(_) if Instant::now() >= deadline => Err(Unbegun::OutOfTime(false)),
        Err(error) => {
            if error.kind() == io::ErrorKind::AddrNotAvailable {
                worker.shared.metrics.dials_without_port.inc();
            }
            place.failed(&error.to_string());
            Err(Unbegun::Failed(error.to_string()))
        }
    };
    let metrics = &worker.shared.metrics;
    match greeted.is_ok() {
        true => {
            epoch.inspect(|epoch| worker.shared.milestones.greeted(*epoch));
            metrics.dial_seconds.observe(started.elapsed().as_secs_f64());
        }
        false => metrics.of(role).dials_failed.inc(),
    }
    greeted
}

fn unanswered(limit: Duration) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {limit:?}"))
}

impl Begun {
    /// The connection, for reading and writing.
    pub fn stream(&mut self) -> Option<&mut TcpStream> {
        self.connection.as_mut().map(|(stream, _)| stream)
    }

    /// Reads more of what the server says. Nothing: it has closed.
    ///
    /// # Errors
    /// That of the connection.
    pub async fn read_more(&mut self) -> io::Result<usize> {
        match &mut self.connection {
            Some((stream, _)) => stream.read_buf(&mut self.greeting).await,
            None => Ok(0),
        }
    }

    /// Takes the connection over. None: never, as only this does so.
    pub fn take(&mut self) -> Option<(TcpStream, Place)> {
        self.connection.take()
    }

    async fn greet(&mut self, header: &[u8]) -> io::Result<()> {
        let Some((stream, place)) = &mut self.connection else { return Ok(()) };
        stream.write_all(header).await?;
        if stream.read_buf(&mut self.greeting).await? == 0 {
            let cause = "it closed the connection without a greeting";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, cause));
        }
        if let Some(text) = unwilling(&self.greeting) {
            return Err(io::Error::other(text));
        }
        place.taken();
        Ok(())
    }

    /// A server that has closed, or said that it wants nobody, is owed no login.
    fn fail(&mut self, cause: &str) {
        if let Some((_, place)) = self.connection.take() {
            place.failed(cause);
        }
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        let Some((stream, place)) = self.connection.take() else { return };
        // An error in the place of the greeting was the server's last word.
        if self.greeting.get(HEADER) != Some(&0xff) {
            part(&self.worker, Parting { upstream: stream, place, say: opening::vanished() });
        }
    }
}

/// Whether the server said in the place of a greeting that it is stopping, which is the next primary's turn. Other
/// errors are for the client.
fn unwilling(packet: &[u8]) -> Option<String> {
    let &[_, _, _, _, 0xff, low, high, ..] = packet else { return None };
    (u16::from_le_bytes([low, high]) == SHUTTING_DOWN).then(|| "it is being stopped".to_owned())
}
