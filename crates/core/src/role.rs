//! What a listener leads its clients to.

use std::fmt;

use serde::Serialize;

/// What a listener leads its clients to. A field of the log, a label of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The elected primary.
    Primary,
    /// One of the members that serve reads.
    Replica,
}

impl Role {
    /// Both, so that each metric exists from the start.
    pub const ALL: [Self; 2] = [Self::Primary, Self::Replica];

    /// The role as a metric's label and a log's field.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Replica => "replica",
        }
    }

    /// The position in `ALL`, for tables by role.
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}
