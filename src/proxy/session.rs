//! One session from its accept to its end. It owns the order of the steps and the reason of the end; each step is in a
//! module of its own.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use capitana_core::EndReason;
use capitana_core::handshake::{Handshake, Stage};
use capitana_core::tls::Records;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::admission::ClientPlace;
use super::close::refuse;
use super::deadlines::{Alarm, Late};
use super::entry::{Entered, enter};
use super::leash::{Leash, Order, Phase, Report};
use super::part::{Parting, part};
use super::relay::{Ended, Observer, Progress, Relay, Side};
use super::stopwatch::first_answer;
use super::waiting::Place;
use super::worker::{Accepted, Entry, Worker};

/// How long a client whose server has closed may stay silent before it is closed too. MariaDB closes both directions
/// at once, so nothing more can come of it.
const HALF_CLOSED_GRACE: Duration = Duration::from_secs(5);

/// What became of a session, for its log line. Where it went, and what its handshake showed, is on its leash.
#[derive(Debug)]
pub struct Epilogue {
    /// Why it ended.
    pub reason: EndReason,
    /// What else there is to say of that: what a client was told that was not let in, or what it met.
    pub cause: Option<String>,
    /// Bytes that reached the server.
    pub to_upstream: u64,
    /// Bytes that reached the client.
    pub to_client: u64,
}

impl Epilogue {
    /// Of a client that did not get to a server.
    #[must_use]
    pub fn unopened(reason: EndReason, cause: Option<String>) -> Self {
        Self { reason, cause, to_upstream: 0, to_client: 0 }
    }
}

/// An open session: all that is left of the steps before.
struct Open {
    relay: Relay,
    place: Place,
    _client_place: ClientPlace,
    _listener_place: Option<OwnedSemaphorePermit>,
    /// Whether a client under TLS has come through its handshake.
    settled: bool,
}

/// Serves a client to its end. The steps to an open session are boxed, so that its task, of which there may be many
/// thousands, has no room for what they need; that is also why this is no `async fn`, which would keep `accepted`.
pub fn serve(entry: Entry, accepted: Accepted) -> impl Future<Output = ()> {
    let (worker, leash) = (Rc::clone(&entry.worker), Rc::clone(&entry.leash));
    let opening = Box::pin(async move { open(&worker, &leash, accepted).await });
    async move {
        let epilogue = match opening.await {
            Ok(mut open) => {
                let reason = relay_to_end(&entry.worker, &entry.leash, &mut open.relay).await;
                conclude(&entry.worker, &entry.leash, *open, reason)
            }
            Err(epilogue) => epilogue,
        };
        entry.worker.ended(&entry.leash, &epilogue);
    }
}

/// Brings a client to an open session; the error is what became of one that did not get there, or ended right then.
async fn open(worker: &Rc<Worker>, leash: &Leash, accepted: Accepted) -> Result<Box<Open>, Epilogue> {
    let Accepted { stream, place: listener_place, clients, .. } = accepted;
    let unusable = |error: io::Error| Epilogue::unopened(EndReason::ClientError, Some(error.to_string()));
    let client = TcpStream::from_std(stream).map_err(unusable)?;
    let Entered { mut relay, mut handshake, mut records, place, greeted, mut alarm, client_place } =
        enter(worker, leash, client, &clients).await?;
    let ended = shake_hands(worker, leash, &mut relay, &mut handshake, &mut alarm).await;
    drop(alarm);
    let seen = leash.seen.get_or_init(|| handshake.seen().clone());
    if let Some(reason) = ended {
        return Err(conclude_handshake(worker, relay, (handshake, place), reason));
    }
    leash.enter(Phase::Open);
    if let Some(route) = leash.primary_route() {
        worker.shared.milestones.opened(route.epoch);
    }
    worker.shared.metrics.handshake_seconds.observe(greeted.elapsed().as_secs_f64());
    let ended = match settle(worker, leash, &mut relay, &mut records).await {
        None => first_answer(worker, leash, &mut relay, seen).await,
        ended => ended,
    };
    let settled = records.is_settled();
    let open = Open { relay, place, _client_place: client_place, _listener_place: listener_place, settled };
    match ended {
        Some(reason) => Err(conclude(worker, leash, open, reason)),
        None => Ok(Box::new(open)),
    }
}

