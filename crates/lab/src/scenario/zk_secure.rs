//! Scenario `zk-secure`: ZooKeeper over TLS with client certificates, a digest user and znodes that are its creator's
//! alone. Agents, a proxy and `capitana status` work; who is somebody else gets nowhere, and is told why in one line.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use zookeeper_client::{Acls, Client, CreateMode, Error};

use super::scene::PATIENCE;
use super::{Scenario, in_lab};
use crate::candidates::ELECTION;
use crate::certs::Certificates;
use crate::crowd::Standing;
use crate::daemon;
use crate::http;
use crate::lab::Lab;
use crate::process::Process;
use crate::progress::Progress;
use crate::report::Report;
use crate::status::ProxyStatus;
use crate::wait::wait_until;

/// Agents.
const AGENTS: usize = 2;
/// What nobody may find anywhere.
const PASSWORD: &str = "galley-slaves-row-at-dawn";

pub(super) const SCENARIO: Scenario = Scenario {
    name: "zk-secure",
    about: "TLS with client certificates, digest, ACLs: the election works, and strangers are told why they get nowhere",
    run: |progress| Box::pin(run(progress)),
};

async fn run(progress: Progress) -> Result<Report> {
    let builder = Lab::builder().galera(1).zookeeper(1).zookeeper_tls(true);
    in_lab(builder, &progress, async |lab, report| secure(lab, report).await).await
}

async fn secure(lab: &Lab, report: &mut Report) -> Result<()> {
    let stage = Stage::set(lab)?;
    let mut more = stage.access.clone();
    more.extend(["--zookeeper-acl=creator".to_owned(), "--log-level=trace".to_owned()]);
    let agents: Vec<_> =
        (0..AGENTS).map(|index| Standing::new(lab, index, &stage.door, &more)).collect::<Result<_>>()?;
    for agent in &agents {
        agent.process().start().await?;
        agent.wait_registered(None).await?;
    }
    lab.progress().say("agents are registered over TLS, with znodes that are their creator's alone");
    let proxy = proxy(lab, &stage).await?;
    let status = capitana(&stage.asking(&["status", "--json"]))?;
    report.exactly("members_shown_by_status", status.members(), AGENTS).because(|| status.words());
    strangers(lab, report).await;
    stage.refusals(report)?;
    resumes(&agents[0], report).await?;
    let told: usize = [agents[0].process(), agents[1].process(), &proxy].into_iter().map(tells).sum();
    report.none("places_that_tell_the_password", told);
    Ok(())
}

/// What everybody needs who may take part.
struct Stage<'a> {
    lab: &'a Lab,
    /// The port for TLS.
    door: String,
    access: Vec<String>,
    certificates: &'a Certificates,
    client: (PathBuf, PathBuf),
    auth: PathBuf,
}

impl<'a> Stage<'a> {
    fn set(lab: &'a Lab) -> Result<Self> {
        let certificates = lab.zookeeper_certificates().context("no certificates")?;
        let client = certificates.client()?;
        let auth = secret(lab, "zookeeper-auth", &format!("capitana:{PASSWORD}\n"))?;
        let door = lab.zookeepers().first().context("no ZooKeeper server")?.secure_connect_string();
        let mut stage = Self { lab, door, access: Vec::new(), certificates, client, auth };
        stage.access =
            [stage.tls(&certificates.authority), stage.certificate(), stage.named(&stage.auth)].concat();
        Ok(stage)
    }

    fn tls(&self, authority: &Path) -> Vec<String> {
        vec!["--zookeeper-tls=true".to_owned(), format!("--zookeeper-ca-file={}", authority.display())]
    }

    fn certificate(&self) -> Vec<String> {
        let (certificate, key) = &self.client;
        vec![
            format!("--zookeeper-certificate-file={}", certificate.display()),
            format!("--zookeeper-key-file={}", key.display()),
        ]
    }

    fn named(&self, auth: &Path) -> Vec<String> {
        vec![format!("--zookeeper-auth-file={}", auth.display())]
    }

    fn asking(&self, command: &[&str]) -> Vec<String> {
        let zookeeper = format!("--zookeeper={}", self.door);
        let command = command.iter().map(|word| (*word).to_owned());
        command.chain([zookeeper]).chain(self.access.clone()).collect()
    }

