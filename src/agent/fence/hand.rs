//! Sets and lifts the fence on the server: the statements, and the two connections they need, which are open before they are
//! needed, because a server at `max_connections` takes no other. When it is done is decided in `capitana_core::fence`.

use std::time::Duration;

use capitana_core::grants::{Grants, Need};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error as SqlError, Row};
use tokio::time::{sleep, timeout};

use super::blockers::{self, Whom};
use super::marker::Run;
use crate::agent::server::{Failure, Server};
use crate::clock::BootClock;
use crate::config::FenceMode;
use crate::mariadb::{SHOW_THREADS, pairs, text, threads, words};

/// What is read to know whether there is a fence, and in which run of the server.
const VARIABLES: &str = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('read_only','wsrep_reject_queries')";
const UPTIME: &str = "SHOW GLOBAL STATUS LIKE 'Uptime'";

/// Connections given up that are remembered.
const MOST_LINGERING: usize = 64;

/// How long things may take, parts of the session timeout.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// How long statements that are under way may hold up the fence before they are ended, and how long the disk may.
    pub grace: Duration,
    /// How long the server may take for anything else.
    pub limit: Duration,
}

/// What was found on the server.
#[derive(Debug, Clone)]
pub struct Found {
    /// Whether there is a fence, whoever has set it.
    pub fenced: bool,
    /// The server's run.
    pub run: Run,
}

/// The connections to one server, and how it is fenced.
pub struct Hand {
    server: Server,
    mode: FenceMode,
    /// Its own sessions are left alone.
    user: String,
    /// Sets and lifts.
    acts: Option<Conn>,
    /// The run of the server to which that connection was opened: it ends with it.
    run: Option<Run>,
    /// Ends what holds the other one up.
    clears: Option<Conn>,
    /// Connections that were given up with a statement under way, which may still be carried out.
    lingering: Vec<u32>,
}

impl Hand {
    /// One without connections.
    #[must_use]
    pub fn new(server: Server, mode: FenceMode, user: String) -> Self {
        Self { server, mode, user, acts: None, run: None, clears: None, lingering: Vec::new() }
    }

    /// How it fences.
    #[must_use]
    pub fn mode(&self) -> FenceMode {
        self.mode
    }

    /// Fences in this way from now on.
    pub fn fence_by(&mut self, mode: FenceMode) {
        self.mode = mode;
    }

    /// Opens what is closed, and looks whether there is a fence, once nothing of what was given up can change that any more.
    ///
    /// # Errors
    /// The server does not answer, or an earlier statement does not end.
    pub async fn look(&mut self, limit: Duration) -> Result<Found, String> {
        if let Some(mut clears) = self.clears.take() {
            // A connection that was killed says so now, and not when it is needed.
            let alive = timeout(limit, clears.ping()).await.is_ok_and(|ping| ping.is_ok());
            self.clears = alive.then_some(clears);
        }
        if self.clears.is_none() {
            self.clears = Some(self.server.connect(limit).await.map_err(Failure::cause)?);
        }
        self.settle(limit).await?;
        let variables = self.ask(VARIABLES, limit).await?;
        Ok(Found { fenced: is_fenced(self.mode, &variables), run: self.run(limit).await? })
    }

    /// The server counts its uptime by the wall clock, which can be set: it is asked once for each connection.
    async fn run(&mut self, limit: Duration) -> Result<Run, String> {
        if let Some(run) = &self.run {
            return Ok(run.clone());
        }
        let rows = self.ask(UPTIME, limit).await?;
        let seconds = pairs(&rows).next().and_then(|(_, seconds)| seconds.parse().ok());
        let run = Run::of(BootClock.now(), Duration::from_secs(seconds.unwrap_or_default()));
        self.run = Some(run.clone());
        Ok(run)
    }

