//! The way to ZooKeeper: what the daemon asks of a coordination service (`Coordinator`), its one implementation
//! (`zookeeper`), how it comes by a session (`connector`, `access`), how a session outlives its process (`saved`), who
//! may do what with a znode (`rights`), how two znodes are written as one (`transaction`), and what is said when it does not work (`failure`, `diagnosis`). Which primary
//! follows from what is read is decided in `capitana_core`.

mod access;
pub mod connector;
pub mod coordinator;
mod diagnosis;
mod failure;
mod rights;
mod saved;
mod transaction;
pub mod zookeeper;

pub use connector::{LastSession, ZooKeeperConnector};
pub use coordinator::{Children, Coordinator, CoordinatorError, Found, LinkState, Outcome, Stat, Watch};
pub use saved::SavedSession;
pub use transaction::Written;
pub use zookeeper::ZooKeeper;
