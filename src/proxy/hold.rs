//! Brings a new client to a server: waits for a route, dials, and waits for the server's greeting. Until the greeting
//! has come the client has seen nothing, so every failure leads back to waiting for the route of the moment. It owns
//! the hold's limits; what happens after the greeting is the session's.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use capitana_core::backoff::Backoff;
use capitana_core::{EndReason, HostPort, Route};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{SemaphorePermit, watch};
use tokio::time::{Instant, sleep, timeout_at};

use super::dial::dial;
use super::leash::Leash;
use super::route::RouteState;
use super::worker::Worker;
use crate::config::ProxyConfig;

/// First and longest pause before a server that refused is asked again, unless the route changes first. A restarting
/// MariaDB refuses for seconds; a crashed one is out of the election within milliseconds. Thousands of clients may wait
/// for one server, and asking for each of them every 50 ms would take whole cores (measured: 400 took 42 % of one).
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));
/// The longest first packet a server sends is well below this.
const GREETING: usize = 4096;

/// A server that has greeted.
pub struct Welcome {
    /// The connection to it.
    pub upstream: TcpStream,
    /// The bytes of its greeting read so far.
    pub greeting: Vec<u8>,
    /// Where it stands in the election.
    pub route: Route,
}

/// A client that is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Why, for log and metrics.
    pub reason: EndReason,
    /// Why, for the client. Empty: it is gone or owed nothing.
    pub message: String,
}

impl Refusal {
    fn silent(reason: EndReason) -> Self {
        Self { reason, message: String::new() }
    }
}

/// Waits, at most for the hold time, until a server has greeted.
///
/// # Errors
/// The client's time or patience ended, or too many wait already.
pub async fn hold(worker: &Worker, leash: &Leash, client: &TcpStream) -> Result<Welcome, Refusal> {
    let limit = worker.shared.config.load().hold_timeout;
    let bell = worker.shared.routes.subscribe();
    let retry = Backoff::new(RETRY.0, RETRY.1, leash.id);
    let hold = Hold { worker, bell, place: None, since: Instant::now(), limit, retry, refused: None };
    tokio::select! {
        biased;
        welcome = hold.run() => welcome,
        () = gone(client) => Err(Refusal::silent(EndReason::ClientGaveUp)),
        reason = leash.ended() => Err(stopped(reason)),
    }
}

/// What belongs to no epoch is ended only with the whole proxy.
fn stopped(reason: EndReason) -> Refusal {
    let message = "capitana: this proxy is being stopped. Nothing was sent: try again.".to_owned();
    Refusal { reason, message }
}

/// What one dial came to.
enum Attempt {
    Welcome(Welcome),
    RouteChanged,
    Failed(String),
    OutOfTime { connected: bool },
}

struct Hold<'a> {
    worker: &'a Worker,
    bell: watch::Receiver<()>,
    place: Option<Place<'a>>,
    since: Instant,
    limit: Duration,
    retry: Backoff,
    /// The last failure to reach a server, and which.
    refused: Option<(HostPort, String)>,
}

