//! Who may do what with a znode, as ZooKeeper has it: read for the doctor. What of it is unsafe is decided in
//! `capitana_core::doctor`.

use capitana_core::doctor::acl::{ADMIN, CREATE, DELETE, Entry, READ, WRITE};
use zookeeper_client::{Acl, Permission};

use super::coordinator::CoordinatorError;
use super::zookeeper::ZooKeeper;

impl ZooKeeper {
    /// The ACL of a znode.
    ///
    /// # Errors
    /// There is no such znode, or this session may not read its ACL.
    pub async fn acl(&self, path: &str) -> Result<Vec<Entry>, CoordinatorError> {
        let answer = self.client.get_acl(path).await;
        let (acl, _) = answer.map_err(|e| self.failed(&format!("read the ACL of {path}"), &e))?;
        Ok(acl.iter().map(entry).collect())
    }
}

fn entry(acl: &Acl) -> Entry {
    let bits = [
        (Permission::READ, READ),
        (Permission::WRITE, WRITE),
        (Permission::CREATE, CREATE),
        (Permission::DELETE, DELETE),
        (Permission::ADMIN, ADMIN),
    ];
    let given = bits.iter().filter(|(permission, _)| acl.permission().has(*permission));
    Entry {
        scheme: acl.scheme().to_owned(),
        id: acl.id().to_owned(),
        permissions: given.fold(0, |all, (_, bit)| all | bit),
    }
}
