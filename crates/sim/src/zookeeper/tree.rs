//! What a ZooKeeper server stores, as far as an election needs it: one parent, its ephemeral children, the sessions,
//! and the transactions that change them. Which transactions there are is decided in `leader`.

/// A child of the election path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Znode {
    /// The number in its name. ZooKeeper's counter stops at its end, and agents then name their znodes as if it wrapped.
    pub sequence: i32,
    /// The zxid of its creation.
    pub czxid: i64,
    /// The session that owns it.
    pub session: i64,
    /// The node whose agent created it.
    pub node: usize,
    /// The GUID in its data.
    pub guid: u32,
}

impl Znode {
    /// Its name, as ZooKeeper makes it.
    #[must_use]
    pub fn name(&self) -> String {
        format!("node-{:010}", self.sequence)
    }
}

/// What a transaction changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A session begins.
    Open(i64),
    /// A session ends, and what it owns is deleted.
    Close(i64),
    /// The election path is created.
    Parent,
    /// A child is created.
    Create(Znode),
    /// The child with this number is deleted.
    Delete(i32),
    /// Nothing: a request that is refused takes a zxid all the same.
    Nothing,
}

/// The state of one server after a number of transactions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// The zxid of the last transaction.
    pub zxid: i64,
    /// Whether the election path exists.
    pub exists: bool,
    /// The zxid of the last change to the list of children.
    pub pzxid: i64,
    /// The number the next child gets.
    pub counter: i32,
    /// The children, oldest first.
    pub children: Vec<Znode>,
    /// The sessions.
    pub sessions: Vec<i64>,
}

impl Tree {
    /// Nothing yet; the next child of the election path will get the number `counter`.
    #[must_use]
    pub fn new(counter: i32) -> Self {
        Self { zxid: 0, exists: false, pzxid: 0, counter, children: Vec::new(), sessions: Vec::new() }
    }

    /// Applies a transaction. Answers whether the list of children changed, or the path came into being.
    pub fn apply(&mut self, zxid: i64, change: Change) -> bool {
        self.zxid = zxid;
        let changed = match change {
            Change::Nothing => false,
            Change::Open(session) => {
                self.sessions.push(session);
                false
            }
            Change::Close(session) => {
                self.sessions.retain(|other| *other != session);
                self.remove(|znode| znode.session == session)
            }
            Change::Parent => !std::mem::replace(&mut self.exists, true),
            Change::Create(znode) => {
                self.counter = self.counter.wrapping_add(1);
                self.children.push(znode);
                true
            }
            Change::Delete(sequence) => self.remove(|znode| znode.sequence == sequence),
        };
        if changed {
            self.pzxid = zxid;
        }
        changed
    }

    fn remove(&mut self, which: impl Fn(&Znode) -> bool) -> bool {
        let before = self.children.len();
        self.children.retain(|znode| !which(znode));
        self.children.len() != before
    }

    /// The child with this number.
    #[must_use]
    pub fn child(&self, sequence: i32) -> Option<Znode> {
        self.children.iter().find(|znode| znode.sequence == sequence).copied()
    }
}
