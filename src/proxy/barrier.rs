//! The barrier before a new primary: clients are let in once it has applied every write acknowledged before, on the old
//! primary too. This file owns what clients wait for and what people see; the causal reads are made in `lead`, and the
//! rule of who may come in is `capitana_core::barrier`'s.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use capitana_core::barrier::Gate;
use capitana_core::{Epoch, Route};
use tokio::sync::watch;

/// The barrier of the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// No primary was elected yet.
    Idle,
    /// A causal read is on its way; the cause of the last one that failed.
    Running { upstream: String, since: Duration, trouble: Option<String> },
    /// One has passed, after this long.
    Passed(Duration),
    /// There is none, and why.
    Skipped(&'static str),
    /// The primary was opened without, and why.
    GivenUp(String),
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Idle => f.write_str("none: no primary was elected yet"),
            Self::Running { upstream, trouble: None, .. } => write!(f, "running on {upstream}"),
            Self::Running { upstream, trouble: Some(cause), .. } => {
                write!(f, "running on {upstream}: {cause}")
            }
            Self::Passed(took) => write!(f, "passed in {:.1} ms", took.as_secs_f64() * 1000.0),
            Self::Skipped(why) => write!(f, "skipped: {why}"),
            Self::GivenUp(why) => write!(f, "given up, clients may miss writes: {why}"),
        }
    }
}

/// Shared by the director, which shuts, the leading task, which opens, and the clients, which wait.
#[derive(Debug)]
pub struct Barriers {
    started: Instant,
    inner: Mutex<(Gate, State)>,
    /// The epoch in which nobody has to wait. 0 is that of a fixed primary.
    settled: AtomicI64,
    /// Rings when the gate has changed.
    bell: watch::Sender<()>,
    /// A causal read is wanted that begins at this time or later.
    pub(super) wanted: watch::Sender<Duration>,
    /// The primary whose barrier is to be led.
    pub(super) elected: watch::Sender<Option<Route>>,
}

impl Barriers {
    /// Nothing is elected yet; `started` is the zero of the clock.
    #[must_use]
    pub fn new(started: Instant) -> Self {
        Self {
            started,
            inner: Mutex::new((Gate::default(), State::Idle)),
            settled: AtomicI64::new(0),
            bell: watch::Sender::new(()),
            wanted: watch::Sender::new(Duration::ZERO),
            elected: watch::Sender::new(None),
        }
    }

    /// A new primary was elected: the gate is shut until its barrier ends. With a reason to skip it, it is open.
    pub fn elected(&self, route: &Route, skip: Option<&'static str>) {
        let (upstream, since) = (route.upstream.to_string(), self.started.elapsed());
        self.update(|gate, state| {
            gate.elected(route.epoch);
            *state = match skip {
                Some(why) => {
                    gate.waive(route.epoch);
                    State::Skipped(why)
                }
                None => State::Running { upstream, since, trouble: None },
            };
        });
        self.elected.send_replace(skip.is_none().then(|| route.clone()));
    }

    /// There is no primary any more.
    pub fn lost(&self) {
        self.elected.send_replace(None);
    }

    /// No session of this proxy is left that is older than `epoch`. Those of other proxies may acknowledge writes until
    /// their drains end too, at the latest `others` from now, and a client may come from one of them.
    pub fn drained(&self, epoch: Epoch, others: Duration) {
        let end = self.started.elapsed() + others;
        self.update(|gate, _| gate.drained(epoch, end));
        self.want(self.started.elapsed());
    }

    /// A causal read begun at `begun` has passed. Answers how long the barrier took, if this is what ended it.
    pub fn passed(&self, epoch: Epoch, begun: Duration) -> Option<Duration> {
        let now = self.started.elapsed();
        self.update(|gate, state| {
            gate.passed(epoch, begun);
            match state {
                State::Running { since, .. } => {
                    let took = now.saturating_sub(*since);
                    *state = State::Passed(took);
                    Some(took)
                }
                _ => None,
            }
        })
    }

    /// A causal read has failed.
    pub fn failed(&self, cause: &str) {
        self.update(|_, state| {
            if let State::Running { trouble, .. } = state {
                *trouble = Some(cause.to_owned());
            }
        });
    }

    /// Clients are let in without further causal reads.
    pub fn waive(&self, epoch: Epoch, why: State) {
        self.update(|gate, state| {
            gate.waive(epoch);
            *state = why;
        });
    }

    /// Whether the primary of this epoch may be opened.
    #[must_use]
    pub fn is_open(&self, epoch: Epoch) -> bool {
        self.inner().0.is_open(epoch)
    }

    /// Whether nobody has to wait in this epoch, now or later.
    #[must_use]
    pub fn is_settled(&self, epoch: Epoch) -> bool {
        self.settled.load(Ordering::Acquire) == epoch.0
    }

    /// The barrier of the moment, for people.
    #[must_use]
    pub fn state(&self) -> State {
        self.inner().1.clone()
    }

    /// Whether a client that arrived at `arrived` may be let in on the primary of this epoch now.
    #[must_use]
    pub fn admits(&self, epoch: Epoch, arrived: Instant) -> bool {
        let arrived = arrived.saturating_duration_since(self.started);
        self.is_settled(epoch) || self.inner().0.admits(epoch, arrived)
    }

    /// Waits until a client that arrived at `arrived` may be let in on the primary of this epoch. It waits for ever if
    /// that is replaced: race it against the route's bell.
    pub async fn passed_since(&self, epoch: Epoch, arrived: Instant) {
        let mut bell = self.bell.subscribe();
        loop {
            bell.mark_unchanged();
            if self.admits(epoch, arrived) {
                return;
            }
            self.want(arrived.saturating_duration_since(self.started));
            if bell.changed().await.is_err() {
                return;
            }
        }
    }

    fn want(&self, since: Duration) {
        self.wanted.send_if_modified(|wanted| {
            let is_later = since > *wanted;
            *wanted = since.max(*wanted);
            is_later
        });
    }

    fn update<T>(&self, change: impl FnOnce(&mut Gate, &mut State) -> T) -> T {
        let mut inner = self.inner();
        let (gate, state) = &mut *inner;
        let result = change(gate, state);
        if let Some(epoch) = gate.epoch().filter(|_| gate.is_settled()) {
            self.settled.store(epoch.0, Ordering::Release);
        }
        drop(inner);
        self.bell.send_replace(());
        result
    }

    /// Every change is whole when the lock is let go of, also by a thread that panics.
    fn inner(&self) -> MutexGuard<'_, (Gate, State)> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
