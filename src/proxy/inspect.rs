//! A worker's part in a drain: stops its stale sessions where nothing is on its way, reports them, and ends or continues
//! them as it is told. It asks no server and judges nothing.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Instant;

use capitana_core::{EndReason, HostPort};

use super::leash::{Leash, Order, Phase, Report, Stale};
use super::worker::Worker;

/// How often other tasks of the thread get a turn while reports are waited for. Each session that was woken runs in the
/// first of them; the rest is for those that had to be woken again.
const TURNS: usize = 16;

/// What a worker says of its stale sessions.
#[derive(Debug, Default)]
pub struct Inspection {
    /// How many there are, by server, in whatever phase.
    pub left: HashMap<HostPort, usize>,
    /// Those that were stopped.
    pub quiet: Vec<Quiet>,
}

impl Inspection {
    /// The threads of the sessions that go to `upstream`.
    pub fn threads_of(&self, upstream: &HostPort) -> impl Iterator<Item = u32> {
        self.quiet.iter().filter(move |quiet| quiet.upstream == *upstream).map(|quiet| quiet.thread_id)
    }
}

/// A session that was stopped.
#[derive(Debug)]
pub struct Quiet {
    /// Its number.
    pub session: u64,
    /// Its server.
    pub upstream: HostPort,
    /// Its thread on the server.
    pub thread_id: u32,
    /// When its client's last bytes left; none if its server has spoken since.
    pub client_spoke: Option<Instant>,
    /// Whether the server's last word was that it is in a transaction.
    pub in_transaction: bool,
}

impl Worker {
    /// Stops and reports the open sessions that go where they should not stay; `patiently`: also those that are at work,
    /// which report another time.
    pub async fn inspect(&self, stale: &Stale, patiently: bool) -> Inspection {
        let stale = self.stale(stale);
        let mut inspection = Inspection::default();
        for route in stale.iter().filter_map(|leash| leash.route.get()) {
            *inspection.left.entry(route.upstream.clone()).or_default() += 1;
        }
        let askable = |leash: &Rc<Leash>| leash.phase() == Phase::Open && leash.thread_id().is_some();
        let asked: Vec<_> = stale.into_iter().filter(askable).collect();
        for leash in &asked {
            leash.order(if patiently { Order::Await } else { Order::Inspect });
        }
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
            if asked.iter().all(|leash| leash.reported().is_some()) {
                break;
            }
        }
        for leash in asked {
            match leash.reported() {
                Some(Report::Quiet { client_spoke, in_transaction }) => {
                    inspection.quiet.extend(quiet(&leash, client_spoke, in_transaction));
                }
                Some(Report::Busy) => {}
                None => leash.order(Order::Resume),
            }
        }
        inspection
    }

    /// Ends the sessions marked true, unless something has happened since, and lets the others go on.
    pub fn settle(&self, verdicts: &[(u64, bool)]) {
        for (session, end) in verdicts {
            if let Some(leash) = self.session(*session) {
                leash.order(if *end { Order::EndIfQuiet } else { Order::Resume });
            }
        }
    }

    /// Ends the open sessions that go where they should not stay, whatever they do; those to `upstream` or all.
    pub fn end_stale(&self, stale: &Stale, upstream: Option<&HostPort>, reason: EndReason) {
        for leash in self.stale(stale) {
            let goes_there =
                |upstream: &HostPort| leash.route.get().is_some_and(|route| route.upstream == *upstream);
            if leash.phase() == Phase::Open && upstream.is_none_or(goes_there) {
                leash.end(reason);
            }
        }
    }
}

fn quiet(leash: &Leash, client_spoke: Option<Instant>, in_transaction: bool) -> Option<Quiet> {
    let (upstream, thread_id) = (leash.route.get()?.upstream.clone(), leash.thread_id()?);
    Some(Quiet { session: leash.id, upstream, thread_id, client_spoke, in_transaction })
}