/// Sees client and server through their handshake. A reason to end, or none once they are open to each other.
async fn shake_hands(
    worker: &Worker,
    leash: &Leash,
    relay: &mut Relay,
    handshake: &mut Handshake,
    alarm: &mut Alarm,
) -> Option<EndReason> {
    match alarm.limit(run(worker, leash, relay, handshake)).await {
        Ok(Ok(Progress::Ended(ended))) => Some(reason_of(ended)),
        Ok(Ok(Progress::Paused | Progress::UpstreamEnded)) => None,
        Ok(Err(reason)) => Some(reason),
        Err(Late) => Some(EndReason::HandshakeTimeout),
    }
}

/// Relays until a client under TLS has come through its handshake. Until then its end is not the server's: breaking off is
/// made good later.
async fn settle(
    worker: &Worker,
    leash: &Leash,
    relay: &mut Relay,
    records: &mut Records,
) -> Option<EndReason> {
    while !records.is_settled() {
        match run(worker, leash, relay, records).await {
            Ok(Progress::Ended(ended)) => return Some(reason_of(ended)),
            Ok(Progress::UpstreamEnded) => break,
            Ok(Progress::Paused) => {}
            Err(reason) => return Some(reason),
        }
    }
    relay.pass_end_to_upstream();
    None
}

/// Relays until client, server or worker ends it.
async fn relay_to_end(worker: &Worker, leash: &Leash, relay: &mut Relay) -> EndReason {
    loop {
        let before = relay.sent_upstream();
        let progress = match relay.first_end() {
            Some(Side::Upstream) => {
                if leash.is_readable() && relay.client_leaves() {
                    return EndReason::ClientClosed;
                }
                if leash.is_readable() && relay.last_word().is_some() {
                    return EndReason::UpstreamClosed;
                }
                relay.pass_end_to_client();
                // Boxed: its timer would make every open session larger.
                Box::pin(timeout(HALF_CLOSED_GRACE, run(worker, leash, relay, &mut ()))).await
            }
            _ => Ok(run(worker, leash, relay, &mut ()).await),
        };
        match progress {
            Ok(Ok(Progress::Ended(ended))) => return reason_of(ended),
            Ok(Ok(Progress::Paused | Progress::UpstreamEnded)) => {}
            Ok(Err(reason)) => return reason,
            Err(_) if relay.sent_upstream() == before => return EndReason::UpstreamClosed,
            Err(_) => {}
        }
    }
}

/// Relays until there is something to decide; the error is the worker's reason to end the session.
pub(super) async fn run<O: Observer>(
    worker: &Worker,
    leash: &Leash,
    relay: &mut Relay,
    observer: &mut O,
) -> Result<Progress, EndReason> {
    poll_fn(|cx| {
        if let Poll::Ready(reason) = leash.poll_ended(cx) {
            return Poll::Ready(Err(reason));
        }
        let order = leash.take_order();
        if matches!(order, Some(Order::Inspect | Order::Await)) {
            relay.pause(order == Some(Order::Await));
        }
        let before = (relay.sent_upstream(), relay.sent_to_client());
        let progress = relay.poll(cx, &worker.buffer, observer);
        worker.counters.add(relay.sent_upstream() - before.0, relay.sent_to_client() - before.1);
        match (progress, order) {
            (Poll::Ready(progress), _) => Poll::Ready(Ok(progress)),
            (Poll::Pending, Some(order)) => obey(order, leash, relay, cx),
            (Poll::Pending, None) => Poll::Pending,
        }
    })
    .await
}

