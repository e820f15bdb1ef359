//! The rules the drivers keep, and which of them is broken on purpose. A simulator that does not notice a broken rule
//! shows nothing, so there is one for each thing that is checked, and a test for each. The state machines in
//! `capitana_core` are never changed: what is broken is what they are told, or what is done with what they say.

use crate::faults::Kind;

/// A rule that is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// A proxy starts anew with each connection: it forgets what it has seen, and reads without a `sync`.
    ForgetsEpochs,
    /// A proxy believes readings that are older than what it has seen, reads without a `sync`, and tells servers nothing
    /// of what it has seen.
    BelievesStaleReadings,
    /// A proxy takes the number in a znode's name for its age.
    SortsByName,
    /// A proxy keeps the route it has when its session's link was down, and reads again only in its own time.
    DoesNotReread,
    /// An agent lists the candidates without a `sync` before.
    DoesNotSync,
    /// An agent does not see the znodes of its earlier sessions.
    LeavesGhosts,
    /// An agent takes a create without an answer for one that was not carried out.
    TrustsSilence,
    /// An agent registers on a verdict of any age.
    TrustsOldVerdicts,
    /// A cut-off server is fenced only when its session's whole timeout and more has passed.
    FencesLate,
    /// A cut-off server is not fenced if it is not known what became of its znode's creation.
    FencesOnlyWhatItKnows,
    /// A cut-off server is fenced without asking the other agents.
    FencesAlone,
}

impl Broken {
    /// Every one of them, with its name on the command line.
    pub const ALL: [(Self, &'static str); 11] = [
        (Self::ForgetsEpochs, "forgets-epochs"),
        (Self::BelievesStaleReadings, "believes-stale-readings"),
        (Self::SortsByName, "sorts-by-name"),
        (Self::DoesNotReread, "does-not-reread"),
        (Self::DoesNotSync, "does-not-sync"),
        (Self::LeavesGhosts, "leaves-ghosts"),
        (Self::TrustsSilence, "trusts-silence"),
        (Self::TrustsOldVerdicts, "trusts-old-verdicts"),
        (Self::FencesLate, "fences-late"),
        (Self::FencesOnlyWhatItKnows, "fences-only-what-it-knows"),
        (Self::FencesAlone, "fences-alone"),
    ];

    /// The faults under which it shows soonest, the frequent ones several times.
    #[must_use]
    pub fn faults(self) -> &'static [Kind] {
        match self {
            Self::ForgetsEpochs | Self::BelievesStaleReadings => {
                &[Kind::Lag, Kind::Lag, Kind::Cut, Kind::Cut, Kind::Crash, Kind::ReadOnly]
            }
            Self::SortsByName | Self::DoesNotReread => &[Kind::Crash, Kind::ReadOnly, Kind::Cut],
            Self::DoesNotSync | Self::TrustsSilence => {
                &[Kind::Cut, Kind::Lag, Kind::Lag, Kind::ServerCrash, Kind::ReadOnly, Kind::Crash]
            }
            Self::LeavesGhosts => {
                &[Kind::Kill, Kind::Cut, Kind::Cut, Kind::ServerCrash, Kind::Partition, Kind::Outage]
            }
            Self::TrustsOldVerdicts => &[Kind::Stop, Kind::Stop, Kind::Minority, Kind::ReadOnly],
            Self::FencesLate | Self::FencesOnlyWhatItKnows => &[Kind::Cut, Kind::Cut, Kind::ReadOnly],
            Self::FencesAlone => &[Kind::Outage, Kind::Cut],
        }
    }
}
