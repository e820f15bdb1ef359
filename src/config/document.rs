//! A settings file: its keys, where each stands, and one clear line for whatever is wrong with it.
//! Which keys there are is not known here.

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

/// A settings file that is TOML. Its values have not been looked at.
#[derive(Debug)]
pub struct Document {
    path: PathBuf,
    text: String,
    entries: Vec<Entry>,
}

#[derive(Debug)]
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
        Self::parse(path, text)
    }

    /// Takes `text` for the contents of the file at `path`.
    ///
    /// # Errors
    /// The text is not TOML.
    pub fn parse(path: &Path, text: String) -> Result<Self, Error> {
        let entries = match DeTable::parse(&text) {
            Ok(table) => entries(table.get_ref()),
            Err(error) => return Err(syntax(path, &text, &error)),
        };
        Ok(Self { path: path.to_owned(), text, entries })
    }

    /// The file, as it was named.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
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

    fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    fn at(&self, entry: &Entry, offset: usize) -> Origin {
        Origin::File { path: self.path.clone(), line: line(&self.text, offset), key: shorten(&entry.key) }
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

fn syntax(path: &Path, text: &str, error: &toml::de::Error) -> Error {
    let span = error.span().unwrap_or(0..0);
    let line = line(text, span.start);
    let found = text.get(span).unwrap_or_default().trim();
    let path = path.to_owned();
    if error.message() == "duplicate key" {
        return Error::Setting {
            origin: Origin::File { path, line, key: found.to_owned() },
            problem: "this key is set twice: keep one".to_owned(),
        };
    }
    let problem = format!("not TOML: {}", error.message().replace('\n', ", "));
    match key_on(text, line) {
        Some(key) => Error::Setting { origin: Origin::File { path, line, key }, problem },
        None => Error::Syntax { path, line, problem },
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
