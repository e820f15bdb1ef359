//! Changes the settings in ZooKeeper: with `capitana config` as people do, and by hand as nobody should.

use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use zookeeper_client::{Acl, Acls, AuthId, Client, CreateMode, Error, Permission};

use crate::daemon;

/// Where the settings of a kind of daemon are.
pub(super) fn path(kind: &str) -> String {
    format!("/capitana/config/{kind}")
}

/// A command that has ended.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) code: i32,
    pub(super) out: String,
    pub(super) err: String,
}

/// The way to the settings.
#[derive(Debug, Clone)]
pub(super) struct Hand {
    zookeeper: String,
    client: Client,
}

impl Hand {
    pub(super) async fn new(zookeeper: &str) -> Result<Self> {
        let connector = Client::connector().with_session_timeout(Duration::from_secs(20));
        let client = connector.connect(zookeeper).await.context("cannot open a session with ZooKeeper")?;
        Ok(Self { zookeeper: zookeeper.to_owned(), client })
    }

    /// `capitana config ARGUMENTS`, with this on its standard input.
    pub(super) async fn config(&self, arguments: &[&str], input: &str) -> Result<Said> {
        let mut command = Command::new(daemon::program()?);
        command.arg("config").args(arguments).args(["--zookeeper", &self.zookeeper, "--timeout", "30s"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let input = input.to_owned();
        let Output { status, stdout, stderr } = tokio::task::spawn_blocking(move || {
            let mut child = command.spawn()?;
            if let Some(mut stdin) = child.stdin.take() {
                // A command that reads nothing may have ended.
                let _ = stdin.write_all(input.as_bytes());
            }
            child.wait_with_output()
        })
        .await??;
        let (out, err) = (String::from_utf8(stdout)?, String::from_utf8(stderr)?);
        Ok(Said { code: status.code().unwrap_or(-1), out, err })
    }

    /// How many processes of this kind `capitana status` shows with the version that is there, and how many with another.
    pub(super) async fn standing(&self, kind: &str) -> Result<(usize, usize)> {
        let mut command = Command::new(daemon::program()?);
        command.args(["status", "--json", "--timeout", "30s", "--zookeeper", &self.zookeeper]);
        let output = tokio::task::spawn_blocking(move || command.output()).await??;
        let status: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        let current = &status["settings"][kind];
        let services = status["services"].as_array().context("capitana status shows no services")?;
        let of_kind = services.iter().filter(|service| service["kind"] == kind);
        let (same, others): (Vec<_>, Vec<_>) =
            of_kind.partition(|service| !current.is_null() && service["config"]["version"] == *current);
        Ok((same.len(), others.len()))
    }

    /// Writes settings as people do. Answers their version, and when ZooKeeper wrote it, in milliseconds since 1970 UTC.
    pub(super) async fn set(&self, kind: &str, text: &str) -> Result<(i32, i64)> {
        let said = self.config(&["set", kind, "-", "-m", "a round"], text).await?;
        if said.code != 0 {
            bail!("capitana config set: {}", said.err);
        }
        self.stat(kind).await
    }

    /// Writes whatever it is, past everything that would look at it. Answers as `set`.
    pub(super) async fn force(&self, kind: &str, data: &[u8]) -> Result<(i32, i64)> {
        match self.client.set_data(&path(kind), data, None).await {
            Ok(stat) => Ok((stat.version, stat.mtime)),
            Err(Error::NoNode) => {
                let options = CreateMode::Persistent.with_acls(Acls::anyone_all());
                self.client.mkdir("/capitana/config", &options).await?;
                self.client.create(&path(kind), data, &options).await?;
                self.stat(kind).await
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Deletes the znode.
    pub(super) async fn delete(&self, kind: &str) -> Result<()> {
        Ok(self.client.delete(&path(kind), None).await?)
    }

    /// Lets nobody read the znode, or everybody do everything.
    pub(super) async fn close(&self, kind: &str, closed: bool) -> Result<()> {
        let all_but_read = Permission::WRITE | Permission::CREATE | Permission::DELETE | Permission::ADMIN;
        let permission = if closed { all_but_read } else { Permission::ALL };
        self.client.set_acl(&path(kind), &[Acl::new(permission, AuthId::anyone())], None).await?;
        Ok(())
    }

    async fn stat(&self, kind: &str) -> Result<(i32, i64)> {
        let stat = self.client.check_stat(&path(kind)).await?.context("the settings are gone")?;
        Ok((stat.version, stat.mtime))
    }
}
