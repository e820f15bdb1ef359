//! Reads the election path as the daemon does (`src/control/coordinator.rs`): `sync`, the list of children with a watch,
//! then every child at once. One that goes meanwhile is left out.

use crate::client::{Client, Net};
use crate::zookeeper::network::{Op, Reply};
use crate::zookeeper::tree::Znode;

/// What a reading found.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// Whether the path exists.
    pub exists: bool,
    /// The zxid of the last change to the list.
    pub pzxid: i64,
    /// The children, if they were to be read.
    pub members: Vec<Znode>,
    /// The path came into being while it was read: read again.
    pub changed: bool,
}

#[derive(Debug)]
enum Stage {
    Syncing(u32),
    Listing(u32),
    Missing(u32),
    /// The first number that is waited for, and how many.
    Reading(u32, u32),
}

/// A reading under way.
#[derive(Debug)]
pub struct Reading {
    whole: bool,
    stage: Stage,
    found: Found,
}

/// How far a reading is.
#[derive(Debug)]
pub enum Progress {
    /// Not done yet.
    Pending,
    /// Done.
    Done(Found),
    /// A request was not answered.
    Failed,
}

impl Reading {
    /// Begins a reading. `whole`: also of what the children say. `sync`: whether the server is first brought up to date.
    pub fn begin(client: &mut Client, net: &mut Net, whole: bool, sync: bool) -> Self {
        let stage = if sync {
            Stage::Syncing(client.ask(net, Op::Sync))
        } else {
            Stage::Listing(client.ask(net, Op::List))
        };
        Self { whole, stage, found: Found::default() }
    }

    /// Takes in the answer to a request, which may be another's.
    pub fn on_answer(
        &mut self,
        client: &mut Client,
        net: &mut Net,
        xid: u32,
        reply: Option<Reply>,
    ) -> Progress {
        let mine = match self.stage {
            Stage::Syncing(asked) | Stage::Listing(asked) | Stage::Missing(asked) => xid == asked,
            Stage::Reading(first, count) => (first..first + count).contains(&xid),
        };
        let Some(reply) = reply else { return if mine { Progress::Failed } else { Progress::Pending } };
        if !mine {
            return Progress::Pending;
        }
        match (&mut self.stage, reply) {
            (_, Reply::Refused) => return Progress::Failed,
            (Stage::Syncing(_), _) => self.stage = Stage::Listing(client.ask(net, Op::List)),
            (Stage::Listing(_), Reply::Children(names, pzxid)) => {
                self.found = Found { exists: true, pzxid, ..Found::default() };
                return self.read(client, net, &names);
            }
            (Stage::Listing(_), _) => self.stage = Stage::Missing(client.ask(net, Op::Exists)),
            (Stage::Missing(_), reply) => {
                self.found.changed = reply == Reply::Exists(true);
                return Progress::Done(std::mem::take(&mut self.found));
            }
            (Stage::Reading(..), reply) => {
                if let Reply::Znode(Some(znode)) = reply {
                    self.found.members.push(znode);
                }
                if xid_is_last(&self.stage, xid) {
                    return Progress::Done(std::mem::take(&mut self.found));
                }
            }
        }
        Progress::Pending
    }

    fn read(&mut self, client: &mut Client, net: &mut Net, names: &[i32]) -> Progress {
        if !self.whole || names.is_empty() {
            return Progress::Done(std::mem::take(&mut self.found));
        }
        let asked: Vec<u32> = names.iter().map(|name| client.ask(net, Op::Read(*name))).collect();
        self.stage = Stage::Reading(asked[0], names.len() as u32);
        Progress::Pending
    }
}

/// Answers come in the order of the requests.
fn xid_is_last(stage: &Stage, xid: u32) -> bool {
    matches!(stage, Stage::Reading(first, count) if xid + 1 == first + count)
}
