//! What the daemon asks of a coordination service, small enough to be faked in a test. Owns no connection and
//! decides nothing.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use capitana_core::{RawMember, RawView};
use futures_util::future::{select_all, try_join_all};

/// Whether a failed request may have been carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The service refused it: nothing was changed.
    Refused,
    /// Refused for lack of rights: nothing was changed, and it will be so until a setting or an ACL changes.
    Denied,
    /// The reply was lost: it may have been carried out, also later.
    Unknown,
    /// The session is over and cannot be used again: make a new one. Its ephemeral znodes are gone or will be.
    SessionOver,
}

/// A request that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("ZooKeeper: {what}: {cause}")]
pub struct CoordinatorError {
    /// What was asked, for people: `create /mariadb/primary/node-`.
    pub what: String,
    /// Why it failed, for people.
    pub cause: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// The state of a session's link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkState {
    /// Requests are answered.
    Connected,
    /// Cut off; the session may still be resumed by the client library.
    Disconnected,
    /// The session is over: expired, closed or not authenticated.
    Over,
}

/// What is known of a znode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// The zxid of its creation.
    pub czxid: i64,
    /// The session that owns it; 0 for a persistent one.
    pub ephemeral_owner: i64,
    /// The zxid of the last change of its data.
    pub mzxid: i64,
    /// How often its data was changed.
    pub version: i32,
    /// When its data was changed last, in milliseconds since 1970 UTC.
    pub modified_ms: i64,
}

/// A znode's data and what is known of it; none if there is none.
pub type Found = Option<(Vec<u8>, Stat)>;

/// Completes when something about the watched znode may have changed. It says nothing more: read again.
pub type Watch = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A list of children with its state and a one-shot watch.
pub struct Children {
    /// Names, without the parent, in no order.
    pub names: Vec<String>,
    /// The zxid of the last change to this list.
    pub pzxid: i64,
    /// Whether the parent exists; where not, the watch waits for its creation.
    pub exists: bool,
    /// Completes at the next change of the list.
    pub watch: Watch,
}

/// One session with a coordination service.
pub trait Coordinator: Send + Sync + 'static {
    /// The session's id, the `ephemeral_owner` of what it creates.
    fn session_id(&self) -> i64;

    /// The session timeout that was agreed on.
    fn session_timeout(&self) -> Duration;

    /// Waits for the next change of the link's state. One caller at a time; dropping the future loses nothing.
    fn link_changed(&self) -> impl Future<Output = LinkState> + Send;

    /// Brings the connected server up to what the leader has seen.
    fn sync(&self, path: &str) -> impl Future<Output = Result<(), CoordinatorError>> + Send;

    /// Lists children and leaves a one-shot watch. A missing parent is an empty list.
    fn children(&self, path: &str) -> impl Future<Output = Result<Children, CoordinatorError>> + Send;

    /// Lists children without a watch. None: there is no such znode.
    fn list(&self, path: &str) -> impl Future<Output = Result<Option<Vec<String>>, CoordinatorError>> + Send;

    /// Reads a znode. None if there is none.
    fn read(&self, path: &str) -> impl Future<Output = Result<Found, CoordinatorError>> + Send;

    /// Reads a znode and leaves a one-shot watch on it, also on one that is not there.
    fn read_and_watch(
        &self,
        path: &str,
    ) -> impl Future<Output = Result<(Found, Watch), CoordinatorError>> + Send;

    /// Creates an ephemeral znode of this name. Answers false if there is one of the name already, whosever it is.
    fn create(&self, path: &str, data: &[u8]) -> impl Future<Output = Result<bool, CoordinatorError>> + Send;

    /// Writes a znode's data, whatever it was. Answers false if there is none.
    fn write(&self, path: &str, data: &[u8]) -> impl Future<Output = Result<bool, CoordinatorError>> + Send;

    /// Creates `prefix` plus a sequence number, ephemeral. Answers the whole path and its stat.
    fn create_sequential(
        &self,
        prefix: &str,
        data: &[u8],
    ) -> impl Future<Output = Result<(String, Stat), CoordinatorError>> + Send;

    /// Deletes a znode. Answers false if there was none.
    fn delete(&self, path: &str) -> impl Future<Output = Result<bool, CoordinatorError>> + Send;

    /// Creates a persistent znode and its parents where they are missing.
    fn ensure_path(&self, path: &str) -> impl Future<Output = Result<(), CoordinatorError>> + Send;

    /// Ends the session, and waits until the service has: the session's ephemeral znodes are gone then.
    fn close(self) -> impl Future<Output = ()> + Send;
}

/// Reads the election path whole: the children with their data, and the watch on their list. A child that goes
/// while it is read is left out; the watch will tell. The children are asked for at once, so that
/// a thousand of them do not keep a change of the primary waiting for as many round trips.
///
/// # Errors
/// The request that failed.
pub async fn read_election<C: Coordinator>(
    session: &C,
    path: &str,
) -> Result<(RawView, Watch), CoordinatorError> {
    let children = session.children(path).await?;
    let reads = children.names.into_iter().map(|name| read_member(session, path, name));
    let members = try_join_all(reads).await?.into_iter().flatten().collect();
    Ok((RawView { pzxid: children.pzxid, exists: children.exists, members }, children.watch))
}

/// The same; the watch also completes when a candidate's data changes, which members' lags do.
///
/// # Errors
/// The request that failed.
pub async fn read_election_closely<C: Coordinator>(
    session: &C,
    path: &str,
) -> Result<(RawView, Watch), CoordinatorError> {
    let children = session.children(path).await?;
    let reads = children.names.into_iter().map(|name| read_member_closely(session, path, name));
    let read = try_join_all(reads).await?.into_iter();
    let (members, mut watches): (Vec<_>, Vec<_>) = read.unzip();
    watches.push(children.watch);
    let view = RawView {
        pzxid: children.pzxid,
        exists: children.exists,
        members: members.into_iter().flatten().collect(),
    };
    Ok((view, Box::pin(async move { drop(select_all(watches).await) })))
}

async fn read_member_closely<C: Coordinator>(
    session: &C,
    path: &str,
    name: String,
) -> Result<(Option<RawMember>, Watch), CoordinatorError> {
    let (found, watch) = session.read_and_watch(&format!("{path}/{name}")).await?;
    Ok((found.map(|found| raw_member(name, found)), watch))
}

async fn read_member<C: Coordinator>(
    session: &C,
    path: &str,
    name: String,
) -> Result<Option<RawMember>, CoordinatorError> {
    let read = session.read(&format!("{path}/{name}")).await?;
    Ok(read.map(|found| raw_member(name, found)))
}

fn raw_member(name: String, (data, stat): (Vec<u8>, Stat)) -> RawMember {
    RawMember { name, czxid: stat.czxid, ephemeral_owner: stat.ephemeral_owner, data }
}
