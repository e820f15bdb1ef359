//! Makes a worker's requests of ZooKeeper where its place is a plain lock: one ephemeral znode of a fixed name, held by
//! whoever creates it first. Every program that creates `PATH` ephemerally and watches it while another has it takes part.

use capitana_core::Epoch;
use capitana_core::registration::{Event, OwnZnode};

use super::registrant::{Data, Identity, Seen};
use crate::control::{Coordinator, CoordinatorError};
use crate::registrar::{Answer, Look};

/// The longest part of somebody's data that is shown.
const SHOWN: usize = 80;

/// Makes what the lock is below.
pub(super) async fn ensure_path<C: Coordinator>(session: &C, me: &Identity) -> Result<(), CoordinatorError> {
    match me.path.rsplit_once('/').filter(|(parent, _)| !parent.is_empty()) {
        Some((parent, _)) => session.ensure_path(parent).await,
        None => Ok(()),
    }
}

/// Tries to take the lock. Whether it was this or another who has created it, is seen by the look that follows.
pub(super) async fn create<C: Coordinator>(
    session: &C,
    me: &Identity,
) -> Result<Answer<Seen>, CoordinatorError> {
    session.create(&me.path, &me.data()).await?;
    Ok(Event::Failed.into())
}

/// Reads who has it.
pub(super) async fn look<C: Coordinator>(
    session: &C,
    me: &Identity,
) -> Result<Answer<Seen>, CoordinatorError> {
    session.sync(&me.path).await?;
    let (found, watch) = session.read_and_watch(&me.path).await?;
    let (mut own, mut seen) = (Vec::new(), Seen { own: None, runs: false, held_by: None });
    if let Some((bytes, stat)) = found {
        let data: Data = serde_json::from_slice(&bytes).unwrap_or_default();
        // Whoever writes into the znode of this session does not take it.
        let ours = stat.ephemeral_owner == session.session_id();
        if ours || me.owns(&data) {
            let epoch = Epoch(stat.czxid);
            own.push(OwnZnode { name: me.path.clone(), epoch, session: stat.ephemeral_owner });
            (seen.own, seen.runs) = (Some((epoch, 0)), ours);
        } else {
            seen.held_by = Some(holder(&data, &bytes, stat.ephemeral_owner));
        }
    }
    let look = Look { rival: seen.held_by.is_some(), seen };
    // The parent is made before the znode is.
    Ok(Answer { event: Event::Seen { exists: false, own }, watch: Some(watch), look: Some(look) })
}

fn holder(data: &Data, bytes: &[u8], session: i64) -> String {
    let text: String =
        String::from_utf8_lossy(bytes).chars().filter(|c| !c.is_control()).take(SHOWN).collect();
    let who = if data.node.is_empty() { text } else { data.node.clone() };
    match session {
        0 => format!("{who} (not ephemeral: it stays until somebody deletes it)"),
        session => format!("{who} (session {session:#x})"),
    }
}
