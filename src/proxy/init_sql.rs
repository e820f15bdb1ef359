//! Has a session begin with a statement of the settings. Client and server are seen through the login packet by packet,
//! and the server's OK is kept back until it has carried the statement out: so the client cannot have said anything in
//! between, and one that is not let in sees a login that failed. It owns these steps; the packets are
//! `capitana_core::init_sql`'s.

use std::rc::Rc;

use capitana_core::handshake::{Handshake, Stage};
use capitana_core::init_sql::{Answer, Framing, answer, command, take_packet};
use capitana_core::opening::error_after_greeting;
use capitana_core::packet::{Greeting, HEADER};
use capitana_core::{EndReason, Role};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::close::refuse;
use super::hold::Refusal;
use super::leash::Leash;
use super::part::{Parting, part};
use super::relay::Relay;
use super::session::Epilogue;
use super::waiting::Place;
use super::worker::Worker;
use crate::config::InitSqlEncrypted;

/// `ER_NEW_ABORTING_CONNECTION`: what MariaDB says when its own `init_connect` fails.
const ABORTING: u16 = 1184;
/// The SQLSTATE of a lost connection.
const STATE: &str = "08S01";
/// Packets of a login are shorter; what is longer is none.
const LONGEST: usize = 64 * 1024;
/// `COM_QUIT`.
const QUIT: [u8; 5] = [1, 0, 0, 0, 1];

/// A login that has been sent by a client, and to no server yet.
pub struct Begun {
    /// The client's connection.
    pub client: TcpStream,
    /// The server's.
    pub upstream: TcpStream,
    /// The place on the server.
    pub place: Place,
    /// What has been said so far; the client's login included.
    pub handshake: Handshake,
    /// The server's greeting.
    pub greeting: Vec<u8>,
    /// The client's login, and what came behind it.
    pub login: Vec<u8>,
    /// When all of it has to be over.
    pub deadline: Instant,
}

/// A session that has begun, or one that the server did not let in: both are relayed from here on.
pub struct Prepared {
    /// Its connections.
    pub relay: Relay,
    /// Its place on the server.
    pub place: Place,
    /// What was said.
    pub handshake: Handshake,
}

/// Sees client and server through the login and has the server carry out `sql` first.
///
/// # Errors
/// It did not come to that; the client was told why, if it is there to be told.
pub async fn begin_with(
    worker: &Rc<Worker>,
    leash: &Leash,
    sql: &str,
    mut begun: Begun,
) -> Result<Prepared, Epilogue> {
    let deadline = begun.deadline;
    let steps = tokio::select! {
        biased;
        reason = leash.ended() => Err(Stopped::Because(reason)),
        steps = timeout_at(deadline, begun.steps(sql)) => {
            steps.unwrap_or(Err(Stopped::Because(EndReason::HandshakeTimeout)))
        }
    };
    let metrics = &worker.shared.metrics.init_sql;
    let owed = match steps {
        Ok(owed) => owed,
        Err(stopped) => {
            leash.seen.get_or_init(|| begun.handshake.seen().clone());
            if matches!(stopped, Stopped::Failed { .. }) {
                metrics.failed.inc();
            }
            return Err(begun.conclude(worker, leash.role, stopped));
        }
    };
    if begun.handshake.stage() == Stage::Open {
        metrics.sent.inc();
    }
    let Begun { client, upstream, place, handshake, greeting, login, .. } = begun;
    let mut relay = Relay::after_greeting(client, upstream, greeting.len() as u64, login);
    relay.owe_client(owed);
    Ok(Prepared { relay, place, handshake })
}

/// Why a login did not come to an open session.
enum Stopped {
    /// As any other may not.
    Because(EndReason),
    /// The statement was not carried out; what the OK's sequence number was, and why.
    Failed { sequence: u8, why: String },
}

impl From<EndReason> for Stopped {
    fn from(reason: EndReason) -> Self {
        Self::Because(reason)
    }
}

impl Begun {
    /// What the client is owed at the end: the server's OK, or its refusal.
    async fn steps(&mut self, sql: &str) -> Result<Vec<u8>, Stopped> {
        let (verdict, more) = self.log_in().await?;
        let sequence = verdict.get(3).copied().unwrap_or_default();
        let done = match self.handshake.stage() {
            Stage::Refused => return Ok([verdict, more].concat()),
            // Nothing is owed to a client that has not said anything yet.
            Stage::Open if more.is_empty() => self.ask(sql).await?,
            _ => Err("the login cannot be read".to_owned()),
        };
        done.map(|()| verdict).map_err(|why| Stopped::Failed { sequence, why })
    }

