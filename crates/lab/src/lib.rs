//! Real MariaDB Galera nodes, ZooKeeper servers, capitana agents and proxies on one machine, that can be cut, frozen,
//! stopped and killed: for tests, benches and the demo. Owns no behaviour of capitana's.
//!
//! A [`Lab`] has loopback addresses and a directory of its own, so that several run side by side, and leaves nothing
//! behind, whatever happens to the process that started it (see `keeper`).

mod bank;
pub mod bench;
mod builder;
pub mod candidates;
pub mod certs;
pub mod client;
mod crowd;
mod daemon;
mod door;
mod election;
mod example;
mod forwarder;
mod galera;
mod gate;
pub mod http;
mod idle;
mod keeper;
mod lab;
mod limit;
pub mod load;
mod lossy;
mod network;
mod process;
mod progress;
mod report;
pub mod scenario;
mod slot;
pub mod status;
pub mod table;
pub mod venv;
mod wait;
mod workers;
mod zookeeper;

pub use builder::Builder;
pub use daemon::{Agent, Proxy, program};
pub use galera::{APP, Disk, MONITOR, Node, NodeStatus, StoppedDisk, Timeouts};
pub use keeper::MARKER;
pub use lab::Lab;
pub use limit::{Limit, Measure};
pub use process::{Process, Recipe};
pub use progress::{Progress, shown};
pub use report::{Judged, Report};
pub use slot::{Base, Slot};
pub use wait::wait_until;
pub use workers::is_alive;
pub use zookeeper::ZooKeeper;