/// Carries out an order of a draining worker, after everything that could be moved was moved.
fn obey(
    order: Order,
    leash: &Leash,
    relay: &mut Relay,
    cx: &Context<'_>,
) -> Poll<Result<Progress, EndReason>> {
    match (order, relay.is_quiet()) {
        (Order::Inspect | Order::Await, true) => {
            let (client_spoke, in_transaction) = (relay.client_spoke(), relay.in_transaction());
            leash.report(Report::Quiet { client_spoke, in_transaction });
            return Poll::Pending;
        }
        (Order::Await, false) => {
            leash.report(Report::Busy);
            return Poll::Pending;
        }
        (Order::EndIfQuiet, true) => return Poll::Ready(Err(EndReason::Drained)),
        (Order::Inspect, false) => leash.report(Report::Busy),
        (Order::EndIfQuiet, false) | (Order::Resume, _) => {}
    }
    relay.resume();
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// Ends a session whose handshake did not come to its end, as the server wants it.
fn conclude_handshake(
    worker: &Worker,
    relay: Relay,
    (handshake, place): (Handshake, Place),
    reason: EndReason,
) -> Epilogue {
    let (to_upstream, to_client) = (relay.sent_upstream(), relay.sent_to_client());
    let (client, upstream) = relay.into_both();
    if !reason.is_clients_going() {
        worker.linger(refuse(client, Vec::new()));
    }
    let waits = handshake.stage() == Stage::Authentication;
    if waits && !reason.is_servers_going() {
        let say = handshake.owed().unwrap_or_default();
        part(worker, Parting { upstream, place, say });
    }
    Epilogue { reason, cause: None, to_upstream, to_client }
}

fn conclude(worker: &Worker, leash: &Leash, open: Open, reason: EndReason) -> Epilogue {
    let Open { relay, place, settled, .. } = open;
    let (to_upstream, to_client) = (relay.sent_upstream(), relay.sent_to_client());
    let is_told = !reason.is_clients_going();
    let word = if is_told && leash.is_readable() { relay.last_word() } else { None };
    let (client, upstream) = relay.into_both();
    if is_told {
        worker.linger(refuse(client, word.map(|word| word.packet(leash.role)).unwrap_or_default()));
    }
    if !settled {
        worker.shared.amends.park(upstream, place, worker.shared.descriptors.for_connection());
    }
    Epilogue { reason, cause: None, to_upstream, to_client }
}

/// The same as a session's end.
pub(super) fn reason_of(ended: Ended) -> EndReason {
    match ended {
        Ended::Closed(Side::Client) => EndReason::ClientClosed,
        Ended::Closed(Side::Upstream) => EndReason::UpstreamClosed,
        Ended::Failed(Side::Client) => EndReason::ClientError,
        Ended::Failed(Side::Upstream) => EndReason::UpstreamError,
        Ended::TimedOut(Side::Client) => EndReason::ClientTimeout,
        Ended::TimedOut(Side::Upstream) => EndReason::UpstreamTimeout,
    }
}

/// Says in one line how a session ended.
pub fn log_end(leash: &Leash, epilogue: &Epilogue) {
    let (route, seen) = (leash.route.get(), leash.seen.get());
    let client: SocketAddr = leash.client.get();
    tracing::info!(
        session = leash.id,
        role = leash.role.label(),
        %client,
        reason = epilogue.reason.label(),
        cause = epilogue.cause,
        upstream = route.map(|route| route.upstream.to_string()),
        epoch = route.map(|route| route.epoch.0),
        user = seen.and_then(|seen| seen.user.as_deref()),
        thread_id = seen.and_then(|seen| seen.thread_id),
        tls = seen.map(|seen| seen.tls),
        seconds = leash.since.elapsed().as_secs_f64(),
        to_upstream = epilogue.to_upstream,
        to_client = epilogue.to_client,
        "session ended"
    );
}