    /// Passes the login on in whole packets, the client's only when the server has asked for them: what a client says too
    /// early is kept until it is let in. Answers the server's last packet, which has not been passed on, and what came behind.
    async fn log_in(&mut self) -> Result<(Vec<u8>, Vec<u8>), EndReason> {
        let mut said = Vec::new();
        let mut asked = true;
        // The login itself was taken in when it came.
        let mut known = true;
        loop {
            if let Some(packet) = take_packet(&mut self.login).filter(|_| asked) {
                self.upstream.write_all(&packet).await.map_err(|_| EndReason::UpstreamError)?;
                if !std::mem::take(&mut known) {
                    self.handshake.from_client(&packet);
                }
                asked = false;
            } else if let Some(packet) = take_packet(&mut said) {
                self.handshake.from_server(&packet);
                if self.handshake.is_over() {
                    return Ok((packet, said));
                }
                self.client.write_all(&packet).await.map_err(|_| EndReason::ClientError)?;
                asked = true;
            } else {
                self.hear(&mut said, asked).await?;
            }
        }
    }

    async fn hear(&mut self, said: &mut Vec<u8>, asked: bool) -> Result<(), EndReason> {
        if said.len().max(self.login.len()) > LONGEST {
            return Err(EndReason::BadHandshake);
        }
        tokio::select! {
            read = self.upstream.read_buf(said) => match read {
                Ok(0) => Err(EndReason::UpstreamClosed),
                Ok(_) => Ok(()),
                Err(_) => Err(EndReason::UpstreamError),
            },
            read = self.client.read_buf(&mut self.login), if asked => match read {
                Ok(0) => Err(EndReason::ClientClosed),
                Ok(_) => Ok(()),
                Err(_) => Err(EndReason::ClientError),
            },
        }
    }

    /// Has the server carry out the statement; the inner error is why it did not.
    async fn ask(&mut self, sql: &str) -> Result<Result<(), String>, EndReason> {
        let framing = self.framing();
        let mut said = Vec::new();
        let asked = self.upstream.write_all(&command(sql, framing)).await;
        asked.map_err(|_| EndReason::UpstreamError)?;
        loop {
            match self.upstream.read_buf(&mut said).await {
                Ok(0) => return Err(EndReason::UpstreamClosed),
                Ok(_) => {}
                Err(_) => return Err(EndReason::UpstreamError),
            }
            match answer(&said, framing) {
                Answer::Incomplete => {}
                Answer::Done => return Ok(Ok(())),
                Answer::Refused(words) => return Ok(Err(words)),
                Answer::Unusable(why) => return Ok(Err(why.to_owned())),
            }
        }
    }

    fn framing(&self) -> Framing {
        let greeting = self.greeting.get(HEADER..).and_then(Greeting::read);
        let server = greeting.map_or(0, |greeting| greeting.capabilities);
        Framing::agreed(server, self.handshake.seen().capabilities.unwrap_or_default())
    }

    fn conclude(self, worker: &Worker, role: Role, stopped: Stopped) -> Epilogue {
        let reason = match stopped {
            Stopped::Because(reason) => reason,
            Stopped::Failed { sequence, why } => {
                let text = format!(
                    "capitana: {} failed on {}: {why}. This session was not opened.",
                    setting(role),
                    self.place.upstream()
                );
                worker.finish(refuse(self.client, error_after_greeting(ABORTING, STATE, &text, sequence)));
                // A goodbye, so that the server does not count it as aborted. One that does not take it loses nothing.
                let _ = self.upstream.try_write(&QUIT);
                return Epilogue::unopened(EndReason::InitSqlFailed, Some(text));
            }
        };
        if !reason.is_clients_going() {
            worker.finish(refuse(self.client, Vec::new()));
        }
        if self.handshake.stage() == Stage::Authentication && !reason.is_servers_going() {
            let say = self.handshake.owed().unwrap_or_default();
            part(worker, Parting { upstream: self.upstream, place: self.place, say });
        }
        Epilogue::unopened(reason, None)
    }
}

/// Whether a client that asks for TLS may go on: nothing can be put into its session.
///
/// # Errors
/// It may not, by the settings.
pub fn admit_encrypted(worker: &Worker, role: Role) -> Result<(), Refusal> {
    let metrics = &worker.shared.metrics.init_sql;
    let setting = setting(role);
    match worker.shared.config.load().init_sql.encrypted {
        InitSqlEncrypted::Pass => {
            metrics.passed.inc();
            if metrics.passed.get() == 1 {
                tracing::warn!(
                    setting,
                    "a session with TLS goes on without its first statement (init-sql-encrypted = pass); \
                     capitana_init_sql_total counts the others"
                );
            }
            Ok(())
        }
        InitSqlEncrypted::Refuse => {
            metrics.refused.inc();
            let text = format!(
                "capitana: sessions here begin with a statement ({setting}), which nobody can put into one with TLS: \
                 connect without TLS, or have init-sql-encrypted = \"pass\" set."
            );
            let packet = error_after_greeting(ABORTING, STATE, &text, 2);
            Err(Refusal { reason: EndReason::InitSqlEncrypted, packet, cause: Some(text) })
        }
    }
}

fn setting(role: Role) -> &'static str {
    match role {
        Role::Primary => "init-sql",
        Role::Replica => "replica-init-sql",
    }
}
