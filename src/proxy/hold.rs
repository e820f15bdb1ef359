//! Brings a new client to a server: waits for its turn, dials, and waits for the server's greeting. Until the greeting
//! has come the client has seen nothing, so every failure leads back to waiting for the route of the moment. The order
//! and its limits are the waiting room's; what happens after the greeting is the session's.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use capitana_core::packet::{NO_PRIMARY, TOO_MANY_CONNECTIONS, error_before_greeting};
use capitana_core::waiting::Ticket;
use capitana_core::{EndReason, HostPort, Role, Route};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::begun::{Begun, Unbegun, begin};
use super::leash::Leash;
use super::obstacle::{Obstacle, obstacle};
use super::peek::peek;
use super::route::RouteState;
use super::waiting::{Place, Turn, arrive};
use super::worker::Worker;

/// A client that is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Why, for log and metrics.
    pub reason: EndReason,
    /// What the client is told. Empty: it is gone or owed nothing.
    pub packet: Vec<u8>,
    /// What an operator should know beyond the reason: what the client is told, or what it met.
    pub cause: Option<String>,
}

impl Refusal {
    /// Nothing is said.
    #[must_use]
    pub fn silent(reason: EndReason) -> Self {
        Self { reason, packet: Vec::new(), cause: None }
    }

    /// A client that has not been greeted is told in an error packet.
    #[must_use]
    pub fn told(reason: EndReason, code: u16, message: &str) -> Self {
        Self { reason, packet: error_before_greeting(code, message), cause: Some(message.to_owned()) }
    }

    /// The same, with what the client met.
    #[must_use]
    pub fn because(self, cause: &impl ToString) -> Self {
        Self { cause: Some(cause.to_string()), ..self }
    }
}

/// Waits, at most for the hold time, until a server has greeted. `header` is what it is told first.
///
/// # Errors
/// The client's time or patience ended, or too many wait already.
pub async fn hold(
    worker: &Rc<Worker>,
    leash: &Leash,
    client: &TcpStream,
    header: &[u8],
) -> Result<Begun, Refusal> {
    let limit = worker.shared.config.load().hold_timeout;
    let role = leash.role;
    let ticket = Ticket { since: worker.shared.now(), id: leash.id, role };
    let bell = match role {
        Role::Primary => worker.shared.routes.subscribe(),
        Role::Replica => worker.shared.replicas.subscribe(),
    };
    let (since, deadline) = (std::time::Instant::now(), Instant::now() + limit);
    let hold = Hold { worker, bell, ticket, header, since, deadline, limit, waited: None, refused: None };
    tokio::select! {
        biased;
        begun = hold.run() => begun,
        () = gone(client) => {
            let obstacle = obstacle(&worker.shared, role, since, None);
            Err(Refusal::silent(EndReason::ClientGaveUp).because(&obstacle))
        }
        reason = leash.ended() => Err(stopped(reason)),
    }
}

/// What belongs to no epoch is ended only with the whole proxy.
fn stopped(reason: EndReason) -> Refusal {
    let message = "capitana: this proxy is being stopped. Nothing was sent: try again.";
    Refusal::told(reason, NO_PRIMARY, message)
}

type Outcome = Result<Begun, Unbegun>;

/// An attempt to begin a handshake. Whoever does not wait for it any more leaves it to its own end, in a task of its own.
struct Attempt<'a, F: Future<Output = Outcome> + 'static> {
    worker: &'a Worker,
    /// None once they have come to their end.
    steps: Option<Pin<Box<F>>>,
}

impl<F: Future<Output = Outcome> + 'static> Future for Attempt<'_, F> {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        // Steps that panic are not left to anybody.
        let Some(mut steps) = self.steps.take() else { return Poll::Pending };
        let outcome = steps.as_mut().poll(cx);
        if outcome.is_pending() {
            self.steps = Some(steps);
        }
        outcome
    }
}

impl<F: Future<Output = Outcome> + 'static> Drop for Attempt<'_, F> {
    fn drop(&mut self) {
        if let Some(steps) = self.steps.take() {
            self.worker.finish(async move { drop(steps.await) });
        }
    }
}

struct Hold<'a> {
    worker: &'a Rc<Worker>,
    bell: watch::Receiver<()>,
    ticket: Ticket,
    header: &'a [u8],
    since: std::time::Instant,
    deadline: Instant,
    limit: Duration,
    waited: Option<Instant>,
    /// The last failure of this client's own to reach a server, and which.
    refused: Option<(HostPort, String)>,
}

