//! What a finding is: its kind, which is a stable code with a severity, a reason and a remedy, and what was found where.
//! Which findings there are is said in the modules beside this one.

use serde::Serialize;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know: nothing has to be done.
    Info,
    /// A fault will cost more than it has to.
    Warning,
    /// Acknowledged writes can be lost, two primaries can be, or somebody can take clients elsewhere; or what capitana
    /// needs is not there.
    Danger,
}

impl Severity {
    /// Its name, as in the JSON.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Danger => "danger",
        }
    }
}

/// What can be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Kind {
    /// What scripts know it by: it never changes its meaning.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Why it matters.
    pub why: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

impl Kind {
    /// This kind was found at `subject`: `found` says what, in one line.
    #[must_use]
    pub fn at(self, subject: &str, found: impl Into<String>) -> Finding {
        Finding { kind: self, subject: subject.to_owned(), found: found.into() }
    }
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What kind of thing.
    #[serde(flatten)]
    pub kind: Kind,
    /// Where: `ZooKeeper zk1:2181`, `MariaDB db1:3306`, `this host`.
    pub subject: String,
    /// What, in one line.
    pub found: String,
}

/// The worst severity among `findings`.
#[must_use]
pub fn worst(findings: &[Finding]) -> Option<Severity> {
    findings.iter().map(|finding| finding.kind.severity).max()
}

/// Writes kinds as constants, and the list of them.
macro_rules! kinds {
    ($( $name:ident = $severity:ident $code:literal, $why:literal, $remedy:literal; )*) => {
        $(
            #[doc = $why]
            pub const $name: $crate::doctor::Kind = $crate::doctor::Kind {
                code: $code,
                severity: $crate::doctor::Severity::$severity,
                why: $why,
                remedy: $remedy,
            };
        )*

        /// The kinds of findings of this module.
        pub const KINDS: &[$crate::doctor::Kind] = &[$($name),*];
    };
}

pub(super) use kinds;
