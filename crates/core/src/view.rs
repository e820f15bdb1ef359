//! A reading of the election path (`RawView`) and what it means (`View`): candidates in order, the rest with a
//! reason. Whether a reading may be believed is decided in `election`.

use serde::Serialize;

use crate::{AllowList, Epoch, Member, RawMember, Skipped};

/// One reading of the election path: its children and the state of their list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RawView {
    /// The zxid of the last change to the list of children (`pzxid`); 0 where the path does not exist. It only
    /// grows, so of two readings the one with the larger is the newer.
    pub pzxid: i64,
    /// Whether the path exists.
    pub exists: bool,
    /// The children, in no order.
    pub members: Vec<RawMember>,
}

/// The candidates, oldest first, and the children that are none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct View {
    /// Candidates by epoch; the first one leads.
    pub members: Vec<Member>,
    /// Children that are not followed, by epoch.
    pub skipped: Vec<Skipped>,
}

impl View {
    /// Sorts and understands a reading.
    #[must_use]
    pub fn read(raw: &RawView, allowed: &AllowList) -> Self {
        let mut view = Self::default();
        for child in &raw.members {
            match child.read(allowed) {
                Ok(member) => view.members.push(member),
                Err(reason) => {
                    let name = child.name.chars().take(60).collect();
                    view.skipped.push(Skipped { name, epoch: Epoch(child.czxid), reason });
                }
            }
        }
        view.members.sort_by_key(|m| m.epoch);
        view.skipped.sort_by_key(|s| s.epoch);
        view
    }
}
