//! `capitana status`: the election, its members, and what the proxies make of it. It gathers and judges; the table
//! is laid out in `table`.

mod table;

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use capitana_core::services::list::Services;
use capitana_core::{Epoch, HostPort, Member, Skipped};
use clap::{ArgMatches, Args};
use serde::Serialize;
use serde_json::Value;

use super::election::{All, Election, ElectionArgs, From, Known};
use super::proxies::{self, Proxy};
use super::wait::block_on;
use crate::config::document::Document;
use crate::config::keys::{Kind, PROXY_ADMIN_PORT};
use crate::config::value::Text;
use crate::config::words::Advertised;
use crate::error::{Error, Origin};

pub(super) const EXAMPLES: &str = "\
Examples:
  capitana status --zookeeper zk1:2181    (asks the proxies that are registered)
  capitana status --zookeeper zk1:2181 --proxy app1:9307 --proxy app2:9307
  capitana status --config /etc/capitana/proxy.toml
  capitana status --zookeeper zk1:2181 --json | jq -r '.election.primary.upstream'

SESSIONS are all of a proxy's client sessions; HELD are those of them that wait for a server.
Exits with 69 if ZooKeeper does not answer; the proxies' view is shown all the same.";

/// What `capitana status` is asked.
#[derive(Debug, Args)]
pub struct StatusArgs {
    #[command(flatten)]
    election: ElectionArgs,

    /// Ask the proxy with this admin address for its view; may be given several times [default: the
    /// admin address in a proxy's settings file, or else those that are registered]
    #[arg(long = "proxy", value_name = "HOST:PORT", value_delimiter = ',')]
    proxies: Vec<Text<Advertised>>,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Everything that is shown.
#[derive(Debug, Default, Serialize)]
pub(super) struct Status {
    /// The election.
    pub(super) election: ElectionStatus,
    /// The running processes as they are registered.
    #[serde(flatten)]
    pub(super) services: Services,
    /// Why they could not be read.
    pub(super) services_error: Option<String>,
    /// The version of the settings in ZooKeeper for each kind of daemon: a number, none, or why it is not known.
    pub(super) settings: BTreeMap<String, Value>,
    /// What proxies say, in the order they were named or are registered.
    pub(super) proxies: Vec<Proxy>,
}

/// The election as it was read.
#[derive(Debug, Default, Serialize)]
pub(super) struct ElectionStatus {
    /// The connect string; none with a fixed primary.
    pub(super) zookeeper: Option<String>,
    /// The election's znode.
    pub(super) path: Option<String>,
    /// A fixed primary, which stands in for the election.
    pub(super) fixed_primary: Option<HostPort>,
    /// The first of the members, of those that are not older than what a proxy has followed.
    pub(super) primary: Option<Member>,
    /// The primary's epoch.
    pub(super) epoch: Option<Epoch>,
    /// The candidates, oldest first.
    pub(super) members: Vec<Member>,
    /// Children of the election's znode that are no candidates.
    pub(super) skipped: Vec<Skipped>,
    /// Why the election could not be read, or that it does not exist.
    pub(super) error: Option<String>,
}

impl StatusArgs {
    /// Prints the status.
    ///
    /// # Errors
    /// ZooKeeper does not answer, or the settings are wrong.
    pub fn run(&self, matches: &ArgMatches, out: &mut dyn Write) -> Result<(), Error> {
        let known = self.election.known(matches)?;
        let addresses = self.addresses(&known)?;
        let (status, outcome) = block_on(gather(&known, addresses))?;
        self.print(&status, out).map_err(Error::Output)?;
        outcome
    }

    fn print(&self, status: &Status, out: &mut dyn Write) -> std::io::Result<()> {
        if self.json {
            serde_json::to_writer_pretty(&mut *out, status)?;
            return writeln!(out);
        }
        table::print(status, out)
    }

