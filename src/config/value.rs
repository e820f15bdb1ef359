//! How one setting's value is read: the same way from a file, a flag and the environment.
//! The vocabulary of values is in `words`.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::{self, Deserialize, Deserializer, Unexpected, Visitor};
use serde::ser::{Serialize, Serializer};

/// A type that a setting can have.
pub trait Word: Sized {
    /// What a value looks like, as it follows "expected".
    const EXPECTED: &'static str;

    /// Whether a settings file writes it as a bare number.
    const NUMBER: bool = false;

    /// Reads one value.
    ///
    /// # Errors
    /// What is wrong, for people; empty where `EXPECTED` says it all.
    fn read(text: &str) -> Result<Self, String>;
}

/// A value together with the text it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text<T> {
    /// The value.
    pub value: T,
    text: String,
}

impl<T: fmt::Display> Text<T> {
    /// A value that nobody has written.
    pub fn of(value: T) -> Self {
        Self { text: value.to_string(), value }
    }
}

impl<T: Word> FromStr for Text<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match T::read(text) {
            Ok(value) => Ok(Self { value, text: text.to_owned() }),
            Err(why) if why.is_empty() => {
                Err(format!("expected {}, found \"{}\"", T::EXPECTED, shorten(text)))
            }
            Err(why) => Err(format!("expected {}: {why}", T::EXPECTED)),
        }
    }
}

impl<T> fmt::Display for Text<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<T: Word> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.text.parse::<i64>() {
            Ok(number) if T::NUMBER => serializer.serialize_i64(number),
            _ => serializer.serialize_str(&self.text),
        }
    }
}

impl<'de, T: Word> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor(PhantomData))
    }
}

struct TextVisitor<T>(PhantomData<T>);

impl<T: Word> Visitor<'_> for TextVisitor<T> {
    type Value = Text<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        if T::NUMBER {
            return Err(E::invalid_type(Unexpected::Str(text), &self));
        }
        text.parse().map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
        if T::NUMBER {
            return number.to_string().parse().map_err(E::custom);
        }
        Err(E::invalid_type(Unexpected::Signed(number), &self))
    }
}

/// What is quoted from input that may be long: printable, 60 characters at most.
pub(crate) fn shorten(text: &str) -> String {
    text.chars().take(60).map(|c| if c.is_control() { '?' } else { c }).collect()
}
