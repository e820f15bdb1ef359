//! Logs in to MariaDB as capitana does, and looks at the server's settings and at the account. Changes nothing.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use capitana_core::HostPort;
use capitana_core::doctor::account::{Account, Purpose};
use capitana_core::doctor::server::{STATUS, Server, VARIABLES};
use capitana_core::doctor::{Finding, bugs, reach};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error as SqlError, Opts, OptsBuilder, Row};
use tokio::time::timeout;

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

/// What an account was shown.
struct Facts {
    values: BTreeMap<String, String>,
    account: Account,
    /// The server's clock less this host's, in seconds.
    ahead: f64,
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
        let facts = match timeout(limit, self.facts()).await {
            Ok(Ok(facts)) => facts,
            Ok(Err(finding)) => return vec![finding],
            Err(_) => {
                let found = format!("no answer within {limit:?}");
                return vec![reach::SERVER_UNREACHABLE.at(&self.subject, found)];
            }
        };
        let server = Server {
            subject: self.subject.clone(),
            values: facts.values,
            ahead: Some(facts.ahead),
            sessions,
        };
        let version = server.text("version").unwrap_or_default();
        let mut findings = facts.account.examine(self.purpose, version);
        if whole {
            findings.extend(server.examine());
            findings.extend(bugs::examine(&self.subject, version).into_iter().filter(|_| server.is_galera()));
        }
        findings
    }

    async fn facts(&self) -> Result<Facts, Finding> {
        let opts = self.opts.clone().map_err(|cause| {
            reach::LOGIN_REFUSED.at(&self.subject, format!("cannot read the password: {cause}"))
        })?;
        let mut conn = Conn::new(opts).await.map_err(|error| self.unreachable(&error))?;
        let facts = ask(&mut conn, &self.subject)
            .await
            .map_err(|error| reach::SERVER_UNSEEN.at(&self.subject, words(&error)))?;
        // What was asked is answered: how the goodbye goes changes nothing.
        let _ = conn.disconnect().await;
        Ok(facts)
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

/// A node outside the primary component answers SHOW and refuses SELECT (1047), so SHOW comes first.
async fn ask(conn: &mut Conn, subject: &str) -> Result<Facts, SqlError> {
    let list = |names: &[&str]| names.join("','");
    let show = |what: &str, names| format!("SHOW GLOBAL {what} WHERE Variable_name IN ('{}')", list(names));
    let variables: Vec<Row> = conn.query(show("VARIABLES", VARIABLES)).await?;
    let status: Vec<Row> = conn.query(show("STATUS", STATUS)).await?;
    let grants: Vec<Row> = conn.query("SHOW GRANTS").await?;
    let grants = grants.iter().filter_map(|row| text(row, 0)).collect();
    let before = seconds();
    let row: Vec<Row> = conn.query("SELECT CURRENT_USER(), UNIX_TIMESTAMP(NOW(6))").await?;
    let here = f64::midpoint(before, seconds());
    let (name, clock) = pairs(&row).next().unwrap_or_default();
    let values = pairs(&variables).chain(pairs(&status));
    Ok(Facts {
        values: values.map(|(name, value)| (name.to_lowercase(), value)).collect(),
        account: Account { subject: subject.to_owned(), name, grants },
        ahead: clock.parse::<f64>().map_or(0.0, |clock| clock - here),
    })
}

/// Since 1970.
fn seconds() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}
