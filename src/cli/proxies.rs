//! What proxies say of themselves: `GET /status` on the admin endpoint of each, all at once, each in its time.
//! What is done with the answers is `status`'s.

use std::time::Duration;

use capitana_core::{Epoch, HostPort};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::wait::patiently;
use crate::admin::client;

/// What one proxy said.
#[derive(Debug, Serialize)]
pub(super) struct Proxy {
    /// Its admin address.
    pub(super) address: HostPort,
    /// Its answer.
    #[serde(flatten)]
    pub(super) answer: Answer,
}

/// A proxy's answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Answer {
    /// Its `/status`, as it came.
    Status(serde_json::Value),
    /// Why there is none.
    Error(String),
}

/// The part of a proxy's `/status` that is shown in a table. Every field may be missing in another version.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Shown {
    /// Whether clients are served.
    pub(super) ready: bool,
    /// Why not.
    pub(super) not_ready_because: Option<String>,
    /// The primary that is followed.
    pub(super) route: Option<ShownRoute>,
    /// What it says of the election; none with a fixed primary.
    pub(super) election: Option<ShownElection>,
    /// Who serves as a replica.
    pub(super) replicas: ShownReplicas,
    /// Sessions.
    pub(super) sessions: Sessions,
}

/// Who serves as a replica.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ShownReplicas {
    /// Where clients that only read are accepted. Empty: nowhere.
    pub(super) listen: Vec<String>,
    /// The members that serve.
    pub(super) members: Vec<ShownReplica>,
    /// Whether that is the primary, for want of a replica.
    pub(super) by_fallback: bool,
    /// The other members.
    pub(super) aside: Vec<ShownAside>,
}

/// A member that serves.
#[derive(Debug, Deserialize)]
pub(super) struct ShownReplica {
    /// Its address.
    pub(super) upstream: String,
    /// Its share of the sessions.
    pub(super) weight: u32,
    /// Sessions it has from the proxy.
    pub(super) sessions: u64,
}

/// A member that does not serve.
#[derive(Debug, Deserialize)]
pub(super) struct ShownAside {
    /// Its address.
    pub(super) upstream: String,
    /// Why.
    pub(super) reason: String,
}

/// What a proxy says of the election.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ShownElection {
    /// The primary that is elected, its barrier passed or not.
    pub(super) primary: Option<ShownRoute>,
}

/// The primary that a proxy follows.
#[derive(Debug, Deserialize)]
pub(super) struct ShownRoute {
    /// Its epoch.
    pub(super) epoch: i64,
    /// Its address.
    pub(super) upstream: String,
}

/// How many sessions a proxy has.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Sessions {
    /// All there are, waiting ones included.
    #[serde(rename = "active")]
    pub(super) all: i64,
    /// Those of them that wait for a server.
    pub(super) held: i64,
}

/// Asks every proxy, and answers in the order of `addresses`.
pub(super) async fn ask(addresses: Vec<HostPort>, limit: Duration) -> Vec<Proxy> {
    let mut asked = JoinSet::new();
    for (place, address) in addresses.into_iter().enumerate() {
        asked.spawn(async move { (place, one(address, limit).await) });
    }
    let mut answered = patiently("the proxies", limit, asked.join_all()).await;
    answered.sort_by_key(|(place, _)| *place);
    answered.into_iter().map(|(_, proxy)| proxy).collect()
}

/// The newest epoch that a proxy says it follows, of those that answered.
pub(super) fn newest_epoch(proxies: &[Proxy]) -> Option<Epoch> {
    let elected = proxies.iter().filter_map(|proxy| match &proxy.answer {
        Answer::Status(status) => Shown::deserialize(status).ok()?.election?.primary,
        Answer::Error(_) => None,
    });
    elected.map(|route| Epoch(route.epoch)).max()
}

async fn one(address: HostPort, limit: Duration) -> Proxy {
    let answer = match timeout(limit, client::status(&address)).await {
        Ok(Ok(status)) => Answer::Status(status),
        Ok(Err(why)) => Answer::Error(why),
        Err(_) => Answer::Error(format!("no answer within {}", humantime::format_duration(limit))),
    };
    Proxy { address, answer }
}
