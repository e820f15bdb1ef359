//! Measures how long a server takes for a session's first statement, as an observer of its relay that asks to be left out
//! afterwards.

use std::time::{Duration, Instant};

use capitana_core::EndReason;
use capitana_core::handshake::Seen;

use super::leash::Leash;
use super::relay::{Observer, Progress, Relay};
use super::session::{reason_of, run};
use super::worker::Worker;

/// One session in so many is asked how long its server takes for its first statement.
const SAMPLE: u64 = 64;

/// Measures how long the server takes for the first statement of one session in `SAMPLE`; under TLS it cannot be told
/// from the login. The other sessions never pass here, and this one no longer after its first answer.
pub async fn first_answer(
    worker: &Worker,
    leash: &Leash,
    relay: &mut Relay,
    seen: &Seen,
) -> Option<EndReason> {
    if !leash.id.is_multiple_of(SAMPLE) || seen.tls {
        return None;
    }
    let mut stopwatch = Stopwatch::default();
    let progress = run(worker, leash, relay, &mut stopwatch).await;
    if let Some(took) = stopwatch.took {
        worker.shared.metrics.first_answer_seconds.observe(took.as_secs_f64());
    }
    match progress {
        Ok(Progress::Ended(ended)) => Some(reason_of(ended)),
        Ok(Progress::Paused | Progress::UpstreamEnded) => None,
        Err(reason) => Some(reason),
    }
}

/// From the client's first bytes to the server's first.
#[derive(Debug, Default)]
pub struct Stopwatch {
    asked: Option<Instant>,
    /// The time, once there is one.
    pub took: Option<Duration>,
}

impl Observer for Stopwatch {
    fn to_upstream(&mut self, _: &[u8]) {
        self.asked.get_or_insert_with(Instant::now);
    }

    fn to_client(&mut self, _: &[u8]) {
        if let (Some(asked), None) = (self.asked, self.took) {
            self.took = Some(asked.elapsed());
        }
    }

    fn pause(&self) -> bool {
        self.took.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_the_time_from_the_first_question_to_the_first_answer() {
        let mut stopwatch = Stopwatch::default();
        stopwatch.to_client(b"what the server says of itself");
        assert!(!stopwatch.pause());
        stopwatch.to_upstream(b"question");
        assert!(!stopwatch.pause());
        stopwatch.to_client(b"answer");
        let took = stopwatch.took;
        stopwatch.to_client(b"more");
        assert!(stopwatch.pause() && stopwatch.took == took);
    }
}
