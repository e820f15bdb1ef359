//! How long Galera's receive queue is, as it is published for proxies: told at once when it has grown, and only after a
//! while when it has shrunk, so that a queue that comes and goes costs ZooKeeper few writes. It owns the bands and the
//! times; reading the queue and writing the znode are elsewhere.

use std::time::Duration;

/// Between two publications. Each is a write in ZooKeeper, and an event for every proxy that follows lags.
const LEAST: Duration = Duration::from_secs(2);
/// A queue has to have been shorter for so long before that is told.
const CALM: Duration = Duration::from_secs(5);
/// How much longer than published a queue may be untold: a quarter, or so many write sets.
const SLACK: u64 = 4;

/// What is published of one server's queue.
#[derive(Debug, Default)]
pub struct Lag {
    published: Option<u64>,
    published_at: Duration,
    /// Since when the queue has been short enough to tell, and the longest it was since then.
    calm: Option<(Duration, u64)>,
}

impl Lag {
    /// A check has read a queue of so many write sets. Answers what is to be published now, if anything is.
    pub fn read(&mut self, queue: u64, now: Duration) -> Option<u64> {
        let Some(published) = self.published else { return self.publish(queue, now) };
        if queue <= published / 2 && queue < published {
            let (since, longest) = self.calm.unwrap_or((now, queue));
            let longest = longest.max(queue);
            self.calm = Some((since, longest));
            let is_calm = now.saturating_sub(since) >= CALM;
            return is_calm.then_some(longest).and_then(|longest| self.publish(longest, now));
        }
        self.calm = None;
        let is_news = queue > published.saturating_add((published / 4).max(SLACK));
        let may = now.saturating_sub(self.published_at) >= LEAST;
        (is_news && may).then_some(queue).and_then(|queue| self.publish(queue, now))
    }

    fn publish(&mut self, queue: u64, now: Duration) -> Option<u64> {
        *self = Self { published: Some(queue), published_at: now, calm: None };
        Some(queue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Reads one queue a second; what is published, and when.
    fn published(queues: impl IntoIterator<Item = u64>) -> Vec<(u64, u64)> {
        let mut lag = Lag::default();
        let read = |(second, queue)| lag.read(queue, at(second)).map(|queue| (second, queue));
        (0..).zip(queues).filter_map(read).collect()
    }

    #[test]
    fn the_first_reading_is_published() {
        assert_eq!(published([7]), [(0, 7)]);
    }

    #[test]
    fn a_queue_that_grows_is_told_at_once_and_then_every_two_seconds_at_most() {
        assert_eq!(published([0, 0, 5, 50, 500, 5000, 50000]), [(0, 0), (2, 5), (4, 500), (6, 50000)]);
    }

    #[test]
    fn small_changes_are_not_told() {
        assert_eq!(published([0, 4, 3, 4, 0, 2, 4, 1, 4]), [(0, 0)]);
        assert_eq!(published([100, 125, 60, 110, 125, 51]), [(0, 100)]);
    }

    #[test]
    fn a_queue_that_shrinks_is_told_when_it_has_been_short_for_five_seconds() {
        assert_eq!(published([100, 0, 10, 0, 0, 0, 0, 0]), [(0, 100), (6, 10)]);
    }

    #[test]
    fn one_that_comes_and_goes_stays_at_its_height() {
        let waves = (0..600).map(|second| if second % 4 == 0 { 1000 } else { 0 });
        assert_eq!(published(waves), [(0, 1000)]);
    }

    #[test]
    fn whatever_the_queue_does_there_is_a_write_every_two_seconds_at_most() {
        let mut random = 88_172_645_463_325_252_u64;
        let mut noise = std::iter::repeat_with(|| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random >> (random % 64)
        });
        let told = published(noise.by_ref().take(10_000));
        assert!(told.windows(2).all(|pair| pair[1].0 - pair[0].0 >= 2), "{told:?}");
    }
}