    fn addresses(&self, known: &Known) -> Result<Vec<HostPort>, Error> {
        if let (true, Some((document, Kind::Proxy))) = (self.proxies.is_empty(), &known.document) {
            return own_admin_address(document).map(|address| vec![address]);
        }
        let address = |text: &Text<Advertised>| text.value.or_port(PROXY_ADMIN_PORT);
        self.proxies
            .iter()
            .map(|text| address(text).map_err(|error| bad_address(&error.to_string())))
            .collect()
    }
}

/// The admin address of the proxy whose settings these are; one on every address is asked on this host's own.
fn own_admin_address(document: &Document) -> Result<HostPort, Error> {
    let set: Option<Text<SocketAddr>> = document.value("admin-listen")?;
    let by_default = SocketAddr::from((Ipv4Addr::LOCALHOST, PROXY_ADMIN_PORT));
    let address = set.map_or(by_default, |text| text.value);
    let host = match address.ip() {
        ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        ip => ip,
    };
    HostPort::new(&host.to_string(), address.port()).map_err(|error| bad_address(&error.to_string()))
}

fn bad_address(problem: &str) -> Error {
    Error::Setting { origin: Origin::Flag("proxy".to_owned()), problem: problem.to_owned() }
}

/// Asks ZooKeeper and the proxies that were named at the same time; where none was named, those that are registered. What
/// ZooKeeper did not say is also the command's outcome.
async fn gather(known: &Known, addresses: Vec<HostPort>) -> (Status, Result<(), Error>) {
    let named = !addresses.is_empty();
    let mut status = Status::default();
    let (outcome, asked) = tokio::join!(status.ask_zookeeper(known), proxies::ask(addresses, known.timeout));
    status.proxies = asked;
    if !named {
        status.proxies = proxies::ask(status.registered_proxies(), known.timeout).await;
    }
    if let Some(newest) = proxies::newest_epoch(&status.proxies) {
        status.election.lead_since(newest);
    }
    (status, outcome)
}

impl Status {
    async fn ask_zookeeper(&mut self, known: &Known) -> Result<(), Error> {
        match &known.from {
            From::Election(election) => self.read(election, known.timeout).await,
            From::Fixed(primary) => {
                self.election.fixed_primary = Some(primary.clone());
                Ok(())
            }
        }
    }

    async fn read(&mut self, election: &Election, limit: Duration) -> Result<(), Error> {
        let status = &mut self.election;
        status.zookeeper = Some(election.zookeeper.clone());
        status.path = Some(election.path.clone());
        let All { reading, services, settings } = match election.read_all(limit).await {
            Ok(read) => read,
            Err(error) => {
                status.error = Some(error.to_string());
                return Err(error);
            }
        };
        if !reading.exists {
            status.error = Some("the znode does not exist: no agent has registered yet".to_owned());
        }
        status.members = reading.view.members;
        status.skipped = reading.view.skipped;
        status.lead_since(Epoch(i64::MIN));
        self.settings = settings
            .into_iter()
            .map(|(kind, version)| (kind.to_string(), version.map_or_else(Value::from, Value::from)))
            .collect();
        match services {
            Ok(services) => self.services = services,
            Err(why) => self.services_error = Some(why),
        }
        Ok(())
    }

    fn registered_proxies(&self) -> Vec<HostPort> {
        let proxies = self.services.services.iter().filter(|service| service.kind == Kind::Proxy.to_string());
        proxies.filter_map(|proxy| proxy.admin.clone()).collect()
    }
}

impl ElectionStatus {
    /// Takes for the primary who is it for proxies that have followed this epoch: they never go back to an older one.
    fn lead_since(&mut self, newest: Epoch) {
        self.primary = self.members.iter().find(|member| member.epoch >= newest).cloned();
        self.epoch = self.primary.as_ref().map(|primary| primary.epoch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(epoch: i64) -> Member {
        let upstream = HostPort::new("db1", 3306).unwrap();
        Member {
            name: format!("node-{epoch:010}"),
            upstream,
            epoch: Epoch(epoch),
            node: None,
            weight: 100,
            lag: None,
        }
    }

    #[test]
    fn a_member_that_proxies_have_passed_over_is_not_the_primary() {
        let mut status =
            ElectionStatus { members: vec![member(3), member(5), member(7)], ..Default::default() };
        status.lead_since(Epoch(i64::MIN));
        assert_eq!(status.epoch, Some(Epoch(3)));
        status.lead_since(Epoch(5));
        assert_eq!(status.primary, Some(member(5)));
        status.lead_since(Epoch(8));
        assert_eq!((status.primary, status.epoch), (None, None));
    }
}
