//! The deadlines of a thread's clients that come straight in; those that have to wait, or begin otherwise, have tokio's
//! timers. Each client has several, and hardly one is ever reached. tokio's would cost a connection four entries in its
//! wheel and a system call, as each new earliest one wakes the driver, and every wait for events a timer of the kernel's. So
//! the clock (`clock`) is another thread's: it is told of the earliest deadline only, not when that is met, and rings in
//! vain now and then.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};

use tokio::time::Instant;

use super::clock::Clock;

/// A deadline and a number of its own: several may be at one time.
type Key = (Instant, u64);

/// The deadlines of one thread.
#[derive(Debug)]
pub struct Deadlines {
    clock: Clock,
    set: RefCell<BTreeMap<Key, Waker>>,
    number: Cell<u64>,
    /// When the clock rings.
    rings: Cell<Option<Instant>>,
    /// Up to when those that were set have been woken.
    woken: Cell<Option<Instant>>,
}

impl Deadlines {
    /// None is set yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        let (set, number) = (RefCell::default(), Cell::default());
        Self { clock, set, number, rings: Cell::default(), woken: Cell::default() }
    }

    /// Wakes those whose time is over, until nobody keeps the clock any more.
    pub async fn run(&self) {
        let mut bell = self.clock.bell();
        while bell.changed().await.is_ok() {
            for waker in self.due(Instant::now()) {
                waker.wake();
            }
            let next = self.set.borrow().first_key_value().map(|((at, _), _)| *at);
            self.ring_at(next);
        }
    }

    fn ring_at(&self, at: Option<Instant>) {
        self.rings.set(at);
        self.clock.ring_at(at);
    }

    fn due(&self, now: Instant) -> Vec<Waker> {
        self.woken.set(Some(now));
        let mut set = self.set.borrow_mut();
        let later = set.split_off(&(now, u64::MAX));
        std::mem::replace(&mut *set, later).into_values().collect()
    }

    fn insert(&self, at: Instant, waker: Waker) -> Key {
        let key = (at, self.number.replace(self.number.get().wrapping_add(1)));
        self.set.borrow_mut().insert(key, waker);
        if self.rings.get().is_none_or(|rings| at < rings) {
            self.ring_at(Some(at));
        }
        key
    }

    fn remove(&self, key: &Key) {
        // A waker may be the last that keeps a task, which has alarms of its own: it is dropped after the borrow.
        let waker = self.set.borrow_mut().remove(key);
        drop(waker);
    }
}

/// The time was over first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Late;

/// One deadline, for one step after the other.
#[derive(Debug)]
pub struct Alarm {
    deadlines: Rc<Deadlines>,
    deadline: Instant,
    set: Option<(Key, Waker)>,
}

impl Alarm {
    /// One at this time.
    #[must_use]
    pub fn at(deadlines: &Rc<Deadlines>, deadline: Instant) -> Self {
        Self { deadlines: Rc::clone(deadlines), deadline, set: None }
    }

    /// When it is.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// For the steps that come, it is at this time.
    pub fn put_off(&mut self, deadline: Instant) {
        self.deadline = deadline;
    }

    /// Does something, at most until the deadline.
    ///
    /// # Errors
    /// The deadline came first.
    pub async fn limit<T>(&mut self, steps: impl Future<Output = T>) -> Result<T, Late> {
        let mut steps = pin!(steps);
        poll_fn(|cx| {
            if let Poll::Ready(done) = steps.as_mut().poll(cx) {
                return Poll::Ready(Ok(done));
            }
            // Whoever has not been woken is not late, so that the time need not be asked for.
            if self.is_due() && Instant::now() >= self.deadline {
                return Poll::Ready(Err(Late));
            }
            self.wake_in_time(cx.waker());
            Poll::Pending
        })
        .await
    }

    fn is_due(&self) -> bool {
        self.set
            .as_ref()
            .is_some_and(|((at, _), _)| self.deadlines.woken.get().is_some_and(|woken| *at <= woken))
    }

