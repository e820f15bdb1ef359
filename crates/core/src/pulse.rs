//! How long a server has not answered: the bookkeeping of small questions that are put to the primary all the time. A drain
//! thus knows at its beginning that a primary is silent, and need not wait for it to be. Asking is done elsewhere.

use std::time::Duration;

use crate::HostPort;

/// A server that has not answered for so long does not answer.
pub const LIMIT: Duration = Duration::from_secs(1);
/// What even a server gets that was silent before: a connection and a question within a country.
const LEAST: Duration = Duration::from_millis(250);

/// How long a server may take to answer that has been silent already: in all, it has [`LIMIT`].
#[must_use]
pub fn patience(silence: Duration) -> Duration {
    LIMIT.saturating_sub(silence).max(LEAST)
}

/// The primary that is asked, and the one before it.
#[derive(Debug, Clone, Default)]
pub struct Pulse {
    now: Option<Asked>,
    before: Option<Asked>,
}

#[derive(Debug, Clone)]
struct Asked {
    upstream: HostPort,
    /// When the question was put that has no answer yet.
    open_since: Option<Duration>,
    /// When nobody listened for answers any more.
    until: Option<Duration>,
}

impl Pulse {
    /// From now on this server is asked, and the one before it not any more.
    pub fn follow(&mut self, upstream: &HostPort, now: Duration) {
        let next = Asked { upstream: upstream.clone(), open_since: None, until: None };
        self.before = self.now.replace(next).map(|asked| Asked { until: Some(now), ..asked });
    }

    /// A question is put.
    pub fn asked(&mut self, now: Duration) {
        if let Some(asked) = &mut self.now {
            asked.open_since = Some(now);
        }
    }

    /// It is answered, or nobody waits for its answer: a connection that is refused or breaks is no silence.
    pub fn answered(&mut self) {
        if let Some(asked) = &mut self.now {
            asked.open_since = None;
        }
    }

    /// How long a server had left a question open when it was last listened to. Of one that is not known, nothing.
    #[must_use]
    pub fn silence(&self, upstream: &HostPort, now: Duration) -> Duration {
        let known = self.now.iter().chain(&self.before).find(|asked| asked.upstream == *upstream);
        let open = known.and_then(|asked| Some((asked.open_since?, asked.until.unwrap_or(now))));
        open.map_or(Duration::ZERO, |(since, until)| until.saturating_sub(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upstream(name: &str) -> HostPort {
        name.parse().unwrap()
    }

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn asked_at(millis: u64) -> Pulse {
        let mut pulse = Pulse::default();
        pulse.follow(&upstream("a"), ms(0));
        pulse.asked(ms(millis));
        pulse
    }

    #[test]
    fn a_server_is_silent_from_the_question_that_it_left_open() {
        let mut pulse = asked_at(500);
        assert_eq!(pulse.silence(&upstream("a"), ms(1_700)), ms(1_200));
        pulse.answered();
        assert_eq!(pulse.silence(&upstream("a"), ms(1_700)), ms(0));
    }

    #[test]
    fn time_in_which_nobody_listened_is_no_silence() {
        let mut pulse = asked_at(500);
        pulse.follow(&upstream("b"), ms(510));
        assert_eq!(pulse.silence(&upstream("a"), ms(9_000)), ms(10));
        assert_eq!(pulse.silence(&upstream("b"), ms(9_000)), ms(0));
    }

    #[test]
    fn a_server_that_leads_again_is_not_silent_for_what_was() {
        let mut pulse = asked_at(500);
        pulse.follow(&upstream("b"), ms(5_000));
        pulse.follow(&upstream("a"), ms(6_000));
        assert_eq!(pulse.silence(&upstream("a"), ms(6_100)), ms(0));
    }

    #[test]
    fn a_server_has_a_second_in_all_and_a_quarter_of_one_after_its_silence() {
        assert_eq!([0, 400, 900, 5_000].map(|silence| patience(ms(silence))), [1_000, 600, 250, 250].map(ms));
    }
}
