//! Makes one request of the registration logic on a session, and puts the answer into its terms. When to make it and
//! what follows from it is not here.

use capitana_core::registration::{Event, OwnZnode, Request};
use capitana_core::{AllowList, Epoch, MEMBER_PREFIX, MemberData, RawMember, View};

use crate::control::coordinator::read_election;
use crate::control::{Coordinator, CoordinatorError, Outcome, Watch};

/// What the agent's znode is to be.
#[derive(Debug, Clone)]
pub struct Member {
    /// The znode whose children are the candidates.
    pub election_path: String,
    /// Tells this agent's znodes from every other's; made anew at each start.
    pub guid: String,
    /// The znode's data, but for what is known only when it is created.
    pub data: MemberData,
}

/// A request that was carried out.
pub struct Answer {
    /// What the registration logic is told.
    pub event: Event,
    /// Completes at the next change of the election, where the request was to look at it.
    pub watch: Option<Watch>,
    /// The first candidate's name, where the request was to look; none: there is no candidate.
    pub first: Option<String>,
}

impl From<Event> for Answer {
    fn from(event: Event) -> Self {
        Self { event, watch: None, first: None }
    }
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
) -> Result<Answer, CoordinatorError> {
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
    }
}

/// `sync` first: the connected server may lag behind the one that answered before.
async fn look<C: Coordinator>(session: &C, member: &Member) -> Result<Answer, CoordinatorError> {
    session.sync(&member.election_path).await?;
    let (view, watch) = read_election(session, &member.election_path).await?;
    let own = view.members.iter().filter(|child| is_own(child, &member.guid)).map(|child| OwnZnode {
        name: child.name.clone(),
        epoch: Epoch(child.czxid),
        session: child.ephemeral_owner,
    });
    let event = Event::Seen { exists: view.exists, own: own.collect() };
    // Whom a proxy allows is not known here: the first that any of them may follow is the first.
    let first = View::read(&view, &AllowList::default()).members.into_iter().next();
    Ok(Answer { event, watch: Some(watch), first: first.map(|member| member.name) })
}

fn is_own(child: &RawMember, guid: &str) -> bool {
    serde_json::from_slice::<MemberData>(&child.data).is_ok_and(|data| data.guid.as_deref() == Some(guid))
}

async fn create<C: Coordinator>(
    session: &C,
    member: Member,
    since_ms: u64,
) -> Result<Answer, CoordinatorError> {
    let prefix = format!("{}/{MEMBER_PREFIX}", member.election_path);
    let data = MemberData { guid: Some(member.guid), since_ms: Some(since_ms), ..member.data };
    let data = serde_json::to_vec(&data).map_err(|error| CoordinatorError {
        what: format!("create {prefix}"),
        cause: error.to_string(),
        outcome: Outcome::Refused,
    })?;
    let (path, stat) = session.create_sequential(&prefix, &data).await?;
    let name = path.rsplit('/').next().unwrap_or(&path).to_owned();
    let znode = OwnZnode { name, epoch: Epoch(stat.czxid), session: stat.ephemeral_owner };
    Ok(Event::Created(znode).into())
}
