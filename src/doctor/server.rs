//! Logs in to MariaDB as capitana does, and looks at the server's settings and at the account. Changes nothing.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use capitana_core::HostPort;
use capitana_core::doctor::account::{Account, Purpose};
use capitana_core::doctor::server::{STATUS, Server, VARIABLES};
use capitana_core::doctor::{Finding, bugs, reach};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error as SqlError, Opts, OptsBuilder, Row};
use tokio::time::{Instant, timeout_at};

use super::settings::purpose;
use crate::config::{AgentConfig, MonitorAccount, Secret, ServerAddress};
use crate::mariadb::{self, pairs, text, words};

/// The server's errors that are about the account: access denied (1045, 1044, 1698), host not allowed (1130), no such
/// authentication (1251, 1275), account locked (4151) or password expired (1862).
const REFUSALS: [u16; 8] = [1044, 1045, 1130, 1251, 1275, 1698, 1862, 4151];

/// A login, and what it is for.
pub(super) struct Login {
    subject: String,
    opts: Result<Opts, String>,
    purpose: Purpose,
}

/// "Unknown system variable": MySQL knows nothing of Galera.
const ER_UNKNOWN_SYSTEM_VARIABLE: u16 = 1193;

/// What an account was shown.
struct Facts {
    values: BTreeMap<String, String>,
    grants: Vec<String>,
    /// What it was asked last.
    answer: Result<Answer, String>,
}

/// What takes a server that answers SELECT.
struct Answer {
    /// `CURRENT_USER()`.
    name: String,
    /// The server's clock less this host's, in seconds.
    ahead: Option<f64>,
}

impl Login {
    /// The agent's, on its own server.
    pub(super) fn of_agent(config: &AgentConfig) -> Self {
        let password = config.password.as_ref().map(Secret::read).transpose();
        let (shown, at): (String, &dyn Fn(OptsBuilder) -> OptsBuilder) = match &config.server {
            ServerAddress::Tcp(address) => (address.to_string(), &|o| tcp(o, address)),
            ServerAddress::Unix(path) => {
                (path.display().to_string(), &|o| o.socket(Some(path.to_string_lossy())))
            }
        };
        Self {
            subject: format!("MariaDB {shown}"),
            opts: password
                .map(|password| at(mariadb::account(&config.user, password)).into())
                .map_err(|error| error.to_string()),
            purpose: purpose(config),
        }
    }

    /// The proxy's, on the primary.
    pub(super) fn of_monitor(monitor: &MonitorAccount, primary: &HostPort) -> Self {
        let password = monitor.password.as_ref().map(Secret::read).transpose();
        Self {
            subject: format!("MariaDB {primary} (monitor-user)"),
            opts: password
                .map(|password| tcp(mariadb::account(&monitor.user, password), primary).into())
                .map_err(|error| error.to_string()),
            purpose: Purpose::Drain,
        }
    }

    /// Looks for `limit` at most: at the account, and where `whole` at the server too, which gets so many `sessions` of a
    /// proxy.
    pub(super) async fn examine(&self, sessions: Option<u64>, whole: bool, limit: Duration) -> Vec<Finding> {
        let facts = match self.facts(Instant::now() + limit).await {
            Ok(facts) => facts,
            Err(Some(finding)) => return vec![finding],
            Err(None) => {
                let found = format!("no answer within {limit:?}");
                return vec![reach::SERVER_UNREACHABLE.at(&self.subject, found)];
            }
        };
        let mut findings = Vec::new();
        let (name, ahead) = match facts.answer {
            Ok(answer) => (answer.name, answer.ahead),
            Err(cause) => {
                let found = format!("its clock, and which account it takes this one for: {cause}");
                findings.push(reach::SERVER_UNSEEN.at(&self.subject, found));
                (String::new(), None)
            }
        };
        let account = Account { subject: self.subject.clone(), name, grants: facts.grants };
        let server = Server { subject: self.subject.clone(), values: facts.values, ahead, sessions };
        let version = server.text("version").unwrap_or_default();
        findings.extend(account.examine(self.purpose, version));
        if whole {
            findings.extend(server.examine());
            findings.extend(bugs::examine(&self.subject, version).into_iter().filter(|_| server.is_galera()));
        }
        findings
    }

    /// Asks until `end`. What is answered last may be missing without the rest. No finding: there was no answer in time.
    async fn facts(&self, end: Instant) -> Result<Facts, Option<Finding>> {
        let opts = self.opts.clone().map_err(|cause| {
            reach::LOGIN_REFUSED.at(&self.subject, format!("cannot read the password: {cause}"))
        })?;
        let conn = timeout_at(end, Conn::new(opts)).await.map_err(|_| None)?;
        let mut conn = conn.map_err(|error| self.unreachable(&error))?;
        let shown = timeout_at(end, show(&mut conn)).await.map_err(|_| None)?;
        let (values, grants) =
            shown.map_err(|error| reach::SERVER_UNSEEN.at(&self.subject, words(&error)))?;
        let answer = match timeout_at(end, select(&mut conn)).await {
            Ok(answer) => answer.map_err(|error| words(&error)),
            Err(_) => return Ok(Facts { values, grants, answer: Err("no answer in time".to_owned()) }),
        };
        // What was asked is answered: how the goodbye goes changes nothing.
        let _ = timeout_at(end, conn.disconnect()).await;
        Ok(Facts { values, grants, answer })
    }

    fn unreachable(&self, error: &SqlError) -> Finding {
        let refused = matches!(error, SqlError::Server(error) if REFUSALS.contains(&error.code));
        let kind = if refused { reach::LOGIN_REFUSED } else { reach::SERVER_UNREACHABLE };
        kind.at(&self.subject, words(error))
    }
}

fn tcp(opts: OptsBuilder, address: &HostPort) -> OptsBuilder {
    opts.ip_or_hostname(address.host()).tcp_port(address.port())
}

/// What the server shows of itself and of the account. A node outside the primary component answers SHOW and refuses SELECT
/// (1047). With `wsrep_sync_wait` set for all both would wait until the node has applied what others committed, which can be
/// for ever: the agent's sessions do not wait either.
async fn show(conn: &mut Conn) -> Result<(BTreeMap<String, String>, Vec<String>), SqlError> {
    match conn.query_drop("SET SESSION wsrep_sync_wait=0").await {
        Err(SqlError::Server(error)) if error.code == ER_UNKNOWN_SYSTEM_VARIABLE => {}
        outcome => outcome?,
    }
    let list = |names: &[&str]| names.join("','");
    let show = |what: &str, names| format!("SHOW GLOBAL {what} WHERE Variable_name IN ('{}')", list(names));
    let variables: Vec<Row> = conn.query(show("VARIABLES", VARIABLES)).await?;
    let status: Vec<Row> = conn.query(show("STATUS", STATUS)).await?;
    let grants: Vec<Row> = conn.query("SHOW GRANTS").await?;
    let values = pairs(&variables).chain(pairs(&status));
    let values = values.map(|(name, value)| (name.to_lowercase(), value)).collect();
    Ok((values, grants.iter().filter_map(|row| text(row, 0)).collect()))
}

async fn select(conn: &mut Conn) -> Result<Answer, SqlError> {
    let before = seconds();
    let row: Vec<Row> = conn.query("SELECT CURRENT_USER(), UNIX_TIMESTAMP(NOW(6))").await?;
    let here = f64::midpoint(before, seconds());
    let (name, clock) = pairs(&row).next().unwrap_or_default();
    Ok(Answer { name, ahead: clock.parse::<f64>().ok().map(|clock| clock - here) })
}

/// Since 1970.
fn seconds() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}
