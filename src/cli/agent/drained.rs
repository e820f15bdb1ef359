//! Waits until no client session is left on a server: asks its list of threads with the agent's account. Who is a
//! client is said by `capitana_core::threads`; nobody's session is ended.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use capitana_core::grants::{Grants, Need};
use capitana_core::threads::Thread;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};
use tokio::time::{Instant, sleep, timeout};

use crate::agent::{Server, server_name};
use crate::config::AgentConfig;
use crate::error::Error;
use crate::mariadb::{SHOW_THREADS, text, threads, words};

/// How often the server is asked. A proxy's drain ends sessions within tens of milliseconds; a person waits.
const INTERVAL: Duration = Duration::from_millis(250);
/// A server that takes longer for one question does not answer.
const LIMIT: Duration = Duration::from_secs(5);
/// Accounts that are named when the time is over.
const MOST_NAMES: usize = 5;

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
        // Without the privilege it would see its own sessions only, and a server would look drained at once.
        let rows = drained.ask("SHOW GRANTS").await?;
        let lines: Vec<String> = rows.iter().filter_map(|row| text(row, 0)).collect();
        let grants = Grants::parse(&lines);
        match grants.lacking(&Need::drain()).first() {
            None => Ok(drained),
            Some(privilege) => {
                Err(Error::Privilege { server: drained.server, account: drained.account, privilege })
            }
        }
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
        let rows = self.ask(SHOW_THREADS).await?;
        Ok(Left::of(&threads(&rows), &self.account))
    }

    async fn ask(&mut self, question: &str) -> Result<Vec<Row>, Error> {
        let problem = match timeout(LIMIT, self.conn.query(question)).await {
            Ok(Ok(rows)) => return Ok(rows),
            Ok(Err(error)) => words(&error),
            Err(_) => format!("no answer within {LIMIT:?}"),
        };
        Err(Error::Server { server: self.server.clone(), problem })
    }
}

impl Left {
    /// Clients' sessions, but for those of the agent's own account.
    fn of(threads: &[Thread], own: &str) -> Self {
        let mut left = Self::default();
        for thread in threads.iter().filter(|thread| thread.is_client() && thread.user != own) {
            *left.0.entry(format!("{}@{}", thread.user, thread.address())).or_default() += 1;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_counted_by_account_and_address_and_the_agents_own_sessions_are_not() {
        let thread = |(user, host): (&str, &str)| Thread {
            user: user.to_owned(),
            host: host.to_owned(),
            ..Thread::default()
        };
        let threads = [
            ("shop", "10.0.0.5:40000"),
            ("shop", "10.0.0.5:40001"),
            ("system user", ""),
            ("capitana", "localhost"),
            ("root", "localhost"),
        ];
        let left = Left::of(&threads.map(thread), "capitana");
        assert_eq!(left.count(), 3);
        assert_eq!(left.who(), "root@localhost: 1, shop@10.0.0.5: 2");
    }
}
