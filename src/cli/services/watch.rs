//! Follows the list of services and keeps what is made of it: makes and writes it, runs the command, and tells of failures.
//! When to do which is decided in `capitana_core::services::rendering`.

use std::future::pending;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use capitana_core::services::list::Services;
use capitana_core::services::rendering::{Action, Event, Pace, Rendering};
use prometheus::Registry;
use tokio::process::Command;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::super::election::{Election, SESSION_TIMEOUT};
use super::file::Target;
use super::form::Form;
use crate::config::LogFormat;
use crate::error::Error;
use crate::logging;
use crate::metrics::Maker;
use crate::side::{Reading, Roster, Side, SideMetrics, When};

/// What is kept.
pub(super) struct Job {
    /// Of which services; none: of all.
    pub(super) kind: Option<String>,
    /// What is made of them.
    pub(super) form: Form,
    /// Where it goes.
    pub(super) target: Target,
    /// What is run after a change.
    pub(super) command: Option<String>,
    /// How often.
    pub(super) pace: Pace,
}

/// Follows the list until the process is ended.
pub(super) async fn run(election: &Election, job: Job, out: &mut dyn Write) -> Result<(), Error> {
    logging::install(LogFormat::Human, "info")?;
    let roster = Arc::new(Roster::new(election.services_path.clone(), job.kind.clone(), When::Changed));
    let read = roster.follow();
    // Nobody scrapes this process.
    let metrics = Maker::new(&Registry::new()).and_then(|make| SideMetrics::register(&make));
    let metrics = metrics.map_err(|error| Error::Internal(error.to_string()))?;
    let _side = Side::start(election.connector(SESSION_TIMEOUT), vec![roster], metrics);
    Keeper { rendering: Rendering::new(job.pace), job, started: Instant::now(), read, said: None }
        .keep(out)
        .await
}

/// Keeps one file, or prints.
struct Keeper {
    job: Job,
    rendering: Rendering,
    started: Instant,
    read: watch::Receiver<Option<Reading>>,
    /// What was complained of last: it is said once, and again when it has changed.
    said: Option<String>,
}

impl Keeper {
    async fn keep(mut self, out: &mut dyn Write) -> Result<(), Error> {
        loop {
            match self.rendering.next(self.started.elapsed()) {
                Action::Wait(until) => self.wait(until).await,
                Action::Write(services) => self.write(&services, out)?,
                Action::Run => self.run().await,
            }
        }
    }

    fn on(&mut self, event: Event) {
        self.rendering.on(event, self.started.elapsed());
    }

    async fn wait(&mut self, until: Option<Duration>) {
        let started = self.started;
        let due = async {
            match until {
                Some(until) => sleep_until(started + until).await,
                None => pending().await,
            }
        };
        tokio::select! {
            Ok(()) = self.read.changed() => self.take_in(),
            () = due => {}
        }
    }

    fn take_in(&mut self) {
        let read = self.read.borrow_and_update().clone();
        match read.map(|read| read.list) {
            Some(Ok(services)) => self.on(Event::Read(Services::clone(&services))),
            Some(Err(doubt)) => self.complain(&doubt),
            None => {}
        }
    }

    /// # Errors
    /// Standard output cannot be written: nobody reads any more.
    fn write(&mut self, services: &Services, out: &mut dyn Write) -> Result<(), Error> {
        let written = self.job.form.make(services).map_err(Error::Template);
        match written.and_then(|content| self.job.target.put(&content, out)) {
            Ok(changed) => {
                self.said = None;
                if let (Some(path), true) = (self.job.target.path(), changed) {
                    tracing::info!(file = %path.display(), services = services.services.len(), "written");
                }
                self.on(Event::Written { changed: changed && self.job.command.is_some() });
            }
            Err(Error::Output(error)) => return Err(Error::Output(error)),
            Err(error) => {
                self.complain(&format!("{error}; the file stays as it is"));
                self.on(Event::Failed);
            }
        }
        Ok(())
    }

    async fn run(&mut self) {
        let Some(command) = &self.job.command else { return self.on(Event::Ran) };
        let ended = shell(command, self.job.target.path()).status().await;
        let failure = match ended {
            Ok(status) if status.success() => None,
            Ok(status) => Some(status.to_string()),
            Err(error) => Some(error.to_string()),
        };
        match failure {
            None => self.on(Event::Ran),
            Some(cause) => {
                let next = match self.job.pace.retry {
                    Some(retry) => format!("it is run again in {}", humantime::format_duration(retry)),
                    None => "it is not run again before the file changes (--exec-retry)".to_owned(),
                };
                tracing::warn!(command, cause, "the command has failed: {next}");
                self.on(Event::RunFailed);
            }
        }
    }

    fn complain(&mut self, what: &str) {
        if self.said.as_deref() != Some(what) {
            tracing::warn!("{what}");
            self.said = Some(what.to_owned());
        }
    }
}

fn shell(command: &str, file: Option<&Path>) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(command).stdin(Stdio::null());
    if let Some(file) = file {
        shell.env("CAPITANA_OUT", file);
    }
    shell
}
