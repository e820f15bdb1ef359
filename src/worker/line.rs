//! Makes a worker's requests of ZooKeeper where it stands in line: `/workers/NAME/worker-NNNNNNNNNN`, ephemeral and
//! sequential. The list of children is read without a watch: a watch on it would wake everybody at each change.

use capitana_core::Epoch;
use capitana_core::registration::{Event, OwnZnode};
use capitana_core::worker::{Claim, Place, place};
use futures_util::future::{select_all, try_join_all};

use super::registrant::{Data, Identity, Seen};
use crate::control::{Coordinator, CoordinatorError, Stat, Watch};
use crate::registrar::{Answer, Look};

/// What begins the name of a place in line.
const PREFIX: &str = "worker-";

/// One child of the line.
struct Child {
    name: String,
    data: Data,
    stat: Stat,
}

/// Makes the line, where it is the first to stand in it.
pub(super) async fn ensure_path<C: Coordinator>(session: &C, me: &Identity) -> Result<(), CoordinatorError> {
    session.ensure_path(&me.path).await
}

/// Takes a place at the end.
pub(super) async fn create<C: Coordinator>(
    session: &C,
    me: &Identity,
) -> Result<Answer<Seen>, CoordinatorError> {
    let (path, stat) = session.create_sequential(&format!("{}/{PREFIX}", me.path), &me.data()).await?;
    let name = path.rsplit('/').next().unwrap_or(&path).to_owned();
    Ok(Answer { watch: Some(at_once()), ..Event::Created(own(name, stat)).into() })
}

/// A place that is new has to be looked at.
fn at_once() -> Watch {
    Box::pin(std::future::ready(()))
}

fn own(name: String, stat: Stat) -> OwnZnode {
    OwnZnode { name, epoch: Epoch(stat.czxid), session: stat.ephemeral_owner }
}

/// Reads the line. `sync` first: the connected server may lag behind the one that answered before.
pub(super) async fn look<C: Coordinator>(
    session: &C,
    me: &Identity,
) -> Result<Answer<Seen>, CoordinatorError> {
    session.sync(&me.path).await?;
    let names = session.list(&me.path).await?;
    let exists = names.is_some();
    let reads = names.into_iter().flatten().filter(|name| name.starts_with(PREFIX));
    let reads = reads.map(|name| read(session, &me.path, name));
    // One that goes while it is read is left out; a persistent one would stand in line for ever.
    let children: Vec<_> = try_join_all(reads).await?.into_iter().flatten().collect();
    let mine = |child: &&Child| me.owns(&child.data);
    let found: Vec<_> =
        children.iter().filter(mine).map(|child| own(child.name.clone(), child.stat)).collect();
    let current =
        found.iter().filter(|znode| znode.session == session.session_id()).min_by_key(|znode| znode.epoch);
    let mut seen = Seen { own: None, runs: false, held_by: None };
    let mut watch = None;
    if let Some(current) = current {
        let claims: Vec<_> = children.iter().map(claim).collect();
        let (before, names) = match place(&claims, current.epoch, me.terms) {
            Place::Runs => (
                claims.iter().filter(|claim| claim.epoch < current.epoch).count(),
                vec![current.name.clone()],
            ),
            Place::Waits { before, watch } => (before, watch),
        };
        seen.runs = names == [current.name.as_str()];
        seen.own = Some((current.epoch, before));
        watch = Some(follow(session, &me.path, names).await?);
    }
    let look = Look { rival: false, seen };
    Ok(Answer { event: Event::Seen { exists, own: found }, watch, look: Some(look) })
}

fn claim(child: &Child) -> Claim {
    Claim { name: child.name.clone(), epoch: Epoch(child.stat.czxid), exclusive: child.data.exclusive }
}

async fn read<C: Coordinator>(
    session: &C,
    path: &str,
    name: String,
) -> Result<Option<Child>, CoordinatorError> {
    let Some((data, stat)) = session.read(&format!("{path}/{name}")).await? else { return Ok(None) };
    if stat.ephemeral_owner == 0 {
        tracing::debug!(name, "not in line: it is not ephemeral");
        return Ok(None);
    }
    // Who writes something else has a place all the same, and no wish to be alone.
    Ok(Some(Child { name, data: serde_json::from_slice(&data).unwrap_or_default(), stat }))
}

/// Completes when the first of these goes, at once if one has gone already.
async fn follow<C: Coordinator>(
    session: &C,
    path: &str,
    names: Vec<String>,
) -> Result<Watch, CoordinatorError> {
    let watches = names.iter().map(async |name| session.read_and_watch(&format!("{path}/{name}")).await);
    let found = try_join_all(watches).await?;
    if found.iter().any(|(znode, _)| znode.is_none()) {
        return Ok(at_once());
    }
    let watches: Vec<_> = found.into_iter().map(|(_, watch)| watch).collect();
    Ok(Box::pin(async move {
        select_all(watches).await;
    }))
}
