//! Who wins: a flag beats the environment, which beats ZooKeeper, which beats the settings file, which beats the default.
//! clap has settled all but the documents; this module settles those, and remembers where each value came from.

use std::path::Path;

use clap::ArgMatches;
use clap::parser::ValueSource;
use serde::de::DeserializeOwned;

use super::document::Document;
use crate::error::{Error, Origin};

/// What begins the name of every environment variable.
pub const PREFIX: &str = "CAPITANA_";

/// The documents below flags and environment: what ZooKeeper says beats the file of one host.
#[derive(Debug, Clone, Default)]
pub struct Documents {
    /// The settings of all daemons of a kind.
    pub zookeeper: Option<Document>,
    /// The settings file.
    pub file: Option<Document>,
}

/// The places from which one command's settings come.
#[derive(Debug)]
pub struct Source<'a> {
    matches: &'a ArgMatches,
    documents: &'a Documents,
}

impl<'a> Source<'a> {
    /// Flags and environment as clap has read them, and what stands below them.
    #[must_use]
    pub fn new(matches: &'a ArgMatches, documents: &'a Documents) -> Self {
        Self { matches, documents }
    }

    /// The documents' value of the setting `id`, unless a flag or the environment has one.
    ///
    /// # Errors
    /// A document's value cannot be used. A value that is not used is still checked: it would fail on another day.
    pub fn value<T: DeserializeOwned>(&self, id: &str) -> Result<Option<T>, Error> {
        let key = key(id);
        let mut value = None;
        for document in self.documents() {
            value = value.or(document.value(&key)?);
        }
        Ok(value.filter(|_| self.given(id).is_none()))
    }

    /// Where the value of the setting `id` came from.
    #[must_use]
    pub fn origin(&self, id: &str) -> Origin {
        self.given(id)
            .or_else(|| self.documents().find_map(|document| document.origin(&key(id))))
            .unwrap_or_else(|| Origin::Unset(key(id)))
    }

    /// An error about the value of the setting `id`.
    #[must_use]
    pub fn error(&self, id: &str, problem: impl Into<String>) -> Error {
        Error::Setting { origin: self.origin(id), problem: problem.into() }
    }

    /// The directory from which a relative path in the setting `id` counts, if it stands in a file.
    #[must_use]
    pub fn directory(&self, id: &str) -> Option<&Path> {
        let in_file = matches!(self.origin(id), Origin::File { .. });
        self.documents.file.as_ref().filter(|_| in_file)?.path()?.parent()
    }

    /// Who comes first wins.
    fn documents(&self) -> impl Iterator<Item = &Document> {
        [&self.documents.zookeeper, &self.documents.file].into_iter().flatten()
    }

    fn given(&self, id: &str) -> Option<Origin> {
        match self.matches.value_source(id)? {
            ValueSource::CommandLine => Some(Origin::Flag(key(id))),
            ValueSource::EnvVariable => Some(Origin::Environment(variable(id))),
            _ => None,
        }
    }
}

/// The TOML key, and the flag, of the setting `id`.
#[must_use]
pub fn key(id: &str) -> String {
    id.replace('_', "-")
}

/// The environment variable of the setting `id`.
#[must_use]
pub fn variable(id: &str) -> String {
    format!("{PREFIX}{}", id.to_ascii_uppercase())
}
