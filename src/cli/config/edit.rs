//! `capitana config edit`: the settings in an editor, again and again until they can be written. What somebody has typed is
//! never lost: where it is not written, it stays in its file, and that is said.

use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Place;
use super::show::both;
use super::write::{Change, Outcome, attempt, say};
use crate::config::document::Place as Origin;
use crate::error::Error;
use crate::live::check::check;

/// What begins a line that is for whoever edits and is taken out before the text is looked at.
const REMARK: &str = "#! ";

const EMPTY: &str =
    "# Settings of every such daemon, with the keys of the settings file. They beat its file.\n";

/// Edits the current settings.
pub(super) async fn edit(
    place: &Place,
    message: Option<&str>,
    (out, err): (&mut dyn Write, &mut dyn Write),
) -> Result<(), Error> {
    let (current, _) = place.ask(both).await?;
    let mut after = current.as_ref().map(|current| current.version);
    let text = current.map_or_else(|| EMPTY.as_bytes().to_vec(), |current| current.text);
    let draft = Draft::new(place, &text)?;
    let mut shown = text;
    let mut wrong = None;
    loop {
        let text = draft.edited()?;
        if text == shown {
            return wrong.map_or_else(|| draft.given_up(out), |error| Err(draft.kept(error)));
        }
        let problem = match check(place.kind, Origin::File(draft.path.clone()), &text) {
            Ok(_) => match attempt(place, &Change::new(text.clone(), message), after).await {
                Ok(Outcome::Conflict(found, changed)) => {
                    after = found;
                    // Whoever saves it as it is now means it.
                    (shown, wrong) = (Vec::new(), None);
                    let version =
                        found.map_or("there are none any more".to_owned(), |v| format!("version {v}"));
                    format!("meanwhile {changed} ({version}); save this text to write it all the same")
                }
                Ok(outcome) => {
                    draft.remove();
                    return say(place, &outcome, out);
                }
                Err(error) => return Err(draft.kept(error)),
            },
            Err(error) => {
                let problem = error.to_string();
                (shown, wrong) = (text.clone(), Some(error));
                problem
            }
        };
        writeln!(err, "capitana: {problem}").map_err(Error::Output)?;
        draft.show(&problem, &text)?;
    }
}

/// The file that is edited.
struct Draft {
    path: PathBuf,
}

impl Draft {
    fn new(place: &Place, text: &[u8]) -> Result<Self, Error> {
        let name = format!("capitana-{}-{}.toml", place.kind, uuid::Uuid::new_v4());
        let draft = Self { path: env::temp_dir().join(name) };
        draft.write(text)?;
        Ok(draft)
    }

    fn write(&self, text: &[u8]) -> Result<(), Error> {
        fs::write(&self.path, text)
            .map_err(|source| Error::System { doing: "cannot write the file to edit", source })
    }

    /// Shows it again, headed by what is wrong.
    fn show(&self, problem: &str, text: &[u8]) -> Result<(), Error> {
        let remark = format!("{REMARK}{}\n", problem.replace('\n', " "));
        self.write(&[remark.as_bytes(), text].concat())
    }

    /// Waits for the editor, and answers what it has left.
    fn edited(&self) -> Result<Vec<u8>, Error> {
        let status = editor(&self.path).status();
        let status = status.map_err(|source| Error::System { doing: "cannot start the editor", source })?;
        if !status.success() {
            let source = io::Error::other(format!("$VISUAL or $EDITOR has ended with {status}"));
            return Err(self.kept(Error::System { doing: "not edited", source }));
        }
        let text =
            fs::read(&self.path).map_err(|source| Error::ReadFile { path: self.path.clone(), source })?;
        let lines = text.split_inclusive(|byte| *byte == b'\n');
        Ok(lines.filter(|line| !line.starts_with(REMARK.as_bytes())).flatten().copied().collect())
    }

    fn given_up(&self, out: &mut dyn Write) -> Result<(), Error> {
        self.remove();
        writeln!(out, "nothing is changed, and nothing is written").map_err(Error::Output)
    }

    fn kept(&self, error: Error) -> Error {
        Error::Kept { path: self.path.clone(), cause: Box::new(error) }
    }

    fn remove(&self) {
        // One that stays is in a directory for files that nobody needs.
        let _ = fs::remove_file(&self.path);
    }
}

/// The editor may be named with arguments, so a shell takes it apart.
fn editor(path: &Path) -> Command {
    let named = |variable| env::var_os(variable).filter(|value| !value.is_empty());
    let editor = named("VISUAL").or_else(|| named("EDITOR")).unwrap_or_else(|| "vi".into());
    let mut command = Command::new("sh");
    command.args(["-c", "exec $CAPITANA_EDITOR \"$1\"", "sh"]).arg(path).env("CAPITANA_EDITOR", editor);
    command
}
