//! An election on a real ZooKeeper, with members that a test registers and removes, and a proxy that follows it.

#![allow(dead_code, reason = "each test file uses a part of this")]

use std::time::Duration;

use capitana::control::{Coordinator, ZooKeeper, ZooKeeperConnector};
use capitana_lab::{Lab, Progress};
use serde_json::{Value, json};

use super::support::{Proxy, Start, Stub};

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

    /// Registers a server.
    pub async fn join(&self, stub: &Stub) -> (String, i64) {
        self.register(&data(stub, &json!({}))).await
    }

    /// Waits until these serve those who only read.
    pub fn serving(&self, stubs: &[&Stub]) -> Value {
        let mut expected: Vec<_> = stubs.iter().map(|stub| stub.address.to_string()).collect();
        expected.sort();
        self.proxy.status(&format!("{expected:?} serve"), |status| {
            let members = status["replicas"]["members"].as_array().unwrap().iter();
            let mut found: Vec<_> =
                members.map(|member| member["upstream"].as_str().unwrap().to_owned()).collect();
            found.sort();
            found == expected
        })
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

/// What a capitana agent's znode says of a server, and more.
pub fn data(stub: &Stub, more: &Value) -> String {
    let mut data = json!({"host": stub.address.ip(), "port": stub.address.port()});
    data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    data.to_string()
}
