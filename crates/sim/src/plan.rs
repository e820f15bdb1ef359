//! What a seed means before anything happens: how large the system is, how it is configured, and which faults it will
//! meet.

use std::time::Duration;

use crate::agent::AgentSetting;
use crate::agent::lease::Fencing;
use crate::context::{MILLI, Micros, SECOND};
use crate::faults::Kind;
use crate::proxy::ProxySetting;
use crate::random::Random;
use crate::rule::Broken;
use crate::zookeeper::Setting;

/// A system and its faults.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Agents, each with a server.
    pub agents: usize,
    /// Proxies.
    pub proxies: usize,
    /// ZooKeeper.
    pub zookeeper: Setting,
    /// How each agent is started.
    pub agent: AgentSetting,
    /// How each proxy is started.
    pub proxy: ProxySetting,
    /// The last agent is of low priority and waits this long.
    pub delay: Duration,
    /// No fault begins or lasts later.
    pub faults_end: Micros,
    /// Longest time between two faults.
    pub pause: Micros,
    /// Which faults there are, the frequent ones several times.
    pub kinds: Vec<Kind>,
}

impl Plan {
    /// The plan of a seed. With a broken rule the faults are those under which it shows.
    #[must_use]
    pub fn new(seed: u64, broken: Option<Broken>) -> Self {
        let mut random = Random::new(seed ^ 0x5eed);
        let timeout = [SECOND, 2 * SECOND, 4 * SECOND][random.index(3)];
        let fencing = Fencing { on: random.percent(60), quorum: random.percent(60) };
        let delay = Duration::from_secs(if random.percent(20) { 3 } else { 0 });
        Self {
            agents: [1, 2, 2, 3, 3, 3, 3, 4][random.index(8)],
            proxies: [1, 2, 2, 3][random.index(4)],
            zookeeper: zookeeper(&mut random, timeout),
            agent: AgentSetting { timeout, fencing, delay: Duration::ZERO, broken },
            proxy: ProxySetting { timeout, forgetful: random.percent(30), broken },
            delay,
            faults_end: random.between(8 * SECOND, 20 * SECOND),
            pause: [600 * MILLI, 2 * SECOND, 5 * SECOND][random.index(3)],
            kinds: broken.map_or_else(|| kinds(&mut random), |broken| broken.faults().to_vec()),
        }
    }
}

fn zookeeper(random: &mut Random, timeout: Micros) -> Setting {
    let tick = timeout / [2, 3, 4][random.index(3)];
    Setting {
        servers: [1, 3, 3, 3, 5][random.index(5)],
        session_timeout: timeout,
        tick,
        sync_limit: tick * random.between(2, 6),
        counter: if random.percent(25) { i32::MAX - random.below(4) as i32 } else { 0 },
    }
}

/// Faults that are worse together.
const TOGETHER: [&[Kind]; 6] = [
    &[Kind::Cut, Kind::Lag],
    &[Kind::Cut, Kind::Lag, Kind::Outage],
    &[Kind::Cut, Kind::Cut, Kind::Kill],
    &[Kind::Stop, Kind::Crash, Kind::Minority],
    &[Kind::Partition, Kind::ServerCrash, Kind::Lag, Kind::ReadOnly],
    &[Kind::Kill, Kind::Lag, Kind::ServerCrash],
];

/// Some runs meet every kind of fault, others only a few kinds, but those often.
fn kinds(random: &mut Random) -> Vec<Kind> {
    match random.below(10) {
        0..3 => Kind::ALL.to_vec(),
        3..7 => TOGETHER[random.index(TOGETHER.len())].to_vec(),
        _ => (0..random.between(2, 5)).map(|_| Kind::ALL[random.index(Kind::ALL.len())]).collect(),
    }
}
