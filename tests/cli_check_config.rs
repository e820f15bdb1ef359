//! `capitana check-config` on the example files and on others.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic, in its helpers too")]

#[path = "support/command.rs"]
mod command;

use std::fs;

use capitana::exit;
use command::{capitana, run};
use tempfile::TempDir;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A settings file of this name in a directory of its own.
fn file(name: &str, text: &str) -> (TempDir, String) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join(name);
    fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (directory, path)
}

#[test]
fn every_example_is_accepted() {
    let examples = fs::read_dir(format!("{ROOT}/config")).unwrap().map(|entry| entry.unwrap().path());
    let examples: Vec<_> = examples.filter(|path| path.extension().is_some_and(|e| e == "toml")).collect();
    assert!(examples.len() >= 3);
    for example in examples {
        let example = example.to_str().unwrap();
        let said = run(&mut capitana(&["check-config", example]));
        assert_eq!((said.code, said.out), (0, format!("{example}: ok\n")), "{}", said.err);
    }
}

#[test]
fn several_files_are_checked_at_once() {
    let (proxy, agent) = (format!("{ROOT}/config/proxy.toml"), format!("{ROOT}/config/agent.toml"));
    let said = run(&mut capitana(&["check-config", &proxy, &agent]));
    assert_eq!(said.out, format!("{proxy}: ok\n{agent}: ok\n"));
}

#[test]
fn the_kind_of_a_file_is_told_by_its_keys() {
    let (_directory, path) = file("settings.toml", "zookeeper = \"zk1\"\nfall = 3\nadvertise = \"db1\"\n");
    let said = run(&mut capitana(&["check-config", &path]));
    assert_eq!(said.out, format!("{path}: ok\n"));
}

#[test]
fn a_file_of_either_kind_needs_to_be_told() {
    let (_directory, path) = file("settings.toml", "zookeeper = \"zk1\"\n");
    let said = run(&mut capitana(&["check-config", &path]));
    said.failed(exit::USAGE, "--kind: needed");
    assert_eq!(run(&mut capitana(&["check-config", "--kind", "proxy", &path])).code, 0);
}

#[test]
fn a_bad_file_is_one_line_and_a_configuration_error() {
    let (_directory, path) = file("proxy.toml", "zookeeper = \"zk1\"\nhold-timout = \"8s\"\n");
    let said = run(&mut capitana(&["check-config", &path]));
    said.failed(exit::CONFIG, &format!("{path}:2: hold-timout: unknown key; did you mean hold-timeout?"));
}

#[test]
fn a_bad_file_does_not_hide_the_next() {
    let (_directory, bad) = file("proxy.toml", "zookeeper = 1\n");
    let (_other, worse) = file("agent.toml", "zookeeper = 2\n");
    let good = format!("{ROOT}/config/proxy.toml");
    let said = run(&mut capitana(&["check-config", &bad, &good, &worse]));
    assert_eq!(said.out, format!("{good}: ok\n"));
    let named = [bad, worse].map(|path| format!("capitana: {path}:1: zookeeper: "));
    assert!(said.err.lines().zip(&named).all(|(line, named)| line.starts_with(named)), "{}", said.err);
    assert_eq!(said.err.lines().count(), 2);
}

#[test]
fn show_prints_every_setting_with_its_origin() {
    let (_directory, path) = file("proxy.toml", "zookeeper = \"zk1\"\nmax-held = 5\n");
    let said = run(capitana(&["check-config", "--show", &path]).env("CAPITANA_DIAL_TIMEOUT", "3s"));
    for line in [
        format!("max-held = 5  # {path}:2"),
        "dial-timeout = \"3s\"  # CAPITANA_DIAL_TIMEOUT".to_owned(),
        "hold-timeout = \"8s\"  # default".to_owned(),
        "admin-listen = \"127.0.0.1:9307\"  # default".to_owned(),
        "# threads is not set".to_owned(),
    ] {
        assert!(said.out.lines().any(|shown| shown == line), "{line} is not in\n{}", said.out);
    }
}

#[test]
fn what_show_prints_is_a_settings_file_again() {
    let (_directory, path) = file("agent.toml", "zookeeper = \"zk1\"\nadvertise = \"db1\"\nfall = 7\n");
    let shown = run(&mut capitana(&["check-config", "--show", &path])).out;
    let (_other, copy) = file("agent.toml", &shown);
    let again = run(&mut capitana(&["check-config", "--show", &copy]));
    assert!(again.out.contains("fall = 7"), "{}{}", again.out, again.err);
}

#[test]
fn the_environment_beats_the_file() {
    let (_directory, path) =
        file("proxy.toml", "zookeeper = \"zk1\"\nhold-timeout = \"3s\"\nlisten = [\"127.0.0.1:1\"]\n");
    let said = run(capitana(&["check-config", "--show", &path])
        .env("CAPITANA_HOLD_TIMEOUT", "4s")
        .env("CAPITANA_LISTEN", "127.0.0.1:2,[::1]:3"));
    assert!(said.out.contains("hold-timeout = \"4s\"  # CAPITANA_HOLD_TIMEOUT"), "{}", said.out);
    assert!(said.out.contains("listen = [\"127.0.0.1:2\", \"[::1]:3\"]  # CAPITANA_LISTEN"), "{}", said.out);
}

#[test]
fn a_password_in_the_environment_is_neither_shown_nor_taken_for_a_misspelt_setting() {
    let (_directory, path) = file("agent.toml", "zookeeper = \"zk1\"\nadvertise = \"db1\"\n");
    let mut command = capitana(&["check-config", "--show", &path]);
    for variable in ["CAPITANA_ZOOKEEPER_AUTH", "CAPITANA_PASSWORD", "CAPITANA_MONITOR_PASSWORD"] {
        command.env(variable, "capitana:hush");
    }
    let said = run(&mut command);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(!said.out.contains("hush") && !said.out.contains("warning"), "{}", said.out);
}

#[test]
fn a_password_in_a_file_and_in_the_environment_is_one_too_many() {
    for (key, variable) in
        [("zookeeper-auth-file", "CAPITANA_ZOOKEEPER_AUTH"), ("password-file", "CAPITANA_PASSWORD")]
    {
        let (directory, path) = file("secret", "capitana:hush");
        let text = format!("zookeeper = \"zk1\"\nadvertise = \"db1\"\n{key} = \"{path}\"\n");
        let settings = directory.path().join("agent.toml");
        fs::write(&settings, text).unwrap();
        let mut command = capitana(&["check-config", settings.to_str().unwrap()]);
        let said = run(command.env(variable, "capitana:whisper"));
        said.failed(exit::CONFIG, "keep one of the two");
        assert!(said.err.contains(variable) && said.err.contains(key), "{}", said.err);
        assert!(!said.err.contains("whisper"), "{}", said.err);
    }
}