impl Hold<'_> {
    async fn run(mut self) -> Result<Begun, Refusal> {
        loop {
            if self.ticket.role == Role::Primary {
                self.barrier().await?;
            }
            let place = self.turn().await?;
            self.bell.mark_unchanged();
            let Some(route) = self.route_to(place.upstream()) else { continue };
            let begin =
                begin(Rc::clone(self.worker), (route.clone(), place), self.header.to_vec(), self.deadline);
            let attempt = Attempt { worker: self.worker, steps: Some(Box::pin(begin)) };
            match self.unless_led_elsewhere(attempt, &route).await {
                Some(Ok(begun)) if self.still_leads(&route) => {
                    self.worker.shared.metrics.of(self.ticket.role).dials_ok.inc();
                    return Ok(begun);
                }
                Some(Err(Unbegun::Failed(cause))) => self.refused = Some((route.upstream.clone(), cause)),
                Some(Err(Unbegun::OutOfTime(connected))) => self.out_of_time(&route.upstream, connected),
                Some(Ok(_)) | None => {}
            }
        }
    }

    /// What came of an attempt, unless clients do not go there any more.
    async fn unless_led_elsewhere(
        &mut self,
        mut attempt: Attempt<'_, impl Future<Output = Outcome> + 'static>,
        route: &Route,
    ) -> Option<Outcome> {
        loop {
            tokio::select! {
                biased;
                begun = &mut attempt => return Some(begun),
                _ = self.bell.changed() => {}
            }
            if self.route_to(&route.upstream).as_ref() != Some(route) {
                return None;
            }
        }
    }

    /// Where a client whose turn it is goes: what it waited for may have changed meanwhile.
    fn route_to(&self, upstream: &HostPort) -> Option<Route> {
        let shared = &self.worker.shared;
        if self.ticket.role == Role::Replica {
            return shared.replicas.load().route_to(upstream).cloned();
        }
        let state = shared.routes.load().clone();
        let RouteState::Open(route) = &*state else { return None };
        // While the route was closed it could not be asked who may go where it opened since.
        let admits = route.upstream == *upstream && shared.barriers.admits(route.epoch, self.since);
        admits.then(|| route.clone())
    }

    /// Whether a server that has just greeted is still one to go to.
    fn still_leads(&self, route: &Route) -> bool {
        let shared = &self.worker.shared;
        match self.ticket.role {
            Role::Primary => shared.routes.load().newest() == Some(route.epoch),
            Role::Replica => shared.replicas.load().keeps(&route.upstream),
        }
    }

    /// Waits until the primary has everything that was acknowledged before this client came. A change of the route ends
    /// the wait: the turn comes after it in any case.
    async fn barrier(&mut self) -> Result<(), Refusal> {
        self.bell.mark_unchanged();
        let state = self.worker.shared.routes.load().clone();
        let RouteState::Open(route) = &*state else { return Ok(()) };
        if self.worker.shared.barriers.is_settled(route.epoch) {
            return Ok(());
        }
        tokio::select! {
            biased;
            () = self.worker.shared.barriers.passed_since(route.epoch, self.since) => Ok(()),
            _ = self.bell.changed() => Ok(()),
            () = sleep_until(self.deadline) => {
                let barrier = self.worker.shared.barriers.state().to_string();
                Err(self.after_hold(&Obstacle::Behind(route.upstream.clone(), barrier)))
            }
        }
    }

    async fn turn(&mut self) -> Result<Place, Refusal> {
        if self.refused.is_some() && Instant::now() >= self.deadline {
            return Err(self.in_vain());
        }
        let mut waiter = match arrive(&self.worker.shared, self.ticket) {
            Turn::Now(place) => return Ok(place),
            Turn::Later(waiter) => waiter,
            Turn::Full => {
                let message = format!(
                    "capitana: too many clients wait for a {} already (max-held). Nothing was sent: try again.",
                    self.ticket.role
                );
                self.worker.shared.metrics.rejected_held.inc();
                return Err(Refusal::told(EndReason::HoldFull, NO_PRIMARY, &message));
            }
        };
        self.waited.get_or_insert_with(Instant::now);
        match timeout_at(self.deadline, waiter.turn()).await {
            Ok(Some(place)) => Ok(place),
            Ok(None) => Err(Refusal::silent(EndReason::Shutdown)),
            Err(_) => Err(self.in_vain()),
        }
    }

    /// The hold's end often cuts an attempt short that has not come to anything: what this client met before it, or
    /// others did, says more.
    fn out_of_time(&mut self, upstream: &HostPort, connected: bool) {
        let (_, others) = self.worker.shared.room.cause(self.ticket.role);
        let before =
            [self.refused.take(), others].into_iter().flatten().find(|(refused, _)| refused == upstream);
        let cause = match (connected, before) {
            (true, Some((_, cause))) => format!("{cause}; the last connection it has not greeted yet"),
            (true, None) => "it accepts connections but does not greet".to_owned(),
            (false, Some((_, cause))) => cause,
            (false, None) => "it does not answer".to_owned(),
        };
        self.refused = Some((upstream.clone(), cause));
    }

    fn in_vain(&self) -> Refusal {
        let obstacle = obstacle(&self.worker.shared, self.ticket.role, self.since, self.refused.as_ref());
        let Obstacle::Full(whom) = &obstacle else { return self.after_hold(&obstacle) };
        self.worker.shared.metrics.rejected_upstream.inc();
        let message = format!(
            "Too many connections: capitana lets no more to {whom} (max-upstream-connections, waited {:?}). Nothing \
             was sent: try again.",
            self.limit
        );
        Refusal::told(EndReason::UpstreamFull, TOO_MANY_CONNECTIONS, &message)
    }

    fn after_hold(&self, obstacle: &Obstacle) -> Refusal {
        let message = format!("capitana: {obstacle} (waited {:?}). Nothing was sent: try again.", self.limit);
        Refusal::told(EndReason::HoldTimeout, NO_PRIMARY, &message)
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        if let Some(since) = self.waited {
            self.worker.shared.metrics.hold_seconds.observe(since.elapsed().as_secs_f64());
        }
    }
}

/// Completes when the client has gone. A client that speaks before it is greeted is not watched any further.
async fn gone(client: &TcpStream) {
    match peek(client).await {
        Ok(0) | Err(_) => {}
        Ok(_) => std::future::pending().await,
    }
}
