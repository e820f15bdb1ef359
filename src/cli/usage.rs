//! What clap says, in capitana's words: one line for a value that cannot be used, whether it came from a flag or
//! from the environment; clap's own text, with its suggestions, for everything else.

use std::error::Error as _;
use std::ffi::OsString;
use std::io::{IsTerminal, stderr, stdout};

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::config::source::variable;
use crate::error::{Error, Origin};

/// The error that clap found in `arguments` or in the environment.
pub(super) fn error(error: &clap::Error, arguments: &[OsString]) -> Error {
    let value = match error.kind() {
        ErrorKind::ValueValidation | ErrorKind::InvalidValue => bad_value(error, arguments),
        _ => None,
    };
    value.unwrap_or_else(|| Error::Usage(styled(&error.render(), stderr().is_terminal())))
}

/// What clap wants to be printed: the help or the version.
pub(super) fn text(help: &clap::Error) -> String {
    styled(&help.render(), stdout().is_terminal())
}

fn styled(text: &StyledStr, terminal: bool) -> String {
    if terminal { text.ansi().to_string() } else { text.to_string() }
}

fn bad_value(error: &clap::Error, arguments: &[OsString]) -> Option<Error> {
    let flag = word(error, ContextKind::InvalidArg)?.strip_prefix("--")?;
    let name = flag.split([' ', '=', '[']).next()?;
    let found = word(error, ContextKind::InvalidValue)?;
    let on_command_line = is_flag(name, arguments);
    if found.is_empty() && on_command_line && error.source().is_none() {
        return None;
    }
    let problem = match (error.source(), error.get(ContextKind::ValidValue)) {
        (Some(why), _) => why.to_string(),
        (None, Some(ContextValue::Strings(valid))) => {
            format!("expected one of {}, found \"{found}\"", valid.join(", "))
        }
        _ => format!("\"{found}\" cannot be used"),
    };
    let origin = if on_command_line {
        Origin::Flag(name.to_owned())
    } else {
        Origin::Environment(variable(&name.replace('-', "_")))
    };
    Some(Error::Setting { origin, problem })
}

fn word(error: &clap::Error, kind: ContextKind) -> Option<&str> {
    match error.get(kind)? {
        ContextValue::String(word) => Some(word),
        _ => None,
    }
}

/// clap looks at a flag's variable only where the flag is not on the command line.
fn is_flag(name: &str, arguments: &[OsString]) -> bool {
    arguments.iter().filter_map(|argument| argument.to_str()).any(|argument| {
        let flag = argument.split_once('=').map_or(argument, |(flag, _)| flag);
        flag.strip_prefix("--") == Some(name)
    })
}
