//! Two znodes written in one transaction of ZooKeeper's, if the first is as the writer knows it. What is in them, and what
//! to do about a conflict, is the caller's.

use zookeeper_client::{CreateMode, Error as ZkError, MultiWriteError};

use super::coordinator::CoordinatorError;
use super::zookeeper::{ZooKeeper, acls};

/// What became of a transaction that ZooKeeper has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// Both znodes are written.
    Both,
    /// Neither is: the first has another version than was said, or there is one, or none, against what was said.
    Conflict,
}

impl ZooKeeper {
    /// Writes a persistent znode whose data has this version, or creates it where none is said; and creates another
    /// one, whose name is a prefix and a number of ZooKeeper's.
    ///
    /// # Errors
    /// The session's. Where the outcome is unknown, both are written or neither.
    pub async fn write_both(
        &self,
        (path, data, version): (&str, &[u8], Option<i32>),
        (prefix, beside): (&str, &[u8]),
    ) -> Result<Written, CoordinatorError> {
        let what = format!("write {path}");
        let options = CreateMode::Persistent.with_acls(acls(self.creator.acl));
        let numbered = CreateMode::PersistentSequential.with_acls(acls(self.creator.acl));
        let mut writer = self.client.new_multi_writer();
        match version {
            Some(version) => writer.add_set_data(path, data, Some(version)),
            None => writer.add_create(path, data, &options),
        }
        .and_then(|()| writer.add_create(prefix, beside, &numbered))
        .map_err(|error| self.failed(&what, &error))?;
        match writer.commit().await {
            Ok(_) => Ok(Written::Both),
            Err(MultiWriteError::OperationFailed {
                index: 0,
                source: ZkError::BadVersion | ZkError::NoNode | ZkError::NodeExists,
            }) => Ok(Written::Conflict),
            Err(error) => Err(self.failed(&what, &error.into())),
        }
    }
}
