//! Runs the real `capitana` with an empty environment and collects what it says.

use std::process::{Command, Output};

/// What a finished command said.
pub struct Said {
    /// Its exit code.
    pub code: i32,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

/// The command with these arguments and no environment.
pub fn capitana(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_capitana"));
    command.env_clear().args(arguments);
    command
}

/// Runs the command to its end.
pub fn run(command: &mut Command) -> Said {
    let Output { status, stdout, stderr } = command.output().unwrap();
    Said {
        code: status.code().unwrap(),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
}

impl Said {
    /// Expects this exit code, and that the last line, behind what was logged, is the only one about the error.
    #[allow(dead_code, reason = "not every test file looks at errors")]
    pub fn failed(&self, code: u8, what: &str) {
        assert_eq!(self.code, i32::from(code), "{}{}", self.out, self.err);
        let last = self.err.lines().last().unwrap_or_default();
        assert!(last.starts_with("capitana: ") && last.contains(what), "{}", self.err);
        let logged = |line: &&str| line.contains(" INFO ") || line.contains(" WARN ");
        assert_eq!(self.err.lines().filter(|line| !logged(line)).count(), 1, "{}", self.err);
    }
}