impl Hold<'_> {
    async fn run(mut self) -> Result<Welcome, Refusal> {
        loop {
            self.bell.mark_unchanged();
            let state = self.worker.shared.routes.load().clone();
            let cause = match &*state {
                RouteState::Open(route) => match self.attempt(route).await {
                    Attempt::Welcome(welcome) => return Ok(welcome),
                    Attempt::RouteChanged => continue,
                    Attempt::Failed(cause) => self.refused_by(route, cause),
                    Attempt::OutOfTime { connected } => self.out_of_time(route, connected),
                },
                RouteState::Closed(cause) => format!("there is no primary: {cause}"),
            };
            self.wait(&state, cause).await?;
        }
    }

    /// Dials and waits for the greeting, unless the route changes meanwhile.
    async fn attempt(&mut self, route: &Route) -> Attempt {
        let started = Instant::now();
        let config = self.worker.shared.config.load_full();
        let connected = Cell::new(false);
        let greeted = greeting(&route.upstream, &config, &connected);
        let greeted = timeout_at(self.since + self.limit, greeted);
        let greeted = tokio::select! {
            biased;
            greeted = greeted => greeted,
            _ = self.bell.changed() => return Attempt::RouteChanged,
        };
        let metrics = &self.worker.shared.metrics;
        match greeted {
            Ok(Ok((upstream, greeting))) => {
                metrics.dials_ok.inc();
                metrics.dial_seconds.observe(started.elapsed().as_secs_f64());
                Attempt::Welcome(Welcome { upstream, greeting, route: route.clone() })
            }
            Ok(Err(e)) => {
                metrics.dials_failed.inc();
                Attempt::Failed(e.to_string())
            }
            Err(_) => {
                metrics.dials_failed.inc();
                Attempt::OutOfTime { connected: connected.get() }
            }
        }
    }

    fn refused_by(&mut self, route: &Route, cause: String) -> String {
        let text = format!("the primary {} cannot be reached: {cause}", route.upstream);
        self.refused = Some((route.upstream.clone(), cause));
        text
    }

    /// The hold's end often cuts an attempt short that has not come to anything: what the one before it met says more.
    fn out_of_time(&mut self, route: &Route, connected: bool) -> String {
        let before = self.refused.take().filter(|(upstream, _)| *upstream == route.upstream);
        let cause = match (connected, before) {
            (true, _) => "it accepts connections but does not greet".to_owned(),
            (false, Some((_, cause))) => cause,
            (false, None) => "it does not answer".to_owned(),
        };
        self.refused_by(route, cause)
    }

    /// Waits for a change of the route, or for a moment where a server refused.
    async fn wait(&mut self, state: &RouteState, cause: String) -> Result<(), Refusal> {
        if self.place.is_none() {
            self.place = Some(Place::take(self.worker)?);
        }
        let deadline = self.since + self.limit;
        if Instant::now() >= deadline {
            let message =
                format!("capitana: {cause} (waited {:?}). Nothing was sent: try again.", self.limit);
            return Err(Refusal { reason: EndReason::HoldTimeout, message });
        }
        let pause = match state {
            RouteState::Open(_) => self.retry.wait(),
            RouteState::Closed(_) => self.limit,
        };
        tokio::select! {
            _ = self.bell.changed() => self.retry.reset(),
            () = sleep(pause) => {}
            () = tokio::time::sleep_until(deadline) => {}
        }
        Ok(())
    }
}

/// A place among those that wait; it is counted while it is held.
struct Place<'a> {
    worker: &'a Worker,
    since: Instant,
    _permit: SemaphorePermit<'a>,
}

impl<'a> Place<'a> {
    fn take(worker: &'a Worker) -> Result<Self, Refusal> {
        let Ok(permit) = worker.shared.waiting_places.try_acquire() else {
            let message = "capitana: too many clients wait for a primary already (max-held). \
                           Nothing was sent: try again."
                .to_owned();
            return Err(Refusal { reason: EndReason::HoldFull, message });
        };
        worker.shared.metrics.held.inc();
        Ok(Self { worker, since: Instant::now(), _permit: permit })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.worker.shared.metrics.held.dec();
        self.worker.shared.metrics.hold_seconds.observe(self.since.elapsed().as_secs_f64());
    }
}

async fn greeting(
    upstream: &HostPort,
    config: &ProxyConfig,
    connected: &Cell<bool>,
) -> io::Result<(TcpStream, Vec<u8>)> {
    let mut stream = dial(upstream, config.dial_timeout, &config.listen).await?;
    connected.set(true);
    let mut bytes = vec![0; GREETING];
    let read = poll_fn(|cx| {
        let mut window = ReadBuf::new(&mut bytes);
        Pin::new(&mut stream).poll_read(cx, &mut window).map_ok(|()| window.filled().len())
    })
    .await?;
    if read == 0 {
        let cause = "it closed the connection without a greeting";
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, cause));
    }
    Ok((stream, bytes[..read].to_vec()))
}

/// Completes when the client has gone. A client that speaks before it is greeted is not watched any further.
async fn gone(client: &TcpStream) {
    match client.peek(&mut [0]).await {
        Ok(0) | Err(_) => {}
        Ok(_) => std::future::pending().await,
    }
}
