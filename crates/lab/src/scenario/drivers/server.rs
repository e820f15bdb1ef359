//! The server's side of the scenario: accounts, TLS, sizes.

use std::fs;
use std::io::Write as _;

use anyhow::{Context, Result};

use super::settings::{ED25519, NATIVE, Surroundings};
use crate::certs::Certificates;
use crate::galera::Node;
use crate::lab::Lab;

/// Options of mariadbd that the cases need: packets of 64 MB with room for the statement around them.
pub(super) const OPTIONS: [(&str, &str); 3] =
    [("max_allowed_packet", "192M"), ("local_infile", "ON"), ("plugin_load_add", "auth_ed25519")];

/// Makes accounts and certificates for the server's `names`, and restarts it with TLS: the certificates hold addresses,
/// which are known only once the lab is there.
pub(super) async fn prepare(lab: &Lab, node: &Node, names: &[String]) -> Result<Surroundings> {
    let directory = lab.slot().directory().join("drivers");
    let surroundings = Surroundings {
        certificates: Certificates::create(&directory.join("tls"), names)?,
        other_authority: Certificates::create(&directory.join("other-authority"), names)?,
        directory,
    };
    let options = node.directory().join("my.cnf");
    let mut file = fs::OpenOptions::new().append(true).open(&options)?;
    for (name, value) in surroundings.certificates.server_options() {
        writeln!(file, "{name}={}", value.display())
            .with_context(|| format!("cannot write {}", options.display()))?;
    }
    node.stop().await?;
    node.start().await?;
    node.wait_ready(1).await?;
    create_accounts(node).await?;
    Ok(surroundings)
}

/// Lets the server show a certificate of the same authority that does not name it.
pub(super) async fn show_other_name(node: &Node, surroundings: &Surroundings) -> Result<()> {
    surroundings.certificates.renew(&["elsewhere.invalid".into()])?;
    node.execute("FLUSH SSL").await
}

async fn create_accounts(node: &Node) -> Result<()> {
    for (account, proof) in [(NATIVE, "mysql_native_password"), (ED25519, "ed25519")] {
        let user = account.user;
        let create =
            format!("CREATE USER {user}@'%' IDENTIFIED VIA {proof} USING PASSWORD('{}')", account.password);
        node.execute(&create).await?;
        node.execute(&format!("GRANT ALL ON *.* TO {user}@'%'")).await?;
    }
    Ok(())
}
