//! A clock for a relay thread, kept by another: a thread with a timer of its own has the kernel set one for every wait for
//! events. It rings once at a time; what that is about is `deadlines`'.

use std::future::pending;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// The way to the clock and back.
#[derive(Debug)]
pub struct Clock {
    /// When it is to ring.
    at: watch::Sender<Option<Instant>>,
    bell: watch::Receiver<()>,
}

/// The other side of a clock, for the thread that keeps the time.
#[derive(Debug)]
pub struct ClockKeeper {
    at: watch::Receiver<Option<Instant>>,
    bell: watch::Sender<()>,
}

impl Clock {
    /// Has it ring at this time, in place of whatever it was told before; none: not at all.
    pub fn ring_at(&self, at: Option<Instant>) {
        self.at.send_replace(at);
    }

    /// What rings.
    #[must_use]
    pub fn bell(&self) -> watch::Receiver<()> {
        self.bell.clone()
    }
}

/// A clock and who keeps it.
#[must_use]
pub fn clock() -> (Clock, ClockKeeper) {
    let ((at, told), (bell, rung)) = (watch::channel(None), watch::channel(()));
    (Clock { at, bell: rung }, ClockKeeper { at: told, bell })
}

impl ClockKeeper {
    /// Rings when it is time, until the thread that is rung for has ended.
    pub async fn run(mut self) {
        loop {
            let at = *self.at.borrow_and_update();
            let over = async {
                match at {
                    Some(at) => sleep_until(at).await,
                    None => pending().await,
                }
            };
            let told = tokio::select! {
                told = self.at.changed() => told,
                () = over => {
                    self.bell.send_replace(());
                    self.at.changed().await
                }
            };
            if told.is_err() {
                return;
            }
        }
    }
}
