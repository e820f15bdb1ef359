//! What the documents say is true of the code: every setting, every metric, every path and every test they name
//! exists, and no setting and no metric is missing. Whether the sentences are true is for the reader.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic, in its helpers too")]

#[path = "support/daemon.rs"]
mod daemon;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use capitana::cli::Cli;
use capitana::config::keys::Kind;
use capitana::config::settings::Change;
use clap::CommandFactory;

const DOCUMENTS: [&str; 4] = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"];
const PAGES: &str = "docs";
const DASHBOARD: &str = "grafana/capitana.json";

/// A proxy with a primary that is not there, and an agent without ZooKeeper, without a server and without a state.
const PROXY: [&str; 5] = ["proxy", "--primary", "127.0.0.1:1", "--listen", "127.0.0.1:0"];
const AGENT: [&str; 7] =
    ["agent", "--zookeeper", "127.0.0.1:1", "--server", "127.0.0.1:1", "--state-directory", "/dev/null/none"];

/// A worker without ZooKeeper.
const WORKER: [&str; 7] = ["worker", "--zookeeper", "127.0.0.1:1", "--name", "test", "--", "true"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The documents at the top, and every page.
fn documents() -> Vec<String> {
    let pages = fs::read_dir(root().join(PAGES)).unwrap();
    let pages = pages.map(|page| format!("{PAGES}/{}", page.unwrap().file_name().to_str().unwrap()));
    DOCUMENTS.into_iter().map(str::to_owned).chain(pages).collect()
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap()
}

/// The cells of every table row whose first cell is one word of code: the word, then the others.
fn rows(document: &str) -> Vec<Vec<String>> {
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()
    };
    let rows = document.lines().filter(|line| line.starts_with("| `")).map(cells);
    rows.filter_map(|mut row| {
        row[0] = row[0].strip_prefix('`')?.strip_suffix('`')?.to_owned();
        Some(row)
    })
    .collect()
}

/// The rows below the heading `## title`, up to the next heading of that rank.
fn rows_below(title: &str) -> Vec<Vec<String>> {
    let readme = read("README.md");
    let (_, behind) = readme.split_once(&format!("\n## {title}\n")).unwrap();
    rows(behind.split("\n## ").next().unwrap())
}

/// Every setting as README has to show it: key, flag, environment variable, and the default where there is a fixed one.
fn settings() -> BTreeSet<(String, String, String, Option<String>)> {
    let cli = Cli::command();
    let mut settings = BTreeSet::new();
    for kind in Kind::ALL {
        let command = cli.find_subcommand(kind.to_string()).unwrap();
        for flag in command.get_arguments() {
            let (Some(long), Some(variable)) = (flag.get_long(), flag.get_env()) else { continue };
            let default = flag.get_default_values().first().map(|value| value.to_str().unwrap().to_owned());
            let variable = variable.to_str().unwrap().to_owned();
            settings.insert((long.to_owned(), format!("--{long}"), variable, default));
        }
    }
    settings.retain(|(key, ..)| key != "config");
    settings
}

#[test]
fn the_readme_lists_every_setting_with_its_flag_its_variable_and_its_default() {
    let code = |cell: &str| Some(cell.strip_prefix('`')?.strip_suffix('`')?.to_owned());
    let mut shown = BTreeSet::new();
    for row in rows_below("Configuration") {
        let [key, flag, variable, default, meaning] = &row[..] else { panic!("five cells: {row:?}") };
        assert!(!meaning.is_empty(), "{key} has no meaning");
        let new = shown.insert((key.clone(), code(flag).unwrap(), code(variable).unwrap(), code(default)));
        assert!(new, "{key} is there twice");
    }
    assert_eq!(shown, settings());
}

#[test]
fn the_readme_says_of_every_setting_when_a_change_of_it_takes_effect() {
    let readme = read("README.md");
    let (_, list) = readme.split_once("A change of a setting takes effect").unwrap();
    let items: Vec<_> = list.split("\n- ").skip(1).take(2).collect();
    for (item, change) in items.iter().zip([Change::Live, Change::Host]) {
        let shown: BTreeSet<_> = item.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        let changes = [Kind::Proxy, Kind::Agent].into_iter().flat_map(Kind::changes);
        let there: BTreeSet<_> = changes.filter(|(_, found)| *found == change).map(|(key, _)| key).collect();
        assert_eq!(shown, there, "{change:?}");
    }
}

#[test]
fn the_readme_lists_every_metric_of_each_daemon_with_its_type() {
    let shown: BTreeSet<_> =
        rows_below("Metrics").into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    let mut there = BTreeSet::new();
    for arguments in [&PROXY[..], &AGENT, &WORKER] {
        for line in daemon::metrics(arguments).lines() {
            let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
            else {
                continue;
            };
            if name.starts_with("capitana_") {
                there.insert((name.to_owned(), kind.to_owned()));
            }
        }
    }
    assert_eq!(shown, there);
}