    /// Each way not to get in, and what has to be said of it.
    fn refusals(&self, report: &mut Report) -> Result<()> {
        let plain = self.lab.zookeeper();
        let other = Certificates::create(&self.lab.slot().directory().join("another-authority"), &[])?;
        let wrong = secret(self.lab, "wrong-auth", "capitana:guessed\n")?;
        let tls = self.tls(&self.certificates.authority);
        let ways = [
            ("nobody", &plain, vec![], "zookeeper-auth-file"),
            ("a wrong password", &plain, self.named(&wrong), "the password is not"),
            ("no certificate", &self.door, tls.clone(), "zookeeper-certificate-file"),
            ("another authority", &self.door, self.tls(&other.authority), "zookeeper-ca-file"),
            ("in the clear", &self.door, vec![], "zookeeper-tls = true"),
            ("TLS to the clear port", &plain, tls, "secureClientPort"),
        ];
        let mut unclear = Vec::new();
        for (way, door, flags, expected) in ways {
            let arguments = [vec!["primary".to_owned(), format!("--zookeeper={door}")], flags].concat();
            let said = capitana(&arguments)?;
            self.lab.progress().say(format_args!("{way}: {}", said.err.trim()));
            if said.ok || said.err.trim().lines().count() != 1 || !said.err.contains(expected) {
                unclear.push(format!("{way}: {}", said.err.trim()));
            }
        }
        report.none("refusals_without_a_clear_line", unclear.len()).because(|| unclear.join("; "));
        Ok(())
    }
}

struct Said {
    ok: bool,
    out: Vec<u8>,
    err: String,
}

impl Said {
    fn members(&self) -> usize {
        let status: serde_json::Value = serde_json::from_slice(&self.out).unwrap_or_default();
        status["election"]["members"].as_array().map_or(0, Vec::len)
    }

    fn words(&self) -> String {
        format!("{} {}", self.err.trim(), String::from_utf8_lossy(&self.out))
    }
}

fn capitana(arguments: &[String]) -> Result<Said> {
    let output = Command::new(daemon::program()?).args(arguments).output()?;
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok(Said { ok: output.status.success(), out: output.stdout, err })
}

fn secret(lab: &Lab, name: &str, text: &str) -> Result<PathBuf> {
    let path = lab.slot().directory().join(name);
    let opened = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&path);
    opened
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write {name}"))?;
    Ok(path)
}

/// A proxy that sees every agent.
async fn proxy(lab: &Lab, stage: &Stage<'_>) -> Result<Process> {
    let admin = SocketAddr::from((lab.slot().proxy(0), 9307));
    let flags = [format!("--listen={}:3306", lab.slot().proxy(0)), format!("--admin-listen={admin}")];
    let mut arguments = stage.asking(&["proxy", "--log-level=trace", "--replica-listen=off"]);
    arguments.extend(flags);
    let program = daemon::program()?;
    let process = lab.process("secure-proxy", move || {
        let mut command = Command::new(&program);
        command.args(&arguments);
        Ok(command)
    })?;
    process.start().await?;
    let follows = async || {
        let status: ProxyStatus = http::get_json(admin, "/status").await.ok()?;
        (status.election.members.len() == AGENTS).then_some(())
    };
    wait_until(PATIENCE, &format!("the proxy sees {AGENTS} candidates"), follows).await?;
    lab.progress().say("the proxy follows them");
    Ok(process)
}

/// What somebody tries who only reaches the port in the clear.
async fn strangers(lab: &Lab, report: &mut Report) {
    let mut allowed = Vec::new();
    for auth in [None, Some(b"stranger:x")] {
        let connector = Client::connector();
        let connector = match auth {
            Some(auth) => connector.with_auth("digest", auth),
            None => connector,
        };
        let Ok(client) = connector.connect(&lab.zookeeper()).await else { continue };
        let options = CreateMode::Ephemeral.with_acls(Acls::anyone_all());
        let below = format!("{ELECTION}/node-0000000099");
        let tries = [
            ("list", client.list_children(ELECTION).await.err()),
            ("create", client.create(&below, b"rogue:3306", &options).await.err()),
            ("delete", client.delete(&format!("{ELECTION}/node-0000000000"), None).await.err()),
        ];
        let got = tries.into_iter().filter(|(_, error)| *error != Some(Error::NoAuth));
        allowed.extend(got.map(|(what, error)| format!("{what}: {error:?}")));
    }
    report.none("what_strangers_could_do", allowed.len()).because(|| allowed.join("; "));
}

/// A killed agent goes on with its session over TLS as well.
async fn resumes(agent: &Standing, report: &mut Report) -> Result<()> {
    let before = agent.wait_registered(None).await?;
    agent.process().kill().await?;
    agent.process().start().await?;
    let after = agent.wait_registered(None).await?;
    report.check(before == after, || format!("{before} became {after} in a restart"));
    Ok(())
}

/// In how many places the password can be read: the log, and what `ps` shows.
fn tells(process: &Process) -> usize {
    let log = fs::read(process.log_path()).unwrap_or_default();
    let command =
        process.pid().and_then(|pid| fs::read(format!("/proc/{pid}/cmdline")).ok()).unwrap_or_default();
    let tells = |text: &Vec<u8>| text.windows(PASSWORD.len()).any(|part| part == PASSWORD.as_bytes());
    [log, command].iter().filter(|text| tells(text)).count()
}
