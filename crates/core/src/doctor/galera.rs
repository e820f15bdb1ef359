//! Judges Galera's own settings: `wsrep_provider_options` and the cluster's votes. MariaDB's variables are in `server`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::finding::{Finding, Kind, kinds};
use super::units::{duration, is_on, size};

kinds! {
    EVS_INSTALL = Danger "GALERA-EVS-INSTALL",
        "Survivors of a crash wait for the dead node longer than for their own agreement: it fails, and all of them can end up non-Primary.",
        "Keep evs.suspect_timeout below evs.install_timeout: PT5S and PT7.5S are the defaults.";
    EVS_INACTIVE = Warning "GALERA-EVS-INACTIVE",
        "A silent node is put out by each node alone before the others agree on their suspicion, so one bad link splits the cluster.",
        "Keep evs.inactive_timeout at two to three times evs.suspect_timeout: PT15S and PT5S are the defaults.";
    EVS_KEEPALIVE = Warning "GALERA-EVS-KEEPALIVE",
        "With fewer than three keep-alives in the time to suspicion, a packet lost or two put out a node that lives.",
        "Keep evs.keepalive_period at a third of evs.suspect_timeout or below.";
    EVS_CHECK = Warning "GALERA-EVS-CHECK",
        "Silence is looked for so seldom that suspicion comes much later than evs.suspect_timeout says.",
        "Keep evs.inactive_check_period at half of evs.suspect_timeout or below.";
    IGNORE_QUORUM = Danger "GALERA-IGNORE-QUORUM",
        "A part of the cluster that has lost the others goes on taking writes, and so do the others: two primaries, and data that differ.",
        "Set pc.ignore_quorum=false and pc.ignore_sb=false.";
    PC_RECOVERY = Warning "GALERA-PC-RECOVERY",
        "After a power cut of all nodes the cluster does not come back by itself.",
        "Set pc.recovery=true, the default.";
    GCACHE = Warning "GALERA-GCACHE",
        "A node that was away for longer than the write-set cache remembers needs a full state transfer, and a donor.",
        "Set gcache.size to what is written in the longest absence that should do without; 128M is the default.";
    EVEN = Warning "GALERA-EVEN",
        "When an even number of votes is split in half, no half is Primary: the whole cluster stops.",
        "Add a node or an arbitrator (garbd), or give one node another pc.weight.";
    ALONE = Warning "GALERA-ALONE",
        "A cluster of one node has nobody who could take over.",
        "Add two nodes.";
}

/// The smallest write-set cache that is not worth a word: Galera's default.
const GCACHE_DEFAULT: u64 = 128 << 20;

/// `wsrep_provider_options`, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options(BTreeMap<String, String>);

impl Options {
    /// Reads `name = value; name = value; ...`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let pairs = text.split(';').filter_map(|option| option.split_once('='));
        Self(pairs.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect())
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn time(&self, name: &str) -> Option<Duration> {
        duration(self.text(name)?)
    }

    fn is_on(&self, name: &str) -> Option<bool> {
        self.text(name).map(is_on)
    }

    /// What speaks against them.
    #[must_use]
    pub fn examine(&self, subject: &str) -> Vec<Finding> {
        let mut findings = self.timeouts(subject);
        let ignored: Vec<_> = ["pc.ignore_quorum", "pc.ignore_sb"]
            .into_iter()
            .filter(|name| self.is_on(name) == Some(true))
            .collect();
        if !ignored.is_empty() {
            findings.push(IGNORE_QUORUM.at(subject, format!("{} is true", ignored.join(" and "))));
        }
        if self.is_on("pc.recovery") == Some(false) {
            findings.push(PC_RECOVERY.at(subject, "pc.recovery is false"));
        }
        if let Some(text) = self.text("gcache.size")
            && size(text).is_some_and(|bytes| bytes < GCACHE_DEFAULT)
        {
            findings.push(GCACHE.at(subject, format!("gcache.size is {text}")));
        }
        findings
    }

    /// With suspicion as late as the end of the agreement, each round of agreement still counts the dead node, and after
    /// `evs.max_install_timeouts` rounds every survivor is alone (reported in MDEV-38920: suspect and inactive PT1M,
    /// install PT7.5S, one node of seven lost, all others non-Primary).
    fn timeouts(&self, subject: &str) -> Vec<Finding> {
        let Some(suspect) = self.time("evs.suspect_timeout") else { return Vec::new() };
        let against = |kind: Kind, name: &str, bad: &dyn Fn(Duration) -> bool| {
            let other = self.time(name).filter(|other| bad(*other))?;
            Some(kind.at(subject, format!("evs.suspect_timeout is {suspect:?}, {name} is {other:?}")))
        };
        let findings = [
            against(EVS_INSTALL, "evs.install_timeout", &|install| suspect >= install),
            against(EVS_INACTIVE, "evs.inactive_timeout", &|inactive| inactive <= suspect),
            against(EVS_KEEPALIVE, "evs.keepalive_period", &|keepalive| keepalive * 3 > suspect),
            against(EVS_CHECK, "evs.inactive_check_period", &|check| check * 2 > suspect),
        ];
        findings.into_iter().flatten().collect()
    }

    /// How long a crash keeps writers waiting: until the dead node is put out.
    #[must_use]
    pub fn suspect_timeout(&self) -> Option<Duration> {
        self.time("evs.suspect_timeout")
    }
}

/// What speaks against the cluster's votes: `weight` is `wsrep_cluster_weight`, the sum of all `pc.weight`, in which an
/// arbitrator counts as well, and `size` is `wsrep_cluster_size`.
#[must_use]
pub fn votes(subject: &str, size: u64, weight: u64) -> Option<Finding> {
    if size == 1 {
        return Some(ALONE.at(subject, "the cluster has one node"));
    }
    let found = format!("the cluster has {weight} votes on {size} nodes");
    (weight > 0 && weight.is_multiple_of(2)).then(|| EVEN.at(subject, found))
}
