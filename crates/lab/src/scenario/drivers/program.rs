//! The Python drivers as a program: put into the lab's directory, and run there once for each transcript.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};

use super::settings::Settings;
use crate::lab::Lab;
use crate::venv;

const FILES: [(&str, &str); 9] = [
    ("client_mariadb.py", include_str!("../../../python/client_mariadb.py")),
    ("client_mysqlclient.py", include_str!("../../../python/client_mysqlclient.py")),
    ("client_pymysql.py", include_str!("../../../python/client_pymysql.py")),
    ("data.py", include_str!("../../../python/data.py")),
    ("dbapi_cases.py", include_str!("../../../python/dbapi_cases.py")),
    ("driver.py", include_str!("../../../python/driver.py")),
    ("session.sql", include_str!("../../../python/session.sql")),
    ("statements.sql", include_str!("../../../python/statements.sql")),
    ("transcript.py", include_str!("../../../python/transcript.py")),
];

pub(super) struct Program {
    interpreter: PathBuf,
    directory: PathBuf,
}

impl Program {
    pub(super) fn install(lab: &Path, interpreter: PathBuf) -> Result<Self> {
        let directory = venv::install_scripts(lab, &FILES)?;
        Ok(Self { interpreter, directory })
    }

    /// Runs one driver to its end. Its log is the transcript, and is kept like every log if the scenario fails.
    ///
    /// # Errors
    /// It does not end in time, or not with success.
    pub(super) async fn run(
        &self,
        lab: &Lab,
        name: &str,
        settings: &Settings,
        patience: Duration,
    ) -> Result<String> {
        let (interpreter, script) = (self.interpreter.clone(), self.directory.join("driver.py"));
        let settings = serde_json::to_string(settings)?;
        let process = lab.process(name, move || {
            let mut command = Command::new(&interpreter);
            command.arg(&script).arg(&settings);
            Ok(command)
        })?;
        process.start().await?;
        let Ok(status) = process.wait_exit(patience).await else {
            process.kill().await?;
            bail!("not done after {patience:?}; the last it said:\n{}", process.log_tail(5));
        };
        if !status.success() {
            bail!("it ended with {status}; the last it said:\n{}", process.log_tail(10));
        }
        let transcript = fs::read(process.log_path())?;
        Ok(String::from_utf8_lossy(&transcript).into_owned())
    }
}
