//! `capitana completions`: the script that completes commands and flags in a shell.

use std::io::Write;

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use super::Cli;
use crate::error::Error;

pub(super) const EXAMPLES: &str = "\
Examples:
  capitana completions bash > /etc/bash_completion.d/capitana
  capitana completions zsh > /usr/local/share/zsh/site-functions/_capitana
  capitana completions fish > ~/.config/fish/completions/capitana.fish";

/// What `capitana completions` is asked.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

impl CompletionsArgs {
    /// Prints the script.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn run(&self, out: &mut dyn Write) -> Result<(), Error> {
        let mut script = Vec::new();
        generate(self.shell, &mut Cli::command(), "capitana", &mut script);
        out.write_all(&script).map_err(Error::Output)
    }
}
