//! Makes one request of the registration logic on a session, and puts the answer into its terms. When to make it and
//! what follows from it is not here.

use capitana_core::kin::{Kin, Me};
use capitana_core::registration::{Event, OwnZnode, Request};
use capitana_core::{AllowList, Epoch, MEMBER_PREFIX, Member as Candidate, MemberData, RawMember, View};

use super::registrant::Seen;
use super::status::Others;
use crate::control::coordinator::read_election;
use crate::control::{Coordinator, CoordinatorError, Outcome};
use crate::registrar::{Answer, Look};

/// What the agent's znode is to be.
#[derive(Debug, Clone)]
pub struct Member {
    /// The znode whose children are the candidates.
    pub election_path: String,
    /// Tells this node's znodes from every other's.
    pub guid: String,
    /// The sessions that this process has had.
    pub sessions: Vec<i64>,
    /// The znode's data, but for what is known only when it is created.
    pub data: MemberData,
}

/// Makes `request`. `since_ms` is since when the server is fit, in milliseconds since 1970 UTC.
///
/// # Errors
/// The session's.
pub async fn carry_out<C: Coordinator>(
    session: &C,
    member: Member,
    request: Request,
    since_ms: u64,
) -> Result<Answer<Seen>, CoordinatorError> {
    match request {
        Request::Look => look(session, &member).await,
        Request::EnsurePath => {
            session.ensure_path(&member.election_path).await?;
            Ok(Event::PathReady.into())
        }
        Request::Create => create(session, member, since_ms).await,
        Request::Delete(name) => {
            // Gone is gone, whoever deleted it.
            session.delete(&format!("{}/{name}", member.election_path)).await?;
            Ok(Event::Deleted.into())
        }
        Request::Update(name) => update(session, member, &name, since_ms).await,
    }
}

/// `sync` first: the connected server may lag behind the one that answered before.
async fn look<C: Coordinator>(session: &C, member: &Member) -> Result<Answer<Seen>, CoordinatorError> {
    session.sync(&member.election_path).await?;
    let (view, watch) = read_election(session, &member.election_path).await?;
    let (mut own, mut rival) = (Vec::new(), None);
    for child in &view.members {
        match member.me().kin(child) {
            Kin::Own => own.push(own_znode(child)),
            Kin::Rival(found) => rival = rival.or(Some(found)),
            Kin::Stranger => {}
        }
    }
    let event = Event::Seen { exists: view.exists, own };
    // Whom a proxy allows is not known here: the first that any of them may follow is the first.
    let candidates = View::read(&view, &AllowList::default()).members;
    let others = others(&candidates, &view.members, &member.data);
    let first = candidates.into_iter().next().map(|member| member.name);
    let look = Look { rival: rival.is_some(), seen: Seen { first, others, rival } };
    Ok(Answer { event, watch: Some(watch), look: Some(look) })
}

/// Those that name another server than this agent's. Where another agent is reached is in its data, if it says so.
fn others(candidates: &[Candidate], children: &[RawMember], own: &MemberData) -> Others {
    let is_other = |c: &&Candidate| (c.upstream.host(), c.upstream.port()) != (own.host.as_str(), own.port);
    let others: Vec<_> = candidates.iter().filter(is_other).collect();
    let data = |other: &&Candidate| {
        let child = children.iter().find(|child| child.name == other.name)?;
        serde_json::from_slice::<MemberData>(&child.data).ok()
    };
    let admins = others.iter().filter_map(data).filter_map(|data| data.admin?.parse().ok());
    Others { count: others.len(), admins: admins.collect() }
}

fn own_znode(child: &RawMember) -> OwnZnode {
    OwnZnode { name: child.name.clone(), epoch: Epoch(child.czxid), session: child.ephemeral_owner }
}

impl Member {
    fn me(&self) -> Me<'_> {
        Me {
            guid: &self.guid,
            incarnation: self.data.incarnation,
            sessions: &self.sessions,
            host: &self.data.host,
            port: self.data.port,
        }
    }
}

/// A znode that is gone is a failure like any other: the look that follows shows what is left.
async fn update<C: Coordinator>(
    session: &C,
    member: Member,
    name: &str,
    since_ms: u64,
) -> Result<Answer<Seen>, CoordinatorError> {
    let path = format!("{}/{name}", member.election_path);
    let data = written(member, since_ms, &path)?;
    Ok(if session.write(&path, &data).await? { Event::Updated } else { Event::Failed }.into())
}

/// What stands in the znode.
fn written(member: Member, since_ms: u64, what: &str) -> Result<Vec<u8>, CoordinatorError> {
    let data = MemberData { guid: Some(member.guid), since_ms: Some(since_ms), ..member.data };
    serde_json::to_vec(&data).map_err(|error| CoordinatorError {
        what: format!("write {what}"),
        cause: error.to_string(),
        outcome: Outcome::Refused,
    })
}

async fn create<C: Coordinator>(
    session: &C,
    member: Member,
    since_ms: u64,
) -> Result<Answer<Seen>, CoordinatorError> {
    let prefix = format!("{}/{MEMBER_PREFIX}", member.election_path);
    let data = written(member, since_ms, &prefix)?;
    let (path, stat) = session.create_sequential(&prefix, &data).await?;
    let name = path.rsplit('/').next().unwrap_or(&path).to_owned();
    let znode = OwnZnode { name, epoch: Epoch(stat.czxid), session: stat.ephemeral_owner };
    Ok(Event::Created(znode).into())
}