    /// Sees to it that this task is woken at the deadline or before. What is set already, for a step before, does as well: an
    /// early wake-up sets it anew.
    fn wake_in_time(&mut self, waker: &Waker) {
        let does = |((at, _), known): &(Key, Waker)| *at <= self.deadline && known.will_wake(waker);
        if self.is_due() || !self.set.as_ref().is_some_and(does) {
            self.unset();
            self.set = Some((self.deadlines.insert(self.deadline, waker.clone()), waker.clone()));
        }
    }

    fn unset(&mut self) {
        if let Some((key, _)) = self.set.take() {
            self.deadlines.remove(&key);
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.unset();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use std::future::pending;
    use std::time::Duration;

    use tokio::task::LocalSet;

    use super::*;
    use crate::proxy::clock::clock;

    const SOON: Duration = Duration::from_millis(20);
    const NEVER: Duration = Duration::from_secs(3600);

    /// Runs steps beside the tasks that wake them.
    async fn beside<T>(steps: impl AsyncFnOnce(Rc<Deadlines>) -> T) -> T {
        let (clock, keeper) = clock();
        let deadlines = Rc::new(Deadlines::new(clock));
        let (woken, local) = (Rc::clone(&deadlines), LocalSet::new());
        local.spawn_local(keeper.run());
        local.spawn_local(async move { woken.run().await });
        local.run_until(steps(deadlines)).await
    }

    #[tokio::test]
    async fn what_takes_too_long_ends_at_its_deadline() {
        beside(async |deadlines| {
            let began = Instant::now();
            let mut alarm = Alarm::at(&deadlines, began + SOON);
            assert_eq!(alarm.limit(pending::<()>()).await, Err(Late));
            assert!(began.elapsed() >= SOON);
        })
        .await;
    }

    #[tokio::test]
    async fn an_earlier_deadline_is_not_kept_waiting_by_a_later_one() {
        beside(async |deadlines| {
            let began = Instant::now();
            let later = Rc::clone(&deadlines);
            tokio::task::spawn_local(
                async move { Alarm::at(&later, began + NEVER).limit(pending::<()>()).await },
            );
            tokio::task::yield_now().await;
            assert_eq!(Alarm::at(&deadlines, began + SOON).limit(pending::<()>()).await, Err(Late));
        })
        .await;
    }

    #[tokio::test]
    async fn one_that_is_put_off_holds_at_the_later_time() {
        beside(async |deadlines| {
            let began = Instant::now();
            let mut alarm = Alarm::at(&deadlines, began + SOON);
            assert_eq!(alarm.limit(tokio::task::yield_now()).await, Ok(()));
            alarm.put_off(began + 2 * SOON);
            assert_eq!(alarm.limit(pending::<()>()).await, Err(Late));
            assert!(began.elapsed() >= 2 * SOON);
        })
        .await;
    }

    #[tokio::test]
    async fn steps_that_go_on_in_another_task_are_woken_there() {
        beside(async |deadlines| {
            let mut alarm = Alarm::at(&deadlines, Instant::now() + SOON);
            let mut steps = Box::pin(async move { alarm.limit(pending::<()>()).await });
            let first = poll_fn(|cx| Poll::Ready(steps.as_mut().poll(cx))).await;
            assert!(first.is_pending());
            assert_eq!(tokio::task::spawn_local(steps).await.unwrap(), Err(Late));
        })
        .await;
    }

    #[tokio::test]
    async fn what_is_over_leaves_nothing_behind() {
        beside(async |deadlines| {
            let mut alarm = Alarm::at(&deadlines, Instant::now() + NEVER);
            assert_eq!(alarm.limit(tokio::task::yield_now()).await, Ok(()));
            drop(alarm);
            assert!(deadlines.set.borrow().is_empty());
        })
        .await;
    }
}
