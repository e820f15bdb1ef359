//! `capitana config set` and `rollback`: a new version in the place of the one that was seen, or one line that says who was
//! faster and what is different now.

use std::io::Write;

use capitana_core::liveconfig::Revision;

use super::Place;
use super::show::{both, nothing};
use crate::config::document::{Document, Place as Origin};
use crate::config::host_name;
use crate::error::Error;
use crate::live::check::check;
use crate::live::store::{Kept, New};

/// How often a write that may take the place of any version is tried, when others write at the same time.
const ATTEMPTS: usize = 20;
/// The longest message that is kept.
const LONGEST_MESSAGE: usize = 200;

/// What is to be written.
pub(super) struct Change {
    text: Vec<u8>,
    message: Option<String>,
}

impl Change {
    /// This text, for this reason.
    pub(super) fn new(text: Vec<u8>, message: Option<&str>) -> Self {
        let printable = |c: char| if c.is_control() { ' ' } else { c };
        let message = message.map(|message| message.chars().take(LONGEST_MESSAGE).map(printable).collect());
        Self { text, message }
    }
}

/// What became of an attempt.
pub(super) enum Outcome {
    /// This version was written.
    Written(i32),
    /// This version says the same.
    Same(i32),
    /// Another version is there: it, if there is one, and what is different in it, for people.
    Conflict(Option<i32>, String),
}

/// Writes settings. `version` is the one they take the place of; none: whichever it is.
pub(super) async fn set(
    place: &Place,
    change: Change,
    (origin, version): (Origin, Option<Option<i32>>),
    out: &mut dyn Write,
) -> Result<(), Error> {
    check(place.kind, origin, &change.text)?;
    for _ in 0..ATTEMPTS {
        let after = match version {
            Some(after) => after,
            None => place.ask(both).await?.0.map(|current| current.version),
        };
        match attempt(place, &change, after).await? {
            Outcome::Conflict(..) if version.is_none() => {}
            Outcome::Conflict(found, changed) => return Err(conflict(place, after, found, changed)),
            outcome => return say(place, &outcome, out),
        }
    }
    Err(conflict(place, None, None, "others write all the time".to_owned()))
}

/// Writes an earlier version again.
pub(super) async fn rollback(
    place: &Place,
    to: i32,
    message: Option<&str>,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let (current, kept) = place.ask(both).await?;
    let Some(wanted) = kept.iter().find(|kept| kept.revision.version == to) else {
        return Err(nothing(place, Some(to)));
    };
    let said = format!("rollback to version {to}");
    let change = Change::new(wanted.revision.text.clone(), Some(message.unwrap_or(&said)));
    let origin = Origin::Znode { path: place.store.path().to_owned(), version: to };
    set(place, change, (origin, Some(current.map(|current| current.version))), out).await
}

/// One attempt to write what has been checked, in the place of version `after`.
pub(super) async fn attempt(place: &Place, change: &Change, after: Option<i32>) -> Result<Outcome, Error> {
    let by = format!("{}@{}", user(), host_name());
    let text = String::from_utf8_lossy(&change.text);
    let new = New { text: &text, after, by: &by, message: change.message.as_deref() };
    let (written, current, kept) = place
        .ask(async |session, store| {
            let (current, kept) = both(session, store).await?;
            let is_there = current.as_ref().map(|current| current.version) == after;
            if !is_there || current.as_ref().is_some_and(|current| current.text == change.text) {
                return Ok((None, current, kept));
            }
            match store.write(session, new).await? {
                Some(version) => Ok((Some(version), current, kept)),
                None => both(session, store).await.map(|(current, kept)| (None, current, kept)),
            }
        })
        .await?;
    Ok(match (written, current) {
        (Some(version), _) => Outcome::Written(version),
        (None, Some(current)) if Some(current.version) == after && current.text == change.text => {
            Outcome::Same(current.version)
        }
        (None, current) => {
            let changed = changed(after, current.as_ref(), &kept);
            Outcome::Conflict(current.map(|current| current.version), changed)
        }
    })
}

/// Says what became of it.
pub(super) fn say(place: &Place, outcome: &Outcome, out: &mut dyn Write) -> Result<(), Error> {
    let path = place.store.path();
    match outcome {
        Outcome::Written(version) => writeln!(out, "{path} version {version} is written"),
        Outcome::Same(version) => writeln!(out, "{path} version {version} says the same: nothing is written"),
        Outcome::Conflict(_, changed) => writeln!(out, "{path}: {changed}"),
    }
    .map_err(Error::Output)
}

fn conflict(place: &Place, expected: Option<i32>, found: Option<i32>, changed: String) -> Error {
    Error::Conflict { path: place.store.path().to_owned(), expected, found, changed }
}

/// What is different now from the version that was seen, in one line.
fn changed(seen: Option<i32>, current: Option<&Revision>, kept: &[Kept]) -> String {
    let Some(current) = current else { return "it was deleted".to_owned() };
    let by = kept.iter().find(|kept| kept.revision.zxid == current.zxid).map(|kept| kept.by.as_str());
    let seen = kept.iter().find(|kept| Some(kept.revision.version) == seen).map(|kept| &kept.revision);
    let (before, after) = (seen.and_then(document), document(current));
    let lines = match (&before, &after) {
        (Some(before), Some(after)) => before.differences(after),
        _ => Vec::new(),
    };
    let what = if lines.is_empty() { "what it says".to_owned() } else { lines.join(", ") };
    format!("{} has changed {what}", by.unwrap_or("somebody"))
}

fn document(revision: &Revision) -> Option<Document> {
    let place = Origin::Znode { path: String::new(), version: revision.version };
    crate::live::parse(place, &revision.text).ok()
}

fn user() -> String {
    let named = |variable| std::env::var(variable).ok().filter(|name| !name.is_empty());
    let by_number = || format!("uid {}", rustix::process::getuid().as_raw());
    named("SUDO_USER").or_else(|| named("USER")).or_else(|| named("LOGNAME")).unwrap_or_else(by_number)
}
