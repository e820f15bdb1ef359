//! Who wins: a flag beats the environment, which beats the settings file, which beats the default.
//! clap has settled all but the file; this module settles that, and remembers where each value came from.

use std::path::Path;

use clap::ArgMatches;
use clap::parser::ValueSource;
use serde::de::DeserializeOwned;

use super::document::Document;
use crate::error::{Error, Origin};

/// What begins the name of every environment variable.
pub const PREFIX: &str = "CAPITANA_";

/// The places from which one command's settings come.
#[derive(Debug)]
pub struct Source<'a> {
    matches: &'a ArgMatches,
    document: Option<Document>,
}

impl<'a> Source<'a> {
    /// Flags and environment as clap has read them, and a settings file if there is one.
    #[must_use]
    pub fn new(matches: &'a ArgMatches, document: Option<Document>) -> Self {
        Self { matches, document }
    }

    /// The settings file.
    #[must_use]
    pub fn document(&self) -> Option<&Document> {
        self.document.as_ref()
    }

    /// The settings file, to keep.
    #[must_use]
    pub fn into_document(self) -> Option<Document> {
        self.document
    }

    /// The file's value of the setting `id`, unless a flag or the environment has one.
    ///
    /// # Errors
    /// The file's value cannot be used. A value that is not used is still checked: it would fail on another day.
    pub fn value<T: DeserializeOwned>(&self, id: &str) -> Result<Option<T>, Error> {
        let in_file = match &self.document {
            Some(document) => document.value(&key(id))?,
            None => None,
        };
        Ok(in_file.filter(|_| self.given(id).is_none()))
    }

    /// Where the value of the setting `id` came from.
    #[must_use]
    pub fn origin(&self, id: &str) -> Origin {
        self.given(id)
            .or_else(|| self.document.as_ref()?.origin(&key(id)))
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
        self.document.as_ref().filter(|_| in_file)?.path().parent()
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
