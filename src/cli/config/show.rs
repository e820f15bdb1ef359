//! `capitana config get` and `history`: what there is, for people and as JSON.

use std::io::Write;

use capitana_core::liveconfig::Revision;
use serde_json::{Value, json};

use super::Place;
use crate::config::value::shorten;
use crate::control::CoordinatorError;
use crate::error::Error;
use crate::live::store::Kept;
use crate::live::{Store, rfc3339};

/// Prints the current settings, or a version of them that was kept.
pub(super) async fn get(
    place: &Place,
    version: Option<i32>,
    as_json: bool,
    (out, err): (&mut dyn Write, &mut dyn Write),
) -> Result<(), Error> {
    let (current, kept) = place.ask(both).await?;
    let is_wanted = |revision: &Revision| version.is_none_or(|version| revision.version == version);
    let before =
        || kept.iter().map(|kept| &kept.revision).find(|revision| version.is_some() && is_wanted(revision));
    let wanted = current.as_ref().filter(|current| is_wanted(current)).or_else(before);
    let Some(revision) = wanted else { return Err(nothing(place, version)) };
    let origin = kept.iter().find(|kept| kept.revision.zxid == revision.zxid);
    if as_json {
        return writeln!(out, "{}", object(revision, origin)).map_err(Error::Output);
    }
    writeln!(err, "{} {}", place.store.path(), line(revision, origin)).map_err(Error::Output)?;
    out.write_all(&revision.text).map_err(Error::Output)
}

/// Lists the versions that were kept. The one in the znode may be none of them, if it was written by other means.
pub(super) async fn history(place: &Place, as_json: bool, out: &mut dyn Write) -> Result<(), Error> {
    let (current, kept) = place.ask(both).await?;
    if current.is_none() && kept.is_empty() {
        return Err(nothing(place, None));
    }
    let by_hand = current.iter().filter(|current| kept.iter().all(|kept| kept.revision.zxid != current.zxid));
    let rows =
        by_hand.map(|current| (current, None)).chain(kept.iter().map(|kept| (&kept.revision, Some(kept))));
    for (revision, kept) in rows {
        match as_json {
            true => writeln!(out, "{}", object(revision, kept)),
            false => {
                let is_current = current.as_ref().is_some_and(|current| current.zxid == revision.zxid);
                writeln!(out, "{} {}", if is_current { "*" } else { " " }, line(revision, kept))
            }
        }
        .map_err(Error::Output)?;
    }
    Ok(())
}

/// The current settings, and what was kept.
pub(super) async fn both(
    session: &crate::control::ZooKeeper,
    store: &Store,
) -> Result<(Option<Revision>, Vec<Kept>), CoordinatorError> {
    let (current, _) = store.current(session).await?;
    let kept = store.history(session).await?;
    Ok((current.map(|current| current.revision), kept))
}

/// There is no such version.
pub(super) fn nothing(place: &Place, version: Option<i32>) -> Error {
    Error::NoSettings { path: place.store.path().to_owned(), version, kind: place.kind }
}

fn line(revision: &Revision, kept: Option<&Kept>) -> String {
    let by = kept.map_or("other means than capitana", |kept| &kept.by);
    let message = kept.and_then(|kept| kept.message.as_deref()).map(shorten);
    let message = message.map(|message| format!(": {message}")).unwrap_or_default();
    let time = rfc3339(revision.written_ms);
    format!("version {}, {time}, by {}{message}", revision.version, shorten(by))
}

fn object(revision: &Revision, kept: Option<&Kept>) -> Value {
    json!({
        "version": revision.version,
        "mtime": rfc3339(revision.written_ms),
        "by": kept.map(|kept| &kept.by),
        "message": kept.and_then(|kept| kept.message.as_ref()),
        "settings": String::from_utf8_lossy(&revision.text),
    })
}
