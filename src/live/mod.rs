//! The settings of a running daemon, and how they change: from its file on SIGHUP, and from ZooKeeper as `follow` reads it.
//! Both take one way: what would then hold is put together and checked as a whole, and is used or left. It owns which
//! settings hold; which version of ZooKeeper's is used is decided in `capitana_core::liveconfig`, and what a daemon does with
//! its settings is the daemon's.

pub mod check;
mod follow;
mod keeper;
pub mod metrics;
mod status;
pub mod store;

use capitana_core::liveconfig::{Choice, LiveConfig, Revision, Sight};
use clap::ArgMatches;
use prometheus::Registry;
use tokio::sync::watch;

use crate::config::document::{Document, Place};
use crate::config::keys::check_live;
use crate::config::load::{Daemon, Effective, Together, put_together, read_file};
use crate::config::source::Documents;
use crate::error::Error;
use crate::logging::LogControl;

pub use follow::{Follow, NAME as PART, Watched};
pub use keeper::Keeper;
pub use status::{ConfigStatus, Standing, rfc3339};
use store::LONGEST;
pub use store::Store;

/// The settings of a running daemon.
pub struct Live<D: Daemon> {
    matches: ArgMatches,
    /// The settings file as it was read last, and the version of ZooKeeper's that is used.
    documents: Documents,
    holds: Together<D>,
    zookeeper: LiveConfig,
    /// Why the last reading of ZooKeeper does not count.
    unreadable: Option<String>,
    /// The daemon's znode of settings, where there is one.
    path: Option<String>,
    log: Option<LogControl>,
    /// How the daemon takes over what holds.
    apply: Option<Apply<D::Config>>,
    /// What is read in ZooKeeper; none: nobody reads there.
    watched: Option<watch::Receiver<Watched>>,
    status: watch::Sender<ConfigStatus>,
}

/// See `Live::applied_by`.
type Apply<Config> = Box<dyn Fn(&Config) + Send>;

/// What can be used: which documents, and what they come to.
type Usable<D> = (Documents, Together<D>);

impl<D: Daemon> Live<D> {
    /// The settings with which the daemon starts: ZooKeeper is not read yet.
    ///
    /// # Errors
    /// The first setting that cannot be used, or a file that cannot be read.
    pub fn load(matches: ArgMatches) -> Result<Self, Error> {
        let documents = Documents { file: read_file::<D>(&matches)?, zookeeper: None };
        let holds = put_together::<D>(&matches, &documents, None)?;
        let path = D::common(&holds.loaded.config).store(D::KIND).map(|store| store.path().to_owned());
        let status = watch::Sender::new(ConfigStatus::at_start(path.clone(), &holds.loaded.effective));
        Ok(Self {
            matches,
            documents,
            holds,
            zookeeper: LiveConfig::default(),
            unreadable: None,
            path,
            log: None,
            apply: None,
            watched: None,
            status,
        })
    }

    /// Has the log's level follow from now on, and tells it what is unwise in the settings.
    pub fn log_to(&mut self, log: LogControl) {
        self.log = Some(log);
        self.warn();
    }

    /// Has whatever holds from now on handed over to the daemon by this: before log, `/status` or the service manager say
    /// that it holds.
    pub fn applied_by(&mut self, apply: impl Fn(&D::Config) + Send + 'static) {
        self.apply = Some(Box::new(apply));
    }

    /// Has `registry` show what became of the log.
    ///
    /// # Errors
    /// A name is taken in it: a mistake in capitana.
    pub fn register_log(&self, registry: &Registry) -> Result<(), Error> {
        let registered = self.log.as_ref().map_or(Ok(()), |log| log.register(registry));
        registered.map_err(|error| Error::Internal(error.to_string()))
    }

    /// The settings that hold.
    #[must_use]
    pub fn config(&self) -> &D::Config {
        &self.holds.loaded.config
    }

