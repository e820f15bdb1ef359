//! What an account may do, as the lines of `SHOW GRANTS` say, and what each part of capitana needs of it. Asking the server
//! is done elsewhere, and so is saying what is missing.

use crate::version::Version;

/// From this release on MariaDB's SUPER does not contain READ_ONLY ADMIN any more.
const READ_ONLY_APART: Version = (10, 11, 0);

/// How a server is fenced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fence {
    /// `read_only=ON`.
    ReadOnly,
    /// `wsrep_reject_queries=ALL`.
    Reject,
}

/// Privileges that one part of capitana needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// What for.
    pub what: &'static str,
    /// On this schema; `*` for the whole server.
    pub on: &'static str,
    /// All of these, and of each any one: the first is the one to grant.
    all: Vec<&'static [&'static str]>,
}

impl Need {
    /// To see every session of the server, instead of one's own.
    #[must_use]
    pub fn drain() -> Self {
        Self { what: "the drain", on: "*", all: vec![PROCESS] }
    }

    /// Whoever made the tables, the agent writes and analyses them.
    #[must_use]
    pub fn canary() -> Self {
        Self { what: "the canary", on: "capitana", all: vec![&["SELECT"], &["INSERT"], &["UPDATE"]] }
    }

    /// To fence, and to end what holds the fence up, on a server of this version; none: as on a new one.
    #[must_use]
    pub fn fence(fence: Fence, version: Option<Version>) -> Self {
        let old = version.is_some_and(|version| version < READ_ONLY_APART);
        let all: Vec<&[&str]> = match fence {
            Fence::ReadOnly if old => vec![READ_ONLY_OLD, CONNECTION, PROCESS],
            Fence::ReadOnly => vec![READ_ONLY, CONNECTION, PROCESS],
            Fence::Reject => vec![&["SUPER"], PROCESS],
        };
        Self { what: "the fence", on: "*", all }
    }
}

// MariaDB's names first, then MySQL's.
const PROCESS: &[&str] = &["PROCESS"];
const READ_ONLY: &[&str] = &["READ_ONLY ADMIN", "SYSTEM_VARIABLES_ADMIN"];
const READ_ONLY_OLD: &[&str] = &["READ_ONLY ADMIN", "SYSTEM_VARIABLES_ADMIN", "SUPER"];
const CONNECTION: &[&str] = &["CONNECTION ADMIN", "CONNECTION_ADMIN", "SUPER"];

/// What one account was granted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grants(Vec<Grant>);

/// One line, about one schema or all.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Grant {
    privileges: Vec<String>,
    /// `*` for the whole server.
    schema: String,
    may_grant: bool,
}

impl Grants {
    /// Reads the lines of `SHOW GRANTS`. What is none, or is about something else than a schema, gives nothing.
    #[must_use]
    pub fn parse(lines: &[String]) -> Self {
        Self(lines.iter().filter_map(|line| Grant::parse(line)).collect())
    }

    /// What is missing for this need.
    #[must_use]
    pub fn lacking(&self, need: &Need) -> Vec<&'static str> {
        let missing =
            need.all.iter().filter(|any| !any.iter().any(|privilege| self.give(privilege, need.on)));
        missing.filter_map(|any| any.first().copied()).collect()
    }

    /// The privileges by which this need is met, if it is of the whole server: of those that would do, only the first that it
    /// has.
    pub fn serving(&self, need: &Need) -> impl Iterator<Item = &'static str> {
        let of_server = if need.on == "*" { &need.all[..] } else { &[] };
        let has = |privilege: &&&str| self.server_wide().any(|has| has == **privilege);
        of_server.iter().filter_map(move |any| any.iter().find(has).copied())
    }

    /// The privileges on the whole server. What is granted on `mysql` is among them: its tables hold the accounts. So is what
    /// is granted on `%`, a pattern that every schema matches.
    pub fn server_wide(&self) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(|grant| matches!(grant.schema.as_str(), "*" | "mysql" | "%"))
            .flat_map(|grant| &grant.privileges)
            .map(String::as_str)
    }

    /// Whether it may hand any of its privileges on.
    #[must_use]
    pub fn may_grant(&self) -> bool {
        self.0.iter().any(|grant| grant.may_grant)
    }

    fn give(&self, privilege: &str, schema: &str) -> bool {
        let here = self.0.iter().filter(|grant| grant.schema == "*" || grant.schema == schema);
        here.flat_map(|grant| &grant.privileges).any(|has| has == privilege || has == "ALL PRIVILEGES")
    }
}

impl Grant {
    /// Reads `GRANT a, b ON schema.table TO ...`. A role (`GRANT r TO u`) is none: the server shows its grants as well
    /// where it is in effect. What was granted on one table counts for its schema: the canary's tables can be granted one by
    /// one.
    fn parse(line: &str) -> Option<Self> {
        let rest = line.strip_prefix("GRANT ")?;
        let (privileges, rest) = rest.split_once(" ON ")?;
        let (object, rest) = rest.split_once(" TO ")?;
        let (schema, _) = object.rsplit_once('.')?;
        let words = privileges.split(',').map(|word| word.trim().to_ascii_uppercase());
        Some(Self {
            privileges: words.collect(),
            schema: schema.trim_matches('`').replace("\\_", "_"),
            may_grant: rest.contains("WITH GRANT OPTION"),
        })
    }
}
