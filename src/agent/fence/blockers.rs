//! The sessions that hold up a fence, and ending them. Who is a client is said by `capitana_core::threads`.

use capitana_core::threads::Thread;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error as SqlError, Row};

use crate::mariadb::{SHOW_THREADS, threads};

/// Which sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whom {
    /// Those with a statement under way.
    AtWork,
    /// All clients': one that rests may hold `LOCK TABLES`.
    Everybody,
}

/// The ids of these sessions. Those of the account `own` watch the server; in the end they go as well: its commit of a row
/// may hang. Replicas go on to read.
#[must_use]
pub fn among(threads: &[Thread], whom: Whom, own: &str) -> Vec<u64> {
    let wanted = |thread: &&Thread| match whom {
        Whom::AtWork => !thread.rests() && thread.user != own,
        Whom::Everybody => true,
    };
    threads.iter().filter(|thread| thread.is_client()).filter(wanted).map(|thread| thread.id).collect()
}

/// Ends these sessions, but not the two that set the fence; answers how many.
///
/// # Errors
/// The connection's, or the last refusal if none could be ended.
pub async fn end(conn: &mut Conn, whom: Whom, own: &str, acts: u32) -> Result<usize, SqlError> {
    let (mut ended, mut refused) = (0, None);
    let spared = [u64::from(acts), u64::from(conn.id())];
    let rows: Vec<Row> = conn.query(SHOW_THREADS).await?;
    for id in among(&threads(&rows), whom, own).into_iter().filter(|id| !spared.contains(id)) {
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

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "capitana";

    fn thread(id: u64, user: &str, command: &str) -> Thread {
        Thread { id, user: user.to_owned(), command: command.to_owned(), ..Thread::default() }
    }

    #[test]
    fn clients_at_work_are_ended_first_and_those_that_rest_with_everybody() {
        let sessions = [thread(1, "app", "Query"), thread(2, "app", "Sleep")];
        assert_eq!(among(&sessions, Whom::AtWork, OWN), [1]);
        assert_eq!(among(&sessions, Whom::Everybody, OWN), [1, 2]);
    }

    #[test]
    fn the_agents_own_sessions_go_last() {
        let sessions = [thread(1, OWN, "Query"), thread(2, OWN, "Sleep")];
        assert!(among(&sessions, Whom::AtWork, OWN).is_empty());
        assert_eq!(among(&sessions, Whom::Everybody, OWN), [1, 2]);
    }

    #[test]
    fn the_servers_own_threads_and_replicas_are_left_alone() {
        let sessions = [thread(1, "system user", "Slave_SQL"), thread(2, "replica", "Binlog Dump")];
        assert!(among(&sessions, Whom::Everybody, OWN).is_empty());
    }
}
