//! Judges an account with which capitana logs in: what it lacks, what it has too much, and from where it is let in. Reads
//! the lines of `SHOW GRANTS`. What the account is needed for is said by the caller.

use super::bugs::Version;
use super::finding::{Finding, kinds};

kinds! {
    LACKS = Warning "DB-ACCOUNT-LACKS",
        "Without the privilege this part of capitana does not work.",
        "GRANT it to the account.";
    TOO_MUCH = Warning "DB-ACCOUNT-POWER",
        "Whoever reads the password file has everything that the account may: a monitoring account needs next to nothing.",
        "REVOKE ALL PRIVILEGES, GRANT OPTION from it, and GRANT what README names.";
    NO_PASSWORD = Danger "DB-ACCOUNT-OPEN",
        "Whoever reaches the server over the network can log in with this account.",
        "Give it a password, and the file that holds it in the settings.";
    ANYWHERE = Info "DB-ACCOUNT-ANYWHERE",
        "The account is let in from every address.",
        "Create it for the addresses it is used from, such as capitana@localhost.";
}

/// Privileges over everything that no monitoring account needs, and that make one who has its password master of the
/// server.
const POWERS: &[&str] =
    &["ALL PRIVILEGES", "CREATE USER", "FILE", "INSERT", "UPDATE", "DELETE", "DROP", "ALTER", "SHUTDOWN"];

/// What an account is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The agent's checks, which take no privilege by themselves.
    Checks {
        /// Whether a check also commits a row.
        canary: bool,
        /// How the agent fences, if it does.
        fence: Option<Fence>,
    },
    /// The proxy's barrier and drain.
    Drain,
}

/// How a server is fenced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fence {
    /// `read_only=ON`.
    ReadOnly,
    /// `wsrep_reject_queries=ALL`.
    Reject,
}

/// Privileges that one part of capitana needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Need {
    /// What for.
    what: &'static str,
    /// On this schema; `*` for the whole server.
    on: &'static str,
    /// All of these, and of each any one: MariaDB's name first.
    all: &'static [&'static [&'static str]],
}

const DRAIN: Need = Need { what: "the drain", on: "*", all: &[&["PROCESS"]] };
/// Whoever made the tables, the agent writes and analyses them.
const CANARY: Need =
    Need { what: "the canary", on: "capitana", all: &[&["SELECT"], &["INSERT"], &["UPDATE"]] };
const REJECT: Need = Need { what: "the fence", on: "*", all: &[&["SUPER"], &["PROCESS"]] };
const READ_ONLY: Need = Need {
    what: "the fence",
    on: "*",
    all: &[
        &["READ_ONLY ADMIN", "SYSTEM_VARIABLES_ADMIN"],
        &["CONNECTION ADMIN", "CONNECTION_ADMIN", "SUPER"],
        &["PROCESS"],
    ],
};
/// Until MariaDB 10.10 SUPER contained READ_ONLY ADMIN.
const READ_ONLY_OLD: Need =
    Need { all: &[&["READ_ONLY ADMIN", "SUPER"], &["CONNECTION ADMIN", "SUPER"], &["PROCESS"]], ..READ_ONLY };

impl Purpose {
    fn needs(self, version: Option<Version>) -> Vec<Need> {
        let (canary, fence) = match self {
            Self::Drain => return vec![DRAIN],
            Self::Checks { canary, fence } => (canary, fence),
        };
        let old = version.is_some_and(|version| version < (10, 11, 0));
        let fence = fence.map(|fence| match fence {
            Fence::ReadOnly if old => READ_ONLY_OLD,
            Fence::ReadOnly => READ_ONLY,
            Fence::Reject => REJECT,
        });
        canary.then_some(CANARY).into_iter().chain(fence).collect()
    }
}

/// An account as the server knows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Account {
    /// What it is called in findings.
    pub subject: String,
    /// `CURRENT_USER()`: the account that was matched, `capitana@%`.
    pub name: String,
    /// `SHOW GRANTS`, line by line.
    pub grants: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Grant {
    privileges: Vec<String>,
    schema: String,
    can_grant: bool,
}

impl Account {
    /// What speaks against it, if it is used for `purpose` on a server of this version.
    #[must_use]
    pub fn examine(&self, purpose: Purpose, version: Option<Version>) -> Vec<Finding> {
        let grants: Vec<Grant> = self.grants.iter().filter_map(|line| Grant::parse(line)).collect();
        let needs = purpose.needs(version);
        let mut findings: Vec<_> = needs.iter().filter_map(|need| self.lacks(need, &grants)).collect();
        findings.extend(self.power(&grants));
        findings.extend(self.open());
        findings
    }

    fn lacks(&self, need: &Need, grants: &[Grant]) -> Option<Finding> {
        let has = |any: &&&[&str]| {
            grants.iter().any(|grant| any.iter().any(|privilege| grant.gives(privilege, need.on)))
        };
        let missing: Vec<_> =
            need.all.iter().filter(|any| !has(any)).filter_map(|any| any.first().copied()).collect();
        let found =
            format!("{} has no {} on {}.*, for {}", self.name, missing.join(", "), need.on, need.what);
        (!missing.is_empty()).then(|| LACKS.at(&self.subject, found))
    }

    fn power(&self, grants: &[Grant]) -> Option<Finding> {
        let server_wide = grants.iter().filter(|grant| grant.schema == "*");
        let mut powers: Vec<&str> = server_wide
            .flat_map(|grant| &grant.privileges)
            .map(String::as_str)
            .filter(|privilege| POWERS.contains(privilege))
            .collect();
        if grants.iter().any(|grant| grant.can_grant) {
            powers.push("GRANT OPTION");
        }
        let found = format!("{} has {} on the whole server", self.name, powers.join(", "));
        (!powers.is_empty()).then(|| TOO_MUCH.at(&self.subject, found))
    }

    /// An account on the unix socket has its user for a password.
    fn open(&self) -> Option<Finding> {
        let host = self.name.rsplit_once('@').map_or("", |(_, host)| host);
        let identified = self.grants.iter().any(|line| line.contains(" IDENTIFIED "));
        if !identified && !self.grants.is_empty() && host != "localhost" {
            return Some(NO_PASSWORD.at(&self.subject, format!("{} has no password", self.name)));
        }
        (host == "%").then(|| ANYWHERE.at(&self.subject, format!("it is {}", self.name)))
    }
}

impl Grant {
    /// Reads `GRANT a, b ON schema.table TO ...`. A role (`GRANT r TO u`) is none: the server shows its grants as well
    /// where it is in effect.
    fn parse(line: &str) -> Option<Self> {
        let rest = line.strip_prefix("GRANT ")?;
        let (privileges, rest) = rest.split_once(" ON ")?;
        let (object, rest) = rest.split_once(" TO ")?;
        let (schema, _) = object.rsplit_once('.')?;
        let words = privileges.split(',').map(|word| word.trim().to_ascii_uppercase());
        Some(Self {
            privileges: words.collect(),
            schema: schema.trim_matches('`').replace("\\_", "_"),
            can_grant: rest.contains("WITH GRANT OPTION"),
        })
    }

    fn gives(&self, privilege: &str, schema: &str) -> bool {
        let here = self.schema == "*" || self.schema == schema;
        here && self.privileges.iter().any(|has| has == privilege || has == "ALL PRIVILEGES")
    }
}
