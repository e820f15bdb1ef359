//! Makes a worker's requests of ZooKeeper where its place is a plain lock: one ephemeral znode of a fixed name, held by
//! whoever creates it first. Every program that creates `PATH` ephemerally and watches it while another has it takes part.

use capitana_core::Epoch;
use capitana_core::registration::{Event, OwnZnode};

use super::registrant::{Data, Identity, Seen};
use crate::control::{Coordinator, CoordinatorError, Stat};
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
        if is_own(session, &stat) {
            let epoch = Epoch(stat.czxid);
            own.push(OwnZnode { name: me.path.clone(), epoch, session: stat.ephemeral_owner });
            (seen.own, seen.runs) = (Some((epoch, 0)), true);
        } else {
            seen.held_by = Some(holder(&bytes, stat.ephemeral_owner));
        }
    }
    let look = Look { rival: seen.held_by.is_some(), seen };
    // The parent is made before the znode is.
    Ok(Answer { event: Event::Seen { exists: false, own }, watch: Some(watch), look: Some(look) })
}

/// Gives the lock up, if it is this session's. Its name is everybody's: when the answer to an earlier request of this kind was
/// lost, another may hold it by now.
///
/// What is read here after the `sync` still holds when the deletion is carried out. A znode of a session that lives is deleted
/// by nobody but that session, or an operator; and no earlier request of this session can still do it in between: one on this
/// connection has been carried out before, and one on a connection that the session has left as well, or the leader refuses it
/// (`SessionMoved`). When the session ends in between, the deletion is refused.
pub(super) async fn delete<C: Coordinator>(
    session: &C,
    me: &Identity,
) -> Result<Answer<Seen>, CoordinatorError> {
    session.sync(&me.path).await?;
    if session.read(&me.path).await?.is_some_and(|(_, stat)| is_own(session, &stat)) {
        session.delete(&me.path).await?;
    }
    Ok(Event::Deleted.into())
}

/// The session alone counts. Whoever writes into its znode does not take it; and what an earlier session of this worker has
/// left is held until that one ends, which the watch tells: nobody but that session could delete it for certain.
fn is_own<C: Coordinator>(session: &C, stat: &Stat) -> bool {
    stat.ephemeral_owner == session.session_id()
}

fn holder(bytes: &[u8], session: i64) -> String {
    let data: Data = serde_json::from_slice(bytes).unwrap_or_default();
    let text: String =
        String::from_utf8_lossy(bytes).chars().filter(|c| !c.is_control()).take(SHOWN).collect();
    let who = if data.node.is_empty() { text } else { data.node };
    match session {
        0 => format!("{who} (not ephemeral: it stays until somebody deletes it)"),
        session => format!("{who} (session {session:#x})"),
    }
}
