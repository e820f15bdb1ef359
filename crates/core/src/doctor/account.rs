//! Judges an account with which capitana logs in: what it lacks, what it has too much, and from where it is let in. What the
//! account is needed for is said by the caller; what was granted is read by `grants`.

use super::finding::{Finding, kinds};
use crate::grants::{Fence, Grants, Need};
use crate::version::Version;

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
    /// `CURRENT_USER()`: the account that was matched, `capitana@%`.
    pub name: String,
    /// `SHOW GRANTS`, line by line.
    pub grants: Vec<String>,
}

impl Account {
    /// What speaks against it, if it is used for `purpose` on a server of this version.
    #[must_use]
    pub fn examine(&self, purpose: Purpose, version: Option<Version>) -> Vec<Finding> {
        let grants = Grants::parse(&self.grants);
        let needs = purpose.needs(version);
        let mut findings: Vec<_> = needs.iter().filter_map(|need| self.lacks(need, &grants)).collect();
        findings.extend(self.power(&grants));
        findings.extend(self.open());
        findings
    }

    fn lacks(&self, need: &Need, grants: &Grants) -> Option<Finding> {
        let missing = grants.lacking(need);
        let found =
            format!("{} has no {} on {}.*, for {}", self.name, missing.join(", "), need.on, need.what);
        (!missing.is_empty()).then(|| LACKS.at(&self.subject, found))
    }

    fn power(&self, grants: &Grants) -> Option<Finding> {
        let mut powers: Vec<&str> =
            grants.server_wide().filter(|privilege| POWERS.contains(privilege)).collect();
        if grants.may_grant() {
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