    /// What the account may lack for fencing, in words.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn lacks(&mut self, limit: Duration) -> Result<Vec<&'static str>, String> {
        let Some(fence) = self.mode.means() else { return Ok(Vec::new()) };
        let rows = self.ask("SHOW GRANTS", limit).await?;
        let lines: Vec<String> = rows.iter().filter_map(|row| text(row, 0)).collect();
        let version = self.acts.as_ref().map(Conn::server_version);
        Ok(Grants::parse(&lines).lacking(&Need::fence(fence, version)))
    }

    /// Sets the fence. Whoever writes when this returns is refused, and what was under way has ended.
    ///
    /// # Errors
    /// It could not be set, or not be set in time; it may be set all the same.
    pub async fn set(&mut self, pace: Pace) -> Result<(), String> {
        match self.mode {
            FenceMode::Off => Ok(()),
            FenceMode::ReadOnly => self.read_only(pace).await,
            FenceMode::Reject => self.reject(pace).await,
        }
    }

    /// Lifts the fence.
    ///
    /// # Errors
    /// The server does not answer, or refuses.
    pub async fn lift(&mut self, limit: Duration) -> Result<(), String> {
        self.ask(lifts(self.mode), limit).await.map(drop)
    }

    /// The server waits for statements that write, and for `LOCK TABLES`, before it becomes read-only. Meanwhile it lets
    /// nobody else write.
    async fn read_only(&mut self, pace: Pace) -> Result<(), String> {
        let Some(mut acts) = self.acts.take() else { return Err("there is no connection".to_owned()) };
        let id = acts.id();
        let mut setting = Box::pin(async move {
            let outcome = acts.query_drop("SET GLOBAL read_only=ON").await;
            (acts, outcome)
        });
        for whom in [Whom::AtWork, Whom::Everybody] {
            if let Ok((acts, outcome)) = timeout(pace.grace, &mut setting).await {
                return self.back(acts, outcome);
            }
            self.end(whom, id, pace.limit).await;
        }
        if let Ok((acts, outcome)) = timeout(pace.limit, &mut setting).await {
            return self.back(acts, outcome);
        }
        drop(setting);
        self.gave_up(id);
        Err("sessions that cannot be ended hold it up (README, Fencing: the privileges it needs)".to_owned())
    }

    /// The server refuses whatever begins from now on, but what is under way goes on, and its changes are committed.
    async fn reject(&mut self, pace: Pace) -> Result<(), String> {
        self.ask("SET GLOBAL wsrep_reject_queries=ALL", pace.limit).await?;
        sleep(pace.grace).await;
        let sessions = self.ask(SHOW_THREADS, pace.limit).await?;
        let at_work = blockers::among(&threads(&sessions), Whom::AtWork, &self.user).len();
        if at_work == 0 {
            return Ok(());
        }
        tracing::warn!(
            sessions = at_work,
            "ending all sessions, for those whose statements go on behind the fence"
        );
        // KILL is refused by now. This ends all sessions but the one that sets it.
        self.clears = None;
        self.ask("SET GLOBAL wsrep_reject_queries=ALL_KILL", pace.limit).await.map(drop)
    }

    async fn end(&mut self, whom: Whom, acts: u32, limit: Duration) {
        let Some(clears) = &mut self.clears else { return };
        match timeout(limit, blockers::end(clears, whom, &self.user, acts)).await {
            Ok(Ok(0)) => {}
            Ok(Ok(sessions)) => tracing::warn!(sessions, "ended sessions that held up the fence"),
            Ok(Err(error)) => tracing::warn!(cause = words(&error), "cannot end what holds up the fence"),
            Err(_) => tracing::warn!("the server does not end what holds up the fence"),
        }
    }

    fn gave_up(&mut self, id: u32) {
        self.lingering.push(id);
        // A server that answers nobody for hours carries out the last ones, if any.
        let surplus = self.lingering.len().saturating_sub(MOST_LINGERING);
        self.lingering.drain(..surplus);
    }

    /// Ends statements that were given up. Left alone one could set a fence that has been lifted meanwhile, or lift one.
    async fn settle(&mut self, limit: Duration) -> Result<(), String> {
        if self.lingering.is_empty() {
            return Ok(());
        }
        for id in self.still_there(limit).await? {
            // One that has ended meanwhile is as good as killed.
            let _ = self.ask(&format!("KILL {id}"), limit).await;
        }
        self.lingering = self.still_there(limit).await?;
        if self.lingering.is_empty() {
            Ok(())
        } else {
            Err("an earlier statement is still under way".to_owned())
        }
    }

    /// Another session may have the number of one of ours by now, after a restart of the server.
    async fn still_there(&mut self, limit: Duration) -> Result<Vec<u32>, String> {
        let sessions = threads(&self.ask(SHOW_THREADS, limit).await?);
        let is_ours = |id: &u32| {
            sessions.iter().any(|session| session.id == u64::from(*id) && session.user == self.user)
        };
        Ok(self.lingering.iter().copied().filter(is_ours).collect())
    }

    /// Runs a statement on the connection that acts, which is given up where it does not answer.
    async fn ask(&mut self, statement: &str, limit: Duration) -> Result<Vec<Row>, String> {
        let mut conn = match self.acts.take() {
            Some(conn) => conn,
            None => {
                self.run = None;
                self.server.connect(limit).await.map_err(Failure::cause)?
            }
        };
        let id = conn.id();
        match timeout(limit, conn.query(statement)).await {
            Ok(outcome) => self.back(conn, outcome),
            Err(_) => {
                self.gave_up(id);
                Err(format!("no answer within {limit:?}"))
            }
        }
    }

    fn back<T>(&mut self, acts: Conn, outcome: Result<T, SqlError>) -> Result<T, String> {
        if outcome.as_ref().err().is_none_or(|error| !error.is_fatal()) {
            self.acts = Some(acts);
        } else {
            self.gave_up(acts.id());
        }
        outcome.map_err(|error| words(&error))
    }
}

/// The statement that lifts a fence.
#[must_use]
pub fn lifts(mode: FenceMode) -> &'static str {
    match mode {
        FenceMode::Off | FenceMode::ReadOnly => "SET GLOBAL read_only=OFF",
        FenceMode::Reject => "SET GLOBAL wsrep_reject_queries=NONE",
    }
}

fn is_fenced(mode: FenceMode, variables: &[Row]) -> bool {
    let (name, open) = match mode {
        FenceMode::Off | FenceMode::ReadOnly => ("read_only", "OFF"),
        FenceMode::Reject => ("wsrep_reject_queries", "NONE"),
    };
    let value = pairs(variables).find(|(n, _)| n.eq_ignore_ascii_case(name));
    value.is_some_and(|(_, value)| !value.eq_ignore_ascii_case(open))
}
