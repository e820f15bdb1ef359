//! A text of settings, in a file or in ZooKeeper: its keys, where each stands, and one clear line for whatever is wrong
//! with it. Which keys there are is not known here.

use std::fmt;
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::de::{DeTable, ValueDeserializer};

use super::file;
use super::value::shorten;
use crate::error::{Error, Origin};

/// The longest settings file that is read: a device or a log that is named by mistake has no end.
const LONGEST: u64 = 1 << 20;

/// Settings that are TOML. Their values have not been looked at.
#[derive(Debug, Clone)]
pub struct Document {
    place: Place,
    text: String,
    entries: Vec<Entry>,
}

/// Where a document stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In this file, as it was named.
    File(PathBuf),
    /// In this znode, of which it is this version.
    Znode {
        /// The znode's path.
        path: String,
        /// Its data's version, counted from 0.
        version: i32,
    },
}

impl Place {
    /// A line in it, counted from one.
    #[must_use]
    pub fn origin(&self, line: usize, key: String) -> Origin {
        match self.clone() {
            Self::File(path) => Origin::File { path, line, key },
            Self::Znode { path, version } => Origin::ZooKeeper { path, version, line, key },
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Znode { path, version } => write!(f, "ZooKeeper {path} version {version}"),
        }
    }
}

#[derive(Debug, Clone)]
struct Entry {
    key: String,
    at: usize,
    value: Range<usize>,
    is_table: bool,
}

impl Document {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// The file cannot be read, or is not TOML.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let unreadable = |source| Error::ReadFile { path: path.to_owned(), source };
        let mut text = String::new();
        let file = file::open(path).map_err(unreadable)?;
        let read = file.take(LONGEST + 1).read_to_string(&mut text).map_err(unreadable)?;
        if read as u64 > LONGEST {
            return Err(unreadable(io::Error::other("it is longer than 1 MiB, so it is no settings file")));
        }
        Self::parse(Place::File(path.to_owned()), text)
    }

    /// Takes `text` for what stands at `place`.
    ///
    /// # Errors
    /// The text is not TOML.
    pub fn parse(place: Place, text: String) -> Result<Self, Error> {
        let entries = match DeTable::parse(&text) {
            Ok(table) => entries(table.get_ref()),
            Err(error) => return Err(syntax(&place, &text, &error)),
        };
        Ok(Self { place, text, entries })
    }

    /// Where it stands.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The file, if it stands in one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &self.place {
            Place::File(path) => Some(path),
            Place::Znode { .. } => None,
        }
    }

    /// The keys in the order of the file.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.key.as_str())
    }

    /// Where `key` stands, if it does.
    #[must_use]
    pub fn origin(&self, key: &str) -> Option<Origin> {
        self.entry(key).map(|entry| self.at(entry, entry.at))
    }

    /// Whether `key` is a table: `[key]`.
    #[must_use]
    pub fn is_table(&self, key: &str) -> bool {
        self.entry(key).is_some_and(|entry| entry.is_table)
    }

    /// The value of `key`, if it is there.
    ///
    /// # Errors
    /// The value is of another type, or cannot be used.
    pub fn value<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        let Some(entry) = self.entry(key) else {
            return Ok(None);
        };
        let text = self.text.get(entry.value.clone()).unwrap_or_default();
        let read = ValueDeserializer::parse(text).and_then(T::deserialize);
        read.map(Some).map_err(|error| {
            let within = error.span().map_or(0, |span| span.start);
            Error::Setting {
                origin: self.at(entry, entry.value.start + within),
                problem: in_toml_words(error.message()),
            }
        })
    }

    /// What `after` says otherwise, an item for each key.
    #[must_use]
    pub fn differences(&self, after: &Self) -> Vec<String> {
        let gone = self.entries.iter().filter(|entry| after.entry(&entry.key).is_none());
        let gone = gone.map(|entry| format!("{} (gone)", shorten(&entry.key)));
        let changed = after.entries.iter().filter_map(|entry| {
            let (key, now) = (shorten(&entry.key), after.value_text(entry));
            match self.entry(&entry.key).map(|before| self.value_text(before)) {
                Some(before) if before == now => None,
                Some(before) => Some(format!("{key} ({before} -> {now})")),
                None => Some(format!("{key} (now {now})")),
            }
        });
        changed.chain(gone).collect()
    }

    fn value_text(&self, entry: &Entry) -> String {
        shorten(self.text.get(entry.value.clone()).unwrap_or_default())
    }

    fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    fn at(&self, entry: &Entry, offset: usize) -> Origin {
        self.place.origin(line(&self.text, offset), shorten(&entry.key))
    }
}

fn entries(table: &DeTable<'_>) -> Vec<Entry> {
    let mut entries: Vec<_> = table
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref().to_string(),
            at: key.span().start,
            value: value.span(),
            is_table: value.get_ref().is_table(),
        })
        .collect();
    entries.sort_by_key(|entry| entry.at);
    entries
}

fn syntax(place: &Place, text: &str, error: &toml::de::Error) -> Error {
    let span = error.span().unwrap_or(0..0);
    let line = line(text, span.start);
    let found = text.get(span).unwrap_or_default().trim();
    if error.message() == "duplicate key" {
        return Error::Setting {
            origin: place.origin(line, found.to_owned()),
            problem: "this key is set twice: keep one".to_owned(),
        };
    }
    let problem = format!("not TOML: {}", error.message().replace('\n', ", "));
    match key_on(text, line) {
        Some(key) => Error::Setting { origin: place.origin(line, key), problem },
        None => Error::Syntax { place: place.to_string(), line, problem },
    }
}

/// The key that a broken line was meant to set.
fn key_on(text: &str, line: usize) -> Option<String> {
    let (key, _) = text.lines().nth(line.checked_sub(1)?)?.split_once('=')?;
    let key = key.trim();
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    (!key.is_empty() && key.chars().all(bare)).then(|| key.to_owned())
}

/// The line of a byte, counted from one.
fn line(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|&byte| byte == b'\n').count() + 1
}

/// serde's names for types are not those of TOML.
fn in_toml_words(message: &str) -> String {
    message
        .replace("expected a sequence", "expected a list such as [\"a\", \"b\"]")
        .replace("invalid type: sequence", "invalid type: a list")
        .replace("invalid type: map", "invalid type: a table")
        .replace('\n', ", ")
}
