//! The way to ZooKeeper: what the daemon asks of a coordination service (`Coordinator`), and its one
//! implementation (`zookeeper`). Which primary follows from what is read is decided in `capitana_core`.

pub mod coordinator;
pub mod zookeeper;

pub use coordinator::{Children, Coordinator, CoordinatorError, LinkState, Outcome, Stat, Watch};
pub use zookeeper::{LastSession, ZooKeeper, ZooKeeperConnector};
