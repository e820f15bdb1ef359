//! The sessions that hold up a fence, and the privileges it takes to end them and to fence at all.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error as SqlError, Row};

use crate::config::FenceMode;

/// All sessions, for an account with the privilege PROCESS; else its own.
pub const SESSIONS: &str = "SHOW PROCESSLIST";
/// Threads of the server's own, by the user they are listed with.
const OF_THE_SERVER: [&str; 2] = ["system user", "event_scheduler"];

/// Which sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whom {
    /// Those with a statement under way.
    AtWork,
    /// All clients': one that rests may hold `LOCK TABLES`.
    Everybody,
}

/// One line of `SHOW PROCESSLIST`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Session {
    id: u64,
    user: String,
    command: String,
}

impl Session {
    fn of(row: &Row) -> Option<Self> {
        Some(Self { id: row.get("Id")?, user: row.get("User")?, command: row.get("Command")? })
    }

    /// The agent's own sessions watch the server, and replicas go on to read. In the end the agent's own go as well: its
    /// commit of a row may hang.
    fn is_among(&self, whom: Whom, own: &str) -> bool {
        let client = !OF_THE_SERVER.contains(&self.user.as_str())
            && (self.user != own || whom == Whom::Everybody)
            && self.command != "Daemon"
            && !self.command.starts_with("Binlog Dump")
            && !self.command.starts_with("Slave");
        client && (whom == Whom::Everybody || self.command != "Sleep")
    }
}

/// The ids of these sessions; `own` is the account whose sessions are left out.
#[must_use]
pub fn among(sessions: &[Row], whom: Whom, own: &str) -> Vec<u64> {
    let sessions = sessions.iter().filter_map(Session::of);
    sessions.filter(|session| session.is_among(whom, own)).map(|session| session.id).collect()
}

/// The ids of this account's sessions.
#[must_use]
pub fn of(sessions: &[Row], account: &str) -> Vec<u64> {
    let sessions = sessions.iter().filter_map(Session::of);
    sessions.filter(|session| session.user == account).map(|session| session.id).collect()
}

/// Ends these sessions, but not the two that set the fence; answers how many.
///
/// # Errors
/// The connection's, or the last refusal if none could be ended.
pub async fn end(conn: &mut Conn, whom: Whom, own: &str, acts: u32) -> Result<usize, SqlError> {
    let (mut ended, mut refused) = (0, None);
    let spared = [u64::from(acts), u64::from(conn.id())];
    let sessions: Vec<Row> = conn.query(SESSIONS).await?;
    for id in among(&sessions, whom, own).into_iter().filter(|id| !spared.contains(id)) {
        match conn.query_drop(format!("KILL {id}")).await {
            Ok(()) => ended += 1,
            Err(error) if error.is_fatal() => return Err(error),
            Err(error) => refused = Some(error),
        }
    }
    match refused {
        Some(error) if ended == 0 => Err(error),
        _ => Ok(ended),
    }
}

/// What an account with these grants lacks, as far as can be told: MariaDB's names first, then MySQL's.
#[must_use]
pub fn lacking(mode: FenceMode, grants: &[String]) -> Vec<&'static str> {
    let global = |names: &[&str]| {
        let has = |grant: &String| {
            let grant = grant.to_ascii_uppercase();
            grant.contains(" ON *.* ")
                && names.iter().chain(&["ALL PRIVILEGES"]).any(|name| grant.contains(name))
        };
        grants.iter().any(has)
    };
    let mut lacking = Vec::new();
    let mut need = |what: &'static str, names: &[&str]| {
        if !global(names) {
            lacking.push(what);
        }
    };
    match mode {
        FenceMode::Off => return lacking,
        FenceMode::ReadOnly => {
            need("READ_ONLY ADMIN", &["READ_ONLY ADMIN", "READ ONLY ADMIN", "SYSTEM_VARIABLES_ADMIN"]);
            need("CONNECTION ADMIN", &["CONNECTION ADMIN", "CONNECTION_ADMIN", "SUPER"]);
        }
        FenceMode::Reject => need("SUPER", &["SUPER"]),
    }
    need("PROCESS", &["PROCESS"]);
    lacking
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(user: &str, command: &str) -> Session {
        Session { id: 7, user: user.to_owned(), command: command.to_owned() }
    }

    #[test]
    fn clients_at_work_are_ended_first_and_those_that_rest_with_everybody() {
        let (at_work, rests) = (session("app", "Query"), session("app", "Sleep"));
        assert!(at_work.is_among(Whom::AtWork, "capitana") && !rests.is_among(Whom::AtWork, "capitana"));
        assert!(at_work.is_among(Whom::Everybody, "capitana") && rests.is_among(Whom::Everybody, "capitana"));
    }

    #[test]
    fn the_agents_own_sessions_go_last() {
        let own = session("capitana", "Query");
        assert!(!own.is_among(Whom::AtWork, "capitana") && own.is_among(Whom::Everybody, "capitana"));
    }

    #[test]
    fn the_servers_own_threads_and_replicas_are_left_alone() {
        for (user, command) in [
            ("system user", "Sleep"),
            ("event_scheduler", "Daemon"),
            ("replica", "Binlog Dump"),
            ("replica", "Binlog Dump GTID"),
            ("system user", "Slave_SQL"),
        ] {
            assert!(!session(user, command).is_among(Whom::Everybody, "capitana"), "{user}: {command}");
        }
    }

    #[test]
    fn an_account_is_told_what_it_lacks_for_the_fence_it_is_to_set() {
        let plain = vec!["GRANT USAGE ON *.* TO `capitana`@`%` IDENTIFIED BY PASSWORD '*A'".to_owned()];
        assert_eq!(lacking(FenceMode::Off, &plain), Vec::<&str>::new());
        let (read_only, reject) = (FenceMode::ReadOnly, FenceMode::Reject);
        assert_eq!(lacking(read_only, &plain), ["READ_ONLY ADMIN", "CONNECTION ADMIN", "PROCESS"]);
        assert_eq!(lacking(reject, &plain), ["SUPER", "PROCESS"]);
        let all = vec!["GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION".to_owned()];
        assert!(lacking(read_only, &all).is_empty() && lacking(reject, &all).is_empty());
        let enough = "GRANT PROCESS, READ_ONLY ADMIN, CONNECTION ADMIN ON *.* TO `capitana`@`%`".to_owned();
        assert!(lacking(read_only, &[enough]).is_empty());
        assert_eq!(lacking(reject, &["GRANT ALL PRIVILEGES ON `app`.* TO `x`@`%`".to_owned()]).len(), 2);
    }
}