    /// How the settings stand, followed.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<ConfigStatus> {
        self.status.subscribe()
    }

    /// Who has to be run to read what is in ZooKeeper. None: it is not looked at.
    pub fn follow(&mut self) -> Option<Follow> {
        let store = D::common(self.config()).store(D::KIND)?;
        let (follow, watched) = Follow::new(store, self.status());
        self.watched = Some(watched);
        Some(follow)
    }

    /// Waits until something else than before was read in ZooKeeper. Dropping the future loses nothing.
    pub async fn changed(&mut self) {
        let Some(watched) = &mut self.watched else { return std::future::pending().await };
        if watched.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Reads the settings file again, and uses it if that can be. Answers whether it could.
    pub fn reload(&mut self) -> bool {
        let read = read_file::<D>(&self.matches).map_err(|error| error.to_string());
        match read.and_then(|file| self.reconsider(file.as_ref())) {
            Ok(()) => {
                tracing::info!("settings reloaded");
                true
            }
            Err(error) => {
                tracing::error!(error, "settings not reloaded: the old ones stay in effect");
                false
            }
        }
    }

    /// Takes in what was read in ZooKeeper.
    pub fn see(&mut self) {
        let Some(watched) = self.watched.as_mut().map(|watched| watched.borrow_and_update().clone()) else {
            return;
        };
        match watched {
            Watched::Nothing => return,
            Watched::Unreadable(why) => return self.cannot_read(why),
            Watched::Read(current) => {
                let readable = self.status.borrow().standing != Standing::Unreadable;
                match self.zookeeper.see(current) {
                    Sight::Older => return self.saw_older(),
                    Sight::Same if readable => return,
                    Sight::Same | Sight::New => self.unreadable = None,
                }
            }
        }
        let file = self.documents.file.clone();
        // What holds has been checked with the same file, so that this cannot be unless something it names has gone.
        if let Err(error) = self.reconsider(file.as_ref()) {
            tracing::error!(error, "settings in ZooKeeper not looked at: the old ones stay in effect");
            self.publish(|status| status.unreadable(error));
        }
    }

    fn cannot_read(&mut self, why: String) {
        self.publish(|status| status.unreadable(why.clone()));
        self.unreadable = Some(why);
    }

    /// That is logged once, and not for each reading.
    fn saw_older(&mut self) {
        let path = self.path.as_deref().unwrap_or_default();
        let why = format!(
            "ZooKeeper {path}: settings that are older than ones already seen; they are not used (restart this process if \
             ZooKeeper was set up anew, or restored from a backup)"
        );
        if self.unreadable.as_ref() != Some(&why) {
            tracing::warn!("{why}");
        }
        self.cannot_read(why);
    }

    /// Uses what can be used of this file and of what is in ZooKeeper.
    fn reconsider(&mut self, file: Option<&Document>) -> Result<(), String> {
        let judge = |revision: Option<&Revision>| -> Result<Usable<D>, String> {
            let zookeeper = revision.map(|revision| self.document(revision)).transpose()?;
            let documents = Documents { file: file.cloned(), zookeeper };
            let together = put_together(&self.matches, &documents, Some(&self.holds.given));
            together.map(|together| (documents, together)).map_err(|error| error.to_string())
        };
        let choice = self.zookeeper.choose(judge)?;
        self.zookeeper.uses(&choice);
        self.put_to_use(choice);
        Ok(())
    }

    fn document(&self, revision: &Revision) -> Result<Document, String> {
        let path = self.path.clone().unwrap_or_default();
        parse(Place::Znode { path, version: revision.version }, &revision.text)
            .and_then(|document| check_live(&document, D::KIND).map(|()| document))
            .map_err(|error| error.to_string())
    }

    fn put_to_use(&mut self, choice: Choice<Usable<D>>) {
        let Choice { settings: (documents, together), revision, refused } = choice;
        let before = std::mem::replace(&mut self.holds, together);
        self.documents = documents;
        if let Some(apply) = &self.apply {
            apply(self.config());
        }
        let changed = differing(&before.loaded.effective, &self.holds.loaded.effective);
        self.warn();
        let log_level = &D::common(self.config()).log_level;
        if let Some(Err(error)) = self.log.as_ref().map(|log| log.set_filter(log_level)) {
            tracing::error!(%error, "log-level not taken over");
        }
        if !changed.is_empty() {
            let version = revision.as_ref().map(|revision| revision.version);
            tracing::info!(settings = changed.join(", "), version, "settings changed");
        }
        let newest = self.zookeeper.current().map(|current| current.revision.version);
        let restart = self.holds.restart.clone();
        if !restart.is_empty() && restart != self.status.borrow().restart_needed {
            tracing::warn!(settings = restart.join(", "), "changed, but in effect only after a restart");
        }
        if let Some(refused) = &refused
            && self.status.borrow().error.as_ref() != Some(&refused.why)
        {
            let version = refused.version;
            tracing::error!(
                error = refused.why,
                version,
                "settings in ZooKeeper refused: none of this version applies"
            );
        }
        let (was_read, unreadable) = (self.zookeeper.was_read(), self.unreadable.clone());
        let lines = status::lines(&self.holds.loaded.effective, &restart);
        self.publish(|status| {
            if was_read {
                status.read(newest, revision.as_ref(), refused);
            }
            // A file that is read again changes nothing about that.
            if let Some(why) = unreadable {
                status.unreadable(why);
            }
            status.restart_needed = restart;
            status.lines = lines;
        });
    }

    fn publish(&self, change: impl FnOnce(&mut ConfigStatus)) {
        self.status.send_modify(change);
    }

    fn warn(&self) {
        for warning in &self.holds.loaded.warnings {
            tracing::warn!("{warning}");
        }
    }
}

/// Reads settings that are or will be in ZooKeeper.
///
/// # Errors
/// They are too long, not UTF-8, or not TOML.
pub fn parse(place: Place, text: &[u8]) -> Result<Document, Error> {
    let wrong = |problem: String| Error::Syntax { place: place.to_string(), line: 1, problem };
    if text.len() > LONGEST {
        return Err(wrong(format!("{} bytes are no settings: at most {LONGEST} are read", text.len())));
    }
    let Ok(text) = std::str::from_utf8(text) else {
        return Err(wrong("not UTF-8, so not TOML".to_owned()));
    };
    Document::parse(place, text.to_owned())
}

/// The keys of settings whose values differ.
fn differing<'a>(before: &[Effective], after: &'a [Effective]) -> Vec<&'a str> {
    let pairs = before.iter().zip(after);
    pairs.filter(|(before, after)| before.value != after.value).map(|(_, after)| after.key.as_str()).collect()
}