#[test]
fn the_readme_lists_every_finding_of_the_doctor_with_its_severity_and_its_reason() {
    let shown = rows_below("What can be unsafe");
    let kind = |kind: capitana_core::doctor::Kind| {
        vec![kind.code.to_owned(), kind.severity.label().to_owned(), kind.why.to_owned()]
    };
    let there: Vec<_> = capitana_core::doctor::kinds().into_iter().map(kind).collect();
    assert_eq!(shown, there);
}

#[test]
fn the_dashboard_asks_only_for_series_that_exist() {
    let scraped = [daemon::metrics(&PROXY), daemon::metrics(&AGENT)].concat();
    let series: BTreeSet<_> = scraped.lines().filter_map(|line| line.split(['{', ' ']).next()).collect();
    let dashboard: serde_json::Value = serde_json::from_str(&read(DASHBOARD)).unwrap();
    let mut asked = Vec::new();
    expressions(&dashboard, &mut asked);
    assert!(!asked.is_empty());
    for expression in asked {
        let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        for name in words.filter(|word| word.starts_with("capitana_") || word.starts_with("process_")) {
            assert!(series.contains(name), "{name} in {expression}");
        }
    }
}

fn expressions(value: &serde_json::Value, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(fields) => {
            found.extend(fields.get("expr").and_then(|expr| expr.as_str()).map(str::to_owned));
            fields.values().for_each(|field| expressions(field, found));
        }
        serde_json::Value::Array(values) => values.iter().for_each(|value| expressions(value, found)),
        _ => {}
    }
}

#[test]
fn every_link_and_every_path_in_the_documents_leads_somewhere() {
    let missing: Vec<_> = documents()
        .into_iter()
        .flat_map(|name| {
            let document = read(&name);
            let beside = Path::new(&name).parent().unwrap().to_str().unwrap().to_owned();
            let from_root = |link: String| match (beside.as_str(), link.strip_prefix("../")) {
                ("", _) => link,
                (_, Some(above)) => above.to_owned(),
                (directory, None) => format!("{directory}/{link}"),
            };
            let links = links(&document).into_iter().map(from_root).chain(paths(&document));
            links
                .filter(|link| !leads_somewhere(link))
                .map(|link| format!("{name}: {link}"))
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

/// Targets of `[text](target)` that are in this repository.
fn links(document: &str) -> Vec<String> {
    let targets = document.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://")).map(str::to_owned).collect()
}

/// Words of code that begin with a directory of this repository.
fn paths(document: &str) -> Vec<String> {
    const DIRECTORIES: [&str; 8] =
        [".ci/", "config/", "crates/", "grafana/", "scripts/", "src/", "tests/", "docs/"];
    let words = document.split('`').skip(1).step_by(2).flat_map(str::split_whitespace);
    words
        .filter(|word| DIRECTORIES.iter().any(|directory| word.starts_with(directory)))
        .map(str::to_owned)
        .collect()
}

/// A `#heading` is looked for in the document it names; a path may name a line's place behind a colon.
fn leads_somewhere(link: &str) -> bool {
    let (path, heading) = link.split_once('#').unwrap_or((link, ""));
    let path = if path.is_empty() { "README.md" } else { path.trim_end_matches([':', ',']) };
    let anchor = |line: &str| -> String {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        title
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect()
    };
    root().join(path).exists()
        && (heading.is_empty()
            || read(path).lines().any(|line| line.starts_with('#') && anchor(line) == heading))
}

#[test]
fn every_test_that_the_architecture_names_exists() {
    let mut sources = String::new();
    for directory in ["tests", "crates/core/tests", "crates/lab/tests", "crates/sim", "src"] {
        sources_below(&root().join(directory), &mut sources);
    }
    let architecture = read("ARCHITECTURE.md");
    let words = architecture.split('`').skip(1).step_by(2);
    // Names of tests are sentences: four words or more.
    let is_test = |word: &&str| {
        word.matches('_').count() >= 3
            && word.chars().all(|c| c == '_' || c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    let names: Vec<_> = words.filter(is_test).filter(|word| !word.starts_with("capitana_")).collect();
    assert!(!names.is_empty());
    for name in names {
        assert!(sources.contains(&format!("fn {name}(")), "there is no test {name}");
    }
}

#[test]
fn every_scenario_that_the_documents_name_exists() {
    let mut sources = String::new();
    sources_below(&root().join("crates/lab/src/scenario"), &mut sources);
    for document in documents() {
        for rest in read(&document).split("scenario `").skip(1) {
            let name = rest.split('`').next().unwrap();
            assert!(
                sources.contains(&format!("name: \"{name}\",")),
                "{document}: there is no scenario {name}"
            );
        }
    }
}

fn sources_below(directory: &Path, sources: &mut String) {
    let entries: Vec<PathBuf> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    for path in entries {
        if path.is_dir() {
            sources_below(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}
