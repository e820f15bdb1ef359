//! Judges an account with which capitana logs in: what it lacks, what it has too much, and from where it is let in. What the
//! account is needed for is said by the caller; what was granted is read by `grants`.

use super::finding::{Finding, kinds};
use crate::grants::{Fence, Grants, Need};
use crate::version::{Version, release};

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

/// Privileges over everything, or over the server's own tables, that read or change what is stored, or get the one who has
/// them more of the kind. MariaDB's names first, then those of MySQL that it has not. To see sessions and states is none.
const POWERS: &[&str] = &[
    "ALL PRIVILEGES",
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "DELETE HISTORY",
    "CREATE",
    "DROP",
    "ALTER",
    "EXECUTE",
    "ALTER ROUTINE",
    "CREATE ROUTINE",
    "TRIGGER",
    "EVENT",
    "FILE",
    "RELOAD",
    "SHUTDOWN",
    "SUPER",
    "CREATE USER",
    "SET USER",
    "FEDERATED ADMIN",
    "BINLOG ADMIN",
    "BINLOG REPLAY",
    "REPLICATION SLAVE",
    "REPLICATION SLAVE ADMIN",
    "REPLICATION MASTER ADMIN",
    "CREATE ROLE",
    "ROLE_ADMIN",
    "SYSTEM_USER",
    "SYSTEM_VARIABLES_ADMIN",
    "SET_USER_ID",
    "SET_ANY_DEFINER",
    "CLONE_ADMIN",
];

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

impl Purpose {
    fn needs(self, version: Option<Version>) -> Vec<Need> {
        let (canary, fence) = match self {
            Self::Drain => return vec![Need::drain()],
            Self::Checks { canary, fence } => (canary, fence),
        };
        let fence = fence.map(|fence| Need::fence(fence, version));
        canary.then(Need::canary).into_iter().chain(fence).collect()
    }
}

/// An account as the server knows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Account {
    /// What it is called in findings.
    pub subject: String,
    /// `CURRENT_USER()`: the account that was matched, `capitana@%`. Empty: the server did not say.
    pub name: String,
    /// `SHOW GRANTS`, line by line.
    pub grants: Vec<String>,
}

impl Account {
    /// What speaks against it, if it is used for `purpose` on a server whose `version` variable is this text.
    #[must_use]
    pub fn examine(&self, purpose: Purpose, version: &str) -> Vec<Finding> {
        let grants = Grants::parse(&self.grants);
        let needs = purpose.needs(release(version));
        let mut findings: Vec<_> = needs.iter().filter_map(|need| self.lacks(need, &grants)).collect();
        findings.extend(self.power(&grants, &needs));
        findings.extend(self.open(version));
        findings
    }

    fn called(&self) -> &str {
        if self.name.is_empty() { "the account" } else { &self.name }
    }

    fn lacks(&self, need: &Need, grants: &Grants) -> Option<Finding> {
        let missing = grants.lacking(need);
        let found =
            format!("{} has no {} on {}.*, for {}", self.called(), missing.join(", "), need.on, need.what);
        (!missing.is_empty()).then(|| LACKS.at(&self.subject, found))
    }

    fn power(&self, grants: &Grants, needs: &[Need]) -> Option<Finding> {
        let used: Vec<_> = needs.iter().flat_map(|need| grants.serving(need)).collect();
        let is_power = |privilege: &&str| POWERS.contains(privilege) && !used.contains(privilege);
        let mut powers: Vec<&str> = grants.server_wide().filter(is_power).collect();
        if grants.may_grant() {
            powers.push("GRANT OPTION");
        }
        powers.sort_unstable();
        powers.dedup();
        let found = format!("{} has {} on *.* or mysql.*", self.called(), powers.join(", "));
        (!powers.is_empty()).then(|| TOO_MUCH.at(&self.subject, found))
    }

    /// An account on the unix socket has its user for a password. MySQL does not show how one is identified.
    fn open(&self, version: &str) -> Option<Finding> {
        let (_, host) = self.name.rsplit_once('@')?;
        let identified = self.grants.iter().any(|line| line.contains(" IDENTIFIED "));
        let shown = version.contains("MariaDB") && !self.grants.is_empty();
        if shown && !identified && host != "localhost" {
            return Some(NO_PASSWORD.at(&self.subject, format!("{} has no password", self.name)));
        }
        (host == "%").then(|| ANYWHERE.at(&self.subject, format!("it is {}", self.name)))
    }
}
