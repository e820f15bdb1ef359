//! What the agent says of its server, and why, in words.

use std::fmt;
use std::time::Duration;

use super::proof::Proof;
use super::unfit::Unfit;

/// What the agent says of its server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the server may lead.
    pub fit: bool,
    /// Why, for people.
    pub reason: Reason,
    /// Since when `fit` is as it is, on the clock of `now`.
    pub since: Duration,
    /// What it rests on where it says that the server is fit, and for how long.
    pub proof: Proof,
}

impl Verdict {
    /// Whether too few checks have been made to tell.
    #[must_use]
    pub fn is_undecided(&self) -> bool {
        matches!(
            self.reason,
            Reason::Unfit(Unfit::NotChecked) | Reason::Rising { after: Unfit::NotChecked, .. }
        )
    }
}

/// Why a verdict is as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The last check passed.
    Passed,
    /// Something speaks against the server.
    Unfit(Unfit),
    /// A fit server's last checks did not pass, but not often enough.
    Doubtful {
        /// What the last one found.
        finding: Unfit,
        /// How many in a row did not pass.
        bad: u32,
        /// How many it takes.
        fall: u32,
    },
    /// A fit server has no connection left for the agent, so that nothing is known but that it lives.
    Unseen(String),
    /// An unfit server passes checks, but has not passed enough.
    Rising {
        /// What made it unfit.
        after: Unfit,
        /// How many in a row passed.
        good: u32,
        /// How many it takes.
        rise: u32,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => write!(f, "every check passed"),
            Self::Unfit(unfit) => unfit.fmt(f),
            Self::Doubtful { finding, bad, fall } => write!(f, "still fit, check {bad} of {fall}: {finding}"),
            Self::Unseen(cause) => write!(f, "fit when it was seen last; it cannot be checked: {cause}"),
            Self::Rising { after, good, rise } => {
                write!(f, "{good} of {rise} checks passed; before that: {after}")
            }
        }
    }
}
