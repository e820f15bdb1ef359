//! Which version of the settings in ZooKeeper a process uses: the newest that it can use, of the current one and those
//! before it. That is a function of what is in ZooKeeper now, not of what was seen on the way: a process that missed
//! versions, or has just been started, comes to the same as one that saw them all. What a version says, and whether it can
//! be used, is judged by the caller.

/// A version of the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// The zxid of the transaction that wrote it. Versions count from 0 again when a znode is created anew; zxids only
    /// grow.
    pub zxid: i64,
    /// The version of the znode's data, counted from 0.
    pub version: i32,
    /// When it was written, in milliseconds since 1970 UTC.
    pub written_ms: i64,
    /// What it says.
    pub text: Vec<u8>,
}

/// The settings' znode, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Current {
    /// What is in it.
    pub revision: Revision,
    /// The zxid of the transaction that created the znode. What was before that was deleted on purpose.
    pub born: i64,
    /// The versions that were kept, in any order. None: they were not read.
    pub earlier: Option<Vec<Revision>>,
}

/// A version that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its version.
    pub version: i32,
    /// Why, for people.
    pub why: String,
}

/// What to use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice<T> {
    /// What the caller made of it.
    pub settings: T,
    /// The version; none: the process's own settings alone.
    pub revision: Option<Revision>,
    /// The current version, where it cannot be used: then the versions that were kept have to be read.
    pub refused: Option<Refused>,
}

/// What a reading is beside those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// It says something new, which counts from now on.
    New,
    /// It says what was known.
    Same,
    /// It is from before another one, and does not count. A server that lags behind shows what was; so does, until its zxids
    /// have come as far, a ZooKeeper that was set up anew or restored.
    Older,
}

/// What a process knows of the settings in ZooKeeper, and which it uses.
#[derive(Debug, Clone, Default)]
pub struct LiveConfig {
    /// None: there is no znode, or it has not been read yet.
    current: Option<Current>,
    in_use: Option<Revision>,
    /// The newest zxid seen; what was deleted counts as one that is newer than that.
    newest: i64,
    was_read: bool,
}

impl LiveConfig {
    /// Whether ZooKeeper has been read at all.
    #[must_use]
    pub fn was_read(&self) -> bool {
        self.was_read
    }

    /// What was read last.
    #[must_use]
    pub fn current(&self) -> Option<&Current> {
        self.current.as_ref()
    }

    /// The version in use.
    #[must_use]
    pub fn in_use(&self) -> Option<&Revision> {
        self.in_use.as_ref()
    }

    /// Takes a reading in; none: there is no znode.
    pub fn see(&mut self, current: Option<Current>) -> Sight {
        let first = !std::mem::replace(&mut self.was_read, true);
        let gone = if self.current.is_some() { self.newest + 1 } else { self.newest };
        let zxid = current.as_ref().map_or(gone, |current| current.revision.zxid);
        if zxid < self.newest {
            return Sight::Older;
        }
        if current == self.current && !first {
            return Sight::Same;
        }
        self.newest = zxid;
        self.current = current;
        Sight::New
    }

    /// Chooses the newest version that `judge` can make something of. `judge` is given none for the process's own settings
    /// alone.
    ///
    /// # Errors
    /// Not even those can be used, and why: nothing changes.
    pub fn choose<T>(
        &self,
        mut judge: impl FnMut(Option<&Revision>) -> Result<T, String>,
    ) -> Result<Choice<T>, String> {
        let mut refused = None;
        if let Some(current) = &self.current {
            let why = match judge(Some(&current.revision)) {
                Ok(settings) => return Ok(Choice::of(settings, Some(&current.revision))),
                Err(why) => why,
            };
            refused = Some(Refused { version: current.revision.version, why });
            for revision in self.earlier(current) {
                if let Ok(settings) = judge(Some(revision)) {
                    return Ok(Choice { refused, ..Choice::of(settings, Some(revision)) });
                }
            }
        }
        Ok(Choice { refused, ..Choice::of(judge(None)?, None) })
    }

    /// Remembers what was chosen: it may be needed when the next version cannot be used.
    pub fn uses<T>(&mut self, choice: &Choice<T>) {
        self.in_use.clone_from(&choice.revision);
    }

    /// Versions before the current one that may be used in its place, newest first. The one in use may have been kept
    /// nowhere, if it was written by hand.
    fn earlier<'a>(&'a self, current: &'a Current) -> Vec<&'a Revision> {
        let kept = current.earlier.iter().flatten().chain(&self.in_use);
        let mut earlier: Vec<_> =
            kept.filter(|kept| (current.born..current.revision.zxid).contains(&kept.zxid)).collect();
        earlier.sort_by_key(|revision| std::cmp::Reverse(revision.zxid));
        earlier.dedup_by_key(|revision| revision.zxid);
        earlier
    }
}

impl<T> Choice<T> {
    fn of(settings: T, revision: Option<&Revision>) -> Self {
        Self { settings, revision: revision.cloned(), refused: None }
    }
}
