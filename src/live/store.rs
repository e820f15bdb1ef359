//! Where settings are in ZooKeeper: the current ones in one znode for each kind of daemon, and beside it a list of the
//! versions there have been, each written in one transaction with the current ones. It reads and writes them; what they say
//! is not known here.
//!
//! `<config-path>/proxy` holds TOML and nothing else, so that any tool can write it. `<config-path>/proxy-history/NNNNNNNNNN`
//! holds JSON: the version, who wrote it, why, and the TOML.

use capitana_core::liveconfig::{Current, Revision};
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};

use crate::config::keys::Kind;
use crate::control::{Coordinator, CoordinatorError, Stat, Watch, Written, ZooKeeper};

/// The longest settings that are read or written. Every setting there is, with a comment each, is a tenth of it; and a
/// transaction that writes them twice stays below ZooKeeper's limit for a request (`jute.maxbuffer`, 1 MB).
pub const LONGEST: usize = 256 * 1024;

/// How many versions are kept.
const KEPT: usize = 50;

/// The settings of one kind of daemon in ZooKeeper.
#[derive(Debug, Clone)]
pub struct Store {
    path: String,
}

/// A version that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The version. Its time and zxid are those of its transaction.
    pub revision: Revision,
    /// Who wrote it: `user@host`.
    pub by: String,
    /// Why, if that was said.
    pub message: Option<String>,
}

/// The data of a znode in the list.
#[derive(Serialize, Deserialize)]
struct Entry {
    version: i32,
    by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    settings: String,
}

/// A new version.
#[derive(Debug, Clone, Copy)]
pub struct New<'a> {
    /// What it says: TOML.
    pub text: &'a str,
    /// The version that it takes the place of; none: there is none yet.
    pub after: Option<i32>,
    /// Who writes it.
    pub by: &'a str,
    /// Why.
    pub message: Option<&'a str>,
}

impl Store {
    /// The settings for daemons of this kind.
    #[must_use]
    pub fn new(config_path: &str, kind: Kind) -> Self {
        Self { path: format!("{config_path}/{kind}") }
    }

    /// The znode of the current settings.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What there is now, and what is to be waited for before it can be otherwise. What was before is not read.
    ///
    /// # Errors
    /// The session's.
    pub async fn current<C: Coordinator>(
        &self,
        session: &C,
    ) -> Result<(Option<Current>, Watch), CoordinatorError> {
        session.sync(&self.path).await?;
        let (found, watch) = session.read_and_watch(&self.path).await?;
        let current = found.map(|(text, stat)| Current {
            revision: Revision {
                zxid: stat.mzxid,
                version: stat.version,
                written_ms: stat.modified_ms,
                text,
            },
            born: stat.czxid,
            earlier: None,
        });
        Ok((current, watch))
    }

    /// The versions that were kept, newest first. What is none is left out.
    ///
    /// # Errors
    /// The session's.
    pub async fn history<C: Coordinator>(&self, session: &C) -> Result<Vec<Kept>, CoordinatorError> {
        let list = self.list();
        let children = session.children(&list).await?;
        let paths: Vec<_> = children.names.iter().map(|name| format!("{list}/{name}")).collect();
        let found = try_join_all(paths.iter().map(|path| session.read(path))).await?;
        let mut kept: Vec<_> =
            found.into_iter().flatten().filter_map(|(data, stat)| kept(&data, stat)).collect();
        kept.sort_by_key(|kept| std::cmp::Reverse(kept.revision.zxid));
        Ok(kept)
    }

    /// Writes a new version and keeps it in the list, both or neither. Answers the version; none: there is another one now
    /// than `new.after`.
    ///
    /// # Errors
    /// The session's.
    pub async fn write(&self, session: &ZooKeeper, new: New<'_>) -> Result<Option<i32>, CoordinatorError> {
        session.ensure_path(&self.list()).await?;
        let version = new.after.map_or(0, |after| after.wrapping_add(1));
        let entry = Entry {
            version,
            by: new.by.to_owned(),
            message: new.message.map(str::to_owned),
            settings: new.text.to_owned(),
        };
        let entry = serde_json::to_vec(&entry).unwrap_or_default();
        let prefix = format!("{}/", self.list());
        let written =
            session.write_both((&self.path, new.text.as_bytes(), new.after), (&prefix, &entry)).await?;
        if written == Written::Conflict {
            return Ok(None);
        }
        self.trim(session).await;
        Ok(Some(version))
    }

    /// Deletes what is more than is kept. That it could not be done now harms nobody: the next one who writes does it.
    async fn trim(&self, session: &ZooKeeper) {
        let list = self.list();
        let Ok(children) = session.children(&list).await else { return };
        let mut names = children.names;
        // Numbered by ZooKeeper in the order of their creation.
        names.sort_unstable();
        let surplus = names.len().saturating_sub(KEPT);
        for name in names.iter().take(surplus) {
            if let Err(error) = session.delete(&format!("{list}/{name}")).await {
                tracing::debug!(%error, "an old version is kept longer");
            }
        }
    }

    fn list(&self) -> String {
        format!("{}-history", self.path)
    }
}

fn kept(data: &[u8], stat: Stat) -> Option<Kept> {
    let Entry { version, by, message, settings } = serde_json::from_slice(data).ok()?;
    let revision =
        Revision { zxid: stat.czxid, version, written_ms: stat.modified_ms, text: settings.into_bytes() };
    Some(Kept { revision, by, message })
}
