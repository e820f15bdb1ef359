//! An election on a real ZooKeeper, with members that a test registers and removes, and a proxy that follows it.

use std::time::Duration;

use capitana::control::{Coordinator, ZooKeeper, ZooKeeperConnector};
use capitana_lab::{Lab, Progress};

use super::support::{Proxy, Start};

/// The election's znode.
pub const PATH: &str = "/mariadb/primary";

/// A real ZooKeeper, a session that holds members, and a proxy that follows.
pub struct World {
    pub lab: Lab,
    pub session: ZooKeeper,
    pub proxy: Proxy,
}

impl World {
    /// A proxy that is started like this, with ZooKeeper's address besides.
    pub async fn new(start: Start) -> Self {
        let lab = Lab::builder().zookeeper(1).start(&Progress::stderr()).await.unwrap();
        let servers = lab.zookeeper();
        let proxy = start.flag("--zookeeper", &servers).start();
        let connector = ZooKeeperConnector::new(servers, Duration::from_secs(4));
        let session = connector.connect().await.unwrap();
        Self { lab, session, proxy }
    }

    /// Registers a member; its path and epoch.
    pub async fn register(&self, data: &str) -> (String, i64) {
        self.session.ensure_path(PATH).await.unwrap();
        let created = self.session.create_sequential(&format!("{PATH}/node-"), data.as_bytes()).await;
        let (path, stat) = created.unwrap();
        (path, stat.czxid)
    }

    /// Removes a member.
    pub async fn leave(&self, member: &(String, i64)) {
        assert!(self.session.delete(&member.0).await.unwrap());
    }

    pub async fn end(self) {
        drop(self.proxy);
        drop(self.session);
        self.lab.shutdown().await.unwrap();
    }
}
