//! What is counted: the engines of the emulated machine, how they are started there, and the loads. Both sides go by it,
//! the machine's (`guest`) and this one's.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use super::super::rounds::{CAPITANA, DIRECT};
use super::super::{floor, peers};

/// Where the programs under test are in the machine.
pub(super) const CAPITANA_PROGRAM: &str = "/capitana";
pub(super) const LAB_PROGRAM: &str = "/lab";
/// What marks the beginning and the end of a count, and the address that it comes to, in hexadecimal.
pub(super) const MARK_PROGRAM: &str = "/mark";
pub(super) const MARK: &str = "10000000";
/// Where MariaDB's data and the engines' settings are.
pub(super) const DATA: &str = "/data";
const HAPROXY_SETTINGS: &str = "/etc/haproxy.cfg";
const NGINX_SETTINGS: &str = "/etc/nginx.conf";

/// More than any load has, twice.
const SESSIONS: u64 = 1000;

/// An engine of the machine's.
pub(super) struct Emulated {
    pub(super) name: &'static str,
    pub(super) address: SocketAddr,
    /// Nothing for the direct connection.
    pub(super) command: Vec<String>,
    /// The file of its settings, if it has one, and what is in it.
    pub(super) settings: Option<(&'static str, String)>,
}

/// A load: so many of one thing by so many clients.
#[derive(Clone, Copy)]
pub(super) struct Load {
    pub(super) name: &'static str,
    pub(super) clients: usize,
    /// Each client's share comes once more before, uncounted, to a quarter.
    pub(super) each: usize,
    pub(super) what: What,
}

/// What a client does over and over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// A point select on a session of its own.
    Query,
    /// A session with one question.
    Connect,
}

pub(super) const LOADS: [Load; 4] = [
    Load { name: "1 client", clients: 1, each: 800, what: What::Query },
    Load { name: "16 clients", clients: 16, each: 200, what: What::Query },
    Load { name: "64 clients", clients: 64, each: 100, what: What::Query },
    Load { name: "connect", clients: 8, each: 100, what: What::Connect },
];

/// MariaDB's address in the machine.
pub(super) fn server() -> SocketAddr {
    at(1)
}

/// Those that are installed, in the order in which they are counted: in the machine, as on the one that makes it.
pub(super) fn engines() -> Vec<Emulated> {
    let words = |line: String| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let engine =
        |name, host, line, settings| Emulated { name, address: at(host), command: words(line), settings };
    let capitana = format!(
        "{CAPITANA_PROGRAM} proxy --primary {} --listen {} --admin-listen 127.0.0.2:9307",
        at(1),
        at(2)
    );
    let floor = format!("{LAB_PROGRAM} {} {} {}", floor::NAME, at(5), at(1));
    let on_tokio = format!("{LAB_PROGRAM} {} {} {} --on-tokio", floor::NAME, at(6), at(1));
    let mut engines = vec![
        Emulated { name: DIRECT, address: at(1), command: Vec::new(), settings: None },
        engine(CAPITANA, 2, capitana, None),
    ];
    if Path::new(peers::HAPROXY).is_file() {
        let settings = peers::haproxy_settings(at(3), at(1), SESSIONS);
        let line = format!("{} -db -f {HAPROXY_SETTINGS}", peers::HAPROXY);
        engines.push(engine("haproxy", 3, line, Some((HAPROXY_SETTINGS, settings))));
    }
    if Path::new(peers::NGINX).is_file() && Path::new(peers::NGINX_STREAM).is_file() {
        let settings = peers::nginx_settings(at(4), at(1), 2 * SESSIONS);
        let line = format!("{} -e stderr -p / -c {NGINX_SETTINGS}", peers::NGINX);
        engines.push(engine("nginx", 4, line, Some((NGINX_SETTINGS, settings))));
    }
    engines.push(engine(floor::NAME, 5, floor, None));
    engines.push(engine(floor::ON_TOKIO, 6, on_tokio, None));
    engines
}

fn at(host: u8) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::new(127, 0, 0, host), 3306))
}
