//! What a stranger is told: the help of every command with an example in it, the version, completions.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic, in its helpers too")]

#[path = "support/command.rs"]
mod command;

use capitana::cli::Cli;
use clap::CommandFactory;
use command::{capitana, run};

/// The help of a command, which must be there.
fn help(arguments: &[&str]) -> String {
    let said = run(&mut capitana(arguments));
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    said.out
}

#[test]
fn the_command_line_is_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn the_help_lists_every_command() {
    let help = help(&["--help"]);
    for command in [
        "proxy",
        "agent",
        "worker",
        "vip",
        "status",
        "primary",
        "doctor",
        "check-config",
        "config",
        "completions",
    ] {
        assert!(help.contains(&format!("\n  {command} ")), "{help}");
    }
}

#[test]
fn the_help_of_every_command_has_an_example() {
    let cli = Cli::command();
    let shown = cli.get_subcommands().filter(|command| !command.is_hide_set());
    for command in shown.map(clap::Command::get_name).filter(|name| *name != "help") {
        let help = help(&[command, "--help"]);
        let (_, examples) = help.split_once("Examples:").expect(command);
        assert!(examples.contains(&format!("capitana {command}")), "{help}");
    }
}

#[test]
fn the_examples_fit_a_terminal() {
    for command in Cli::command().get_subcommands() {
        let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let longest = examples.lines().map(str::len).max().unwrap_or_default();
        assert!(longest <= 100, "{}: {longest}", command.get_name());
    }
}

#[test]
fn the_help_does_not_show_what_is_in_the_environment() {
    let said = run(capitana(&["agent", "--help"]).env("CAPITANA_PASSWORD_FILE", "/secret/place"));
    assert!(said.out.contains("CAPITANA_PASSWORD_FILE") && !said.out.contains("/secret/place"));
}

#[test]
fn the_version_is_printed() {
    assert_eq!(help(&["--version"]), format!("capitana {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn completions_are_there_for_the_usual_shells() {
    for (shell, mark) in
        [("bash", "complete -F"), ("zsh", "#compdef capitana"), ("fish", "complete -c capitana")]
    {
        let script = help(&["completions", shell]);
        assert!(script.contains(mark) && script.contains("check-config"), "{shell}");
    }
}
