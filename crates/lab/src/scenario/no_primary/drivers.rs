//! How four drivers take it that there is no primary.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mysql_async::Error;
use serde::Deserialize;
use serde_json::json;

use crate::client;
use crate::daemon::Proxy;
use crate::galera::APP;
use crate::lab::Lab;
use crate::venv;

const SCRIPTS: [(&str, &str); 3] = [
    ("client_mysqlclient.py", include_str!("../../../python/client_mysqlclient.py")),
    ("client_pymysql.py", include_str!("../../../python/client_pymysql.py")),
    ("refused.py", include_str!("../../../python/refused.py")),
];
/// A client that is not told in this time is left alone.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a driver was refused.
pub(super) struct Refused {
    pub(super) driver: &'static str,
    /// The error's code, as the driver gives it.
    pub(super) code: Option<u16>,
    pub(super) text: String,
    pub(super) took: Duration,
}

#[derive(Deserialize)]
struct Said {
    kind: String,
    code: Option<u16>,
    text: String,
}

/// All four at once, by turns on the proxies.
pub(super) async fn all(lab: &Lab, interpreter: &Path) -> Result<Vec<Refused>> {
    let scripts = venv::install_scripts(lab.slot().directory(), &SCRIPTS)?;
    let [one, two] = lab.proxies() else { bail!("the lab has not two proxies") };
    let python = |name, proxy| python(lab, interpreter.to_owned(), &scripts, name, proxy);
    let refused = tokio::try_join!(
        command_line(lab, one),
        python("pymysql", two),
        python("mysqlclient", one),
        mysql_async(two)
    )?;
    let all = vec![refused.0, refused.1, refused.2, refused.3];
    for Refused { driver, code, text, took } in &all {
        lab.progress().say(format_args!("{driver} after {took:.1?}: {code:?}: {text}"));
    }
    Ok(all)
}

async fn mysql_async(proxy: &Proxy) -> Result<Refused> {
    let start = Instant::now();
    let error = match client::connect(proxy.address(), APP, APP).await {
        Ok(_) => bail!("there is no primary, but mysql_async was connected"),
        Err(error) => error,
    };
    let code = match &error {
        Error::Server(server) => Some(server.code),
        _ => None,
    };
    Ok(Refused { driver: "mysql_async", code, text: error.to_string(), took: start.elapsed() })
}

/// The client `mariadb` says `ERROR 1053 (08S01): ...`, or `ERROR 2013 (HY000): Lost connection ...` by itself.
async fn command_line(lab: &Lab, proxy: &Proxy) -> Result<Refused> {
    let (host, port) = (proxy.address().ip().to_string(), proxy.address().port().to_string());
    let recipe = move || {
        let mut command = Command::new("mariadb");
        command.args(["--no-defaults", "--protocol=tcp", "--skip-ssl", "--connect-timeout=20"]);
        command.args(["--host", &host, "--port", &port, "--user", APP, "--execute", "SELECT 1"]);
        command.arg(format!("--password={APP}"));
        Ok(command)
    };
    let (text, took) = say(lab, "mariadb", recipe).await?;
    let code = text.split("ERROR ").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
    Ok(Refused { driver: "mariadb", code, text: text.trim().to_owned(), took })
}

async fn python(
    lab: &Lab,
    interpreter: PathBuf,
    scripts: &Path,
    driver: &'static str,
    proxy: &Proxy,
) -> Result<Refused> {
    let (script, address) = (scripts.join("refused.py"), proxy.address());
    let settings = json!({
        "driver": driver, "host": address.ip(), "port": address.port(), "user": APP, "password": APP,
        "ca": null, "compressed": false,
    });
    let recipe = move || {
        let mut command = Command::new(&interpreter);
        command.arg(&script).arg(settings.to_string());
        Ok(command)
    };
    let (text, took) = say(lab, driver, recipe).await?;
    let said: Said = serde_json::from_str(&text).with_context(|| format!("{driver} said: {text}"))?;
    Ok(Refused { driver, code: said.code, text: format!("{}: {}", said.kind, said.text), took })
}

/// Runs a program to its end. Returns what it said, and how long it took.
async fn say(
    lab: &Lab,
    name: &str,
    recipe: impl Fn() -> Result<Command> + Send + Sync + 'static,
) -> Result<(String, Duration)> {
    let process = lab.process(name, recipe)?;
    let start = Instant::now();
    process.start().await?;
    process.wait_exit(PATIENCE).await?;
    let said = fs::read(process.log_path())?;
    Ok((String::from_utf8_lossy(&said).into_owned(), start.elapsed()))
}
