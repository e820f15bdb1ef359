//! Waits until no client session is left on a server: asks its list of threads with the agent's account. Who is a
//! client is decided here; nobody's session is ended.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};
use tokio::time::{Instant, sleep, timeout};

use crate::agent::{Server, server_name};
use crate::config::AgentConfig;
use crate::error::Error;
use crate::mariadb::words;

/// How often the server is asked. A proxy's drain ends sessions within tens of milliseconds; a person waits.
const INTERVAL: Duration = Duration::from_millis(250);
/// A server that takes longer for one question does not answer.
const LIMIT: Duration = Duration::from_secs(5);
/// Accounts that are named when the time is over.
const MOST_NAMES: usize = 5;

/// Threads of the server itself, by user.
const OWN_USERS: [&str; 2] = ["system user", "event_scheduler"];
/// Threads of the server and of replicas, by command.
const OWN_COMMANDS: [&str; 5] = ["Daemon", "Binlog Dump", "Binlog Dump GTID", "Slave_IO", "Slave_SQL"];

/// A server that is asked for its client sessions.
pub(super) struct Drained {
    conn: Conn,
    /// The agent's own account, whose sessions do not count.
    account: String,
    server: String,
}

/// The client sessions that are left, by account and host.
#[derive(Debug, Default, PartialEq, Eq)]
struct Left(BTreeMap<String, usize>);

impl Drained {
    /// Connects, and sees whether the account may see everybody's sessions.
    pub(super) async fn connect(server: &Server, config: &AgentConfig) -> Result<Self, Error> {
        let name = server_name(&config.server);
        let conn = server
            .connect(LIMIT)
            .await
            .map_err(|failure| Error::Server { server: name.clone(), problem: failure.cause() })?;
        let mut drained = Self { conn, account: config.user.clone(), server: name };
        let grants: Vec<String> = drained.ask("SHOW GRANTS").await?;
        if !sees_everybody(&grants) {
            let account = drained.account;
            return Err(Error::Privilege { server: drained.server, account, privilege: "PROCESS" });
        }
        Ok(drained)
    }

    /// Returns when no client session is left; says on `progress` how many there are, each time that changes.
    pub(super) async fn wait(&mut self, limit: Duration, progress: &mut dyn Write) -> Result<(), Error> {
        let give_up_at = Instant::now() + limit;
        let mut said = None;
        loop {
            let left = self.left().await?;
            if left.0.is_empty() {
                return Ok(());
            }
            if Instant::now() >= give_up_at {
                let server = self.server.clone();
                return Err(Error::NotDrained { server, waited: limit, left: left.count(), who: left.who() });
            }
            if said != Some(left.count()) {
                said = Some(left.count());
                // A terminal that is gone does not keep the answer from whoever asked.
                let _ = writeln!(progress, "{} client sessions are left ({})", left.count(), left.who());
            }
            sleep(INTERVAL).await;
        }
    }

    async fn left(&mut self) -> Result<Left, Error> {
        let rows: Vec<Row> = self.ask("SHOW PROCESSLIST").await?;
        let threads = rows.iter().map(|row| {
            let text = |name: &str| row.get_opt::<String, _>(name).and_then(Result::ok).unwrap_or_default();
            (text("User"), text("Host"), text("Command"))
        });
        Ok(Left::of(threads, &self.account))
    }

    async fn ask<T>(&mut self, question: &str) -> Result<Vec<T>, Error>
    where
        T: mysql_async::prelude::FromRow + Send + 'static,
    {
        let problem = match timeout(LIMIT, self.conn.query(question)).await {
            Ok(Ok(rows)) => return Ok(rows),
            Ok(Err(error)) => words(&error),
            Err(_) => format!("no answer within {LIMIT:?}"),
        };
        Err(Error::Server { server: self.server.clone(), problem })
    }
}

impl Left {
    /// Of the threads (user, host and command), those that are clients'.
    fn of(threads: impl Iterator<Item = (String, String, String)>, account: &str) -> Self {
        let mut left = Self::default();
        for (user, host, command) in threads {
            let own = user == account || OWN_USERS.contains(&user.as_str());
            if own || OWN_COMMANDS.contains(&command.as_str()) {
                continue;
            }
            let host = host.rsplit_once(':').map_or(host.as_str(), |(host, _)| host);
            *left.0.entry(format!("{user}@{host}")).or_default() += 1;
        }
        left
    }

    fn count(&self) -> usize {
        self.0.values().sum()
    }

    fn who(&self) -> String {
        let named = self.0.iter().take(MOST_NAMES).map(|(who, count)| format!("{who}: {count}"));
        let more = (self.0.len() > MOST_NAMES).then(|| "and others".to_owned());
        named.chain(more).collect::<Vec<_>>().join(", ")
    }
}

/// Without the privilege an account sees its own sessions only, and a server would look drained at once.
fn sees_everybody(grants: &[String]) -> bool {
    grants.iter().filter_map(|grant| grant.strip_prefix("GRANT ")?.split_once(" ON *.* TO ")).any(
        |(privileges, _)| {
            privileges.split(", ").any(|privilege| matches!(privilege, "PROCESS" | "ALL PRIVILEGES"))
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(threads: &[(&str, &str, &str)]) -> Left {
        let owned = |&(user, host, command): &(&str, &str, &str)| {
            (user.to_owned(), host.to_owned(), command.to_owned())
        };
        Left::of(threads.iter().map(owned), "capitana")
    }

    #[test]
    fn threads_of_the_server_of_replicas_and_of_the_agent_are_no_clients() {
        let threads = [
            ("system user", "", "Sleep"),
            ("event_scheduler", "localhost", "Daemon"),
            ("replication", "10.0.0.9:50000", "Binlog Dump"),
            ("capitana", "localhost", "Sleep"),
        ];
        assert_eq!(left(&threads), Left::default());
    }

    #[test]
    fn everybody_else_is_a_client_asleep_or_still_logging_in() {
        let threads = [
            ("shop", "10.0.0.5:40000", "Sleep"),
            ("shop", "10.0.0.5:40001", "Query"),
            ("unauthenticated user", "10.0.0.6:1", "Connect"),
            ("root", "localhost", "Sleep"),
        ];
        let left = left(&threads);
        assert_eq!(left.count(), 4);
        assert_eq!(left.who(), "root@localhost: 1, shop@10.0.0.5: 2, unauthenticated user@10.0.0.6: 1");
    }

    #[test]
    fn only_process_on_everything_shows_everybodys_sessions() {
        let may = |grant: &str| sees_everybody(&[grant.to_owned()]);
        assert!(may("GRANT PROCESS, RELOAD ON *.* TO `capitana`@`%` IDENTIFIED BY PASSWORD '*A'"));
        assert!(may("GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION"));
        assert!(!may("GRANT USAGE ON *.* TO `capitana`@`%`"));
        assert!(!may("GRANT ALL PRIVILEGES ON `app`.* TO `capitana`@`%`"));
    }
}
