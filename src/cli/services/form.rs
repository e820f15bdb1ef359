//! What is made of the list: a table, JSON, or what a template says. The template is read anew each time, so that a change
//! to it counts from the next change of the list on.

use std::fs;
use std::path::{Path, PathBuf};

use capitana_core::HostPort;
use capitana_core::services::list::{Service, Services};
use minijinja::{Environment, UndefinedBehavior, context};
use serde::Serialize;

use super::table;

/// How the list is shown.
#[derive(Debug, Clone)]
pub(super) enum Form {
    /// For people.
    Table,
    /// For programs.
    Json,
    /// As the template in this file says.
    Template(PathBuf),
}

/// A service as a template sees it.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    service: &'a Service,
    /// The host of its admin endpoint, or else of its first address; empty where there is neither.
    host: String,
    /// That one's port; none where there is neither.
    port: Option<u16>,
}

impl<'a> From<&'a Service> for Shown<'a> {
    fn from(service: &'a Service) -> Self {
        let address = || service.addresses.first().and_then(|address| address.parse().ok());
        let known: Option<HostPort> = service.admin.clone().or_else(address);
        let host = known.as_ref().map(|address| address.host().to_owned()).unwrap_or_default();
        Self { service, host, port: known.map(|address| address.port()) }
    }
}

impl Form {
    /// Makes it.
    ///
    /// # Errors
    /// The template cannot be read or used: which line, and what is wrong there.
    pub(super) fn make(&self, services: &Services) -> Result<String, String> {
        match self {
            Self::Table => {
                let mut text = Vec::new();
                table::print(services, &mut text).map_err(|error| error.to_string())?;
                Ok(String::from_utf8_lossy(&text).into_owned())
            }
            Self::Json => serde_json::to_string_pretty(services)
                .map(|json| json + "\n")
                .map_err(|error| error.to_string()),
            Self::Template(path) => render(path, services),
        }
    }
}

fn render(path: &Path, services: &Services) -> Result<String, String> {
    let name = path.display().to_string();
    let source = fs::read_to_string(path).map_err(|error| format!("{name}: cannot be read: {error}"))?;
    let mut environment = Environment::new();
    // A name that is misspelt must not make an empty file.
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_keep_trailing_newline(true);
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    // Names end in .conf, .json or .html as they like: nothing is escaped unless the template does it.
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    let shown: Vec<_> = services.services.iter().map(Shown::from).collect();
    let rendered = environment
        .template_from_named_str(&name, &source)
        .and_then(|template| template.render(context! { services => shown }));
    rendered.map_err(|error| words(&name, &error))
}

fn words(name: &str, error: &minijinja::Error) -> String {
    let what = match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    };
    match error.line() {
        Some(line) => format!("{name}:{line}: {what}"),
        None => format!("{name}: {what}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

    use std::io::Write;

    use tempfile::NamedTempFile;

    use super::*;

    fn services() -> Services {
        let service = |node: &str, admin: Option<&str>, addresses: &[&str]| Service {
            kind: "proxy".to_owned(),
            node: node.to_owned(),
            addresses: addresses.iter().map(|address| (*address).to_owned()).collect(),
            admin: admin.map(|admin| admin.parse().unwrap()),
            version: "0.1.0".to_owned(),
            since: "2026-11-22T05:39:48.123Z".to_owned(),
            config: None,
            id: format!("id-of-{node}"),
        };
        let services = vec![
            service("app1", Some("[fd00::1]:9307"), &["app1:3306"]),
            service("app\"2", None, &["app2:3306", "app2:3308"]),
            service("app3", None, &[]),
        ];
        Services { services, left_out: Vec::new() }
    }

    fn rendered(template: &str) -> Result<String, String> {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(template.as_bytes()).unwrap();
        Form::Template(file.path().to_owned()).make(&services())
    }

    #[test]
    fn a_template_sees_every_service_with_the_host_and_port_to_ask() {
        let text =
            rendered("{% for s in services %}\n{{ s.node }} {{ s.host }} {{ s.port }}\n{% endfor %}\n");
        assert_eq!(text.unwrap(), "app1 fd00::1 9307\napp\"2 app2 3306\napp3  None\n");
    }

    #[test]
    fn a_mistake_in_a_template_is_said_with_its_line_and_makes_nothing() {
        for (template, what) in [
            ("one\n{{ servicez }}\n", ":2: undefined value"),
            ("{% for s in services %}\n{{ s.nod }}{% endfor %}", ":2: undefined value"),
            ("{% for s in services %}", "syntax error"),
            ("{{ \"x\" - 1 }}", ":1: invalid operation"),
        ] {
            let said = rendered(template).unwrap_err();
            assert!(said.contains(what), "{template}: {said}");
        }
    }

    #[test]
    fn a_template_that_is_not_there_is_named() {
        let said = Form::Template("/nowhere/x.j2".into()).make(&services()).unwrap_err();
        assert!(said.starts_with("/nowhere/x.j2: cannot be read"), "{said}");
    }

    #[test]
    fn the_templates_that_are_shipped_make_what_they_say() {
        let shipped = |name: &str| {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/templates").join(name);
            Form::Template(path).make(&services()).unwrap()
        };
        let targets: serde_json::Value =
            serde_json::from_str(&shipped("prometheus-targets.json.j2")).unwrap();
        assert_eq!(targets.as_array().unwrap().len(), 1, "one of the three can be asked");
        assert_eq!(targets[0]["targets"][0], "[fd00::1]:9307");
        let icinga = shipped("icinga2.conf.j2");
        assert_eq!(icinga.matches("object Host").count(), 1, "{icinga}");
        assert!(icinga.contains("http_port = 9307"), "{icinga}");
    }
}
