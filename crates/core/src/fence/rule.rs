//! The rule of `fence-quorum` as one pure function; its table is in `fence`.

use std::fmt;

/// What the other agents say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peers {
    /// Other candidates in the last reading of the election.
    pub others: usize,
    /// Agents that have answered, and freshly.
    pub answered: usize,
    /// Those of them that see ZooKeeper.
    pub seeing: usize,
}

/// What the server says of Galera in its latest check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// It is no Galera node.
    Plain,
    /// It is in the primary component.
    Primary,
    /// It is not, or it has not said so for too long.
    NotPrimary,
}

/// Whether a server that is cut off is fenced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruling {
    /// It is.
    Fence(Why),
    /// It is not.
    Leave(WhyNot),
}

/// Why a server is fenced. Its `Display` is for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Another agent sees ZooKeeper.
    AnotherSees {
        /// How many do.
        seeing: usize,
    },
    /// No other agent answers, and the node is not in the primary component.
    NotPrimary,
    /// No other agent answers, and nothing else tells whether the others go on.
    NobodyAnswers,
    /// The others are not asked.
    Alone,
    /// An earlier run of the agent has set it.
    Remembered,
    /// An attempt to set it failed, and may have set it all the same.
    Unsure,
}

/// Why a server that is cut off is not fenced. Its `Display` is for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhyNot {
    /// The others do not see ZooKeeper either.
    NobodySees {
        /// How many say so.
        answered: usize,
    },
    /// No other agent answers, and the node is in the primary component.
    Primary,
    /// There is nobody else in the election.
    NobodyElse,
}

/// Whether a server is fenced whose agent is cut off from ZooKeeper and may have a znode.
#[must_use]
pub fn rule(peers: Peers, server: Server) -> Ruling {
    match (peers, server) {
        (Peers { seeing: 1.., .. }, _) => Ruling::Fence(Why::AnotherSees { seeing: peers.seeing }),
        (Peers { answered: 1.., .. }, _) => Ruling::Leave(WhyNot::NobodySees { answered: peers.answered }),
        (_, Server::NotPrimary) => Ruling::Fence(Why::NotPrimary),
        (_, Server::Primary) => Ruling::Leave(WhyNot::Primary),
        (Peers { others: 1.., .. }, Server::Plain) => Ruling::Fence(Why::NobodyAnswers),
        (_, Server::Plain) => Ruling::Leave(WhyNot::NobodyElse),
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the agent is cut off from ZooKeeper")?;
        match self {
            Self::AnotherSees { seeing } => write!(f, "; other agents see it: {seeing}"),
            Self::NotPrimary => {
                write!(f, ", no other agent answers, and the node is not in the primary component")
            }
            Self::NobodyAnswers => write!(f, ", and no other agent answers"),
            Self::Alone => write!(f, ", and the others are not asked (fence-quorum is off)"),
            Self::Remembered => write!(f, ", or was before it was restarted"),
            Self::Unsure => write!(f, "; setting the fence failed, and it may be set all the same"),
        }
    }
}

impl fmt::Display for WhyNot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NobodySees { answered } => {
                write!(f, "the other agents do not see ZooKeeper either: {answered} say so")
            }
            Self::Primary => write!(f, "no other agent answers, and the node is in the primary component"),
            Self::NobodyElse => write!(f, "nobody else is in the election"),
        }
    }
}
