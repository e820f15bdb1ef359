//! Asks the other agents whether they see ZooKeeper, and remembers where they are. What follows from the answers is
//! decided in `capitana_core::fence`.

use std::time::Duration;

use capitana_core::HostPort;
use capitana_core::fence::Round;
use futures_util::future::join_all;
use serde_json::Value;
use tokio::time::timeout;

use crate::admin::client;
use crate::clock::BootClock;

/// Agents that are remembered: one that has no znode at the moment may have one when this agent is cut off.
const REMEMBERED: usize = 16;

/// Where the other agents are: those of the last reading of the election, and those of earlier ones.
#[derive(Debug, Default)]
pub struct Peers(Vec<HostPort>);

impl Peers {
    /// Takes in a reading. Those that were seen last are the last to be forgotten.
    pub fn see(&mut self, seen: &[HostPort]) {
        self.0.retain(|known| !seen.contains(known));
        self.0.splice(0..0, seen.iter().cloned());
        self.0.truncate(REMEMBERED);
    }

    /// Asks all of them at once; each may take `limit`.
    pub fn ask(&self, limit: Duration) -> impl Future<Output = Round> + Send + use<> {
        let peers = self.0.clone();
        async move {
            let begun = BootClock.now();
            let answers = join_all(peers.iter().map(|peer| timeout(limit, sees(peer)))).await;
            let answers: Vec<bool> = answers.into_iter().filter_map(|answer| answer.ok()?).collect();
            Round { begun, answered: answers.len(), seeing: answers.iter().filter(|sees| **sees).count() }
        }
    }
}

/// Whether this agent sees ZooKeeper; none: it does not answer, or not as an agent that can tell.
async fn sees(peer: &HostPort) -> Option<bool> {
    match client::status(peer).await {
        Ok(status) => told(&status),
        Err(cause) => {
            tracing::debug!(%peer, cause, "another agent does not answer");
            None
        }
    }
}

/// An agent that has never had a lease says null, and does not see ZooKeeper.
fn told(status: &Value) -> Option<bool> {
    match status.get("zookeeper_lease")? {
        Value::Null => Some(false),
        lease => lease.get("held")?.as_bool(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn peer(number: usize) -> HostPort {
        HostPort::new(&format!("db{number}"), 9308).unwrap_or_else(|_| std::process::abort())
    }

    #[test]
    fn an_agent_says_by_its_lease_whether_it_sees_zookeeper() {
        assert_eq!(
            told(&json!({"zookeeper_lease": {"age_ms": 5, "timeout_ms": 6000, "held": true}})),
            Some(true)
        );
        assert_eq!(told(&json!({"zookeeper_lease": {"age_ms": 3000, "held": false}})), Some(false));
        assert_eq!(told(&json!({"zookeeper_lease": null})), Some(false));
    }

    #[test]
    fn whoever_says_nothing_of_a_lease_has_not_answered() {
        assert_eq!(told(&json!({"version": "0.1.0"})), None);
        assert_eq!(told(&json!({"zookeeper_lease": {}})), None);
        assert_eq!(told(&json!("ok")), None);
    }

    #[test]
    fn agents_that_have_left_are_remembered_and_the_oldest_are_forgotten() {
        let mut peers = Peers::default();
        for number in 0..REMEMBERED + 2 {
            peers.see(&[peer(number)]);
        }
        peers.see(&[peer(2)]);
        assert_eq!(peers.0.len(), REMEMBERED);
        assert_eq!(peers.0[..2], [peer(2), peer(REMEMBERED + 1)]);
        assert!(!peers.0.contains(&peer(1)));
    }
}
