//! What could not be looked at, and why: a check that was not made is a finding too.

use super::finding::kinds;

kinds! {
    ZOOKEEPER_UNREACHABLE = Danger "ZK-UNREACHABLE",
        "Without ZooKeeper nobody is elected: a proxy that starts leads clients nowhere, an agent cannot register.",
        "Start ZooKeeper, open the way to it, or correct `zookeeper`; with TLS the port is secureClientPort.";
    ZOOKEEPER_REFUSED = Danger "ZK-REFUSED",
        "Who may not read the election's znodes cannot follow them.",
        "Give zookeeper-auth-file the name and password that the znodes' ACLs know, or add it to the ACLs.";
    ZOOKEEPER_NOT_CHECKED = Info "ZK-NOT-CHECKED",
        "With a fixed primary there is no election, and no change of the primary either.",
        "For failover set `zookeeper` in place of `primary`.";
    ACL_UNSEEN = Info "ZK-ACL-UNSEEN",
        "Whether everybody may change the election could not be seen.",
        "Run the doctor with the zookeeper-auth-file of an agent.";
    SERVER_UNREACHABLE = Danger "DB-UNREACHABLE",
        "The agent cannot check a server that does not answer it, and an unchecked server is not fit to lead.",
        "Start MariaDB, correct `server`, or free a connection (extra_port keeps one for the agent).";
    LOGIN_REFUSED = Danger "DB-LOGIN",
        "An account that is refused checks nothing: the server is not fit to lead, or there is no barrier and no drain.",
        "Create the account for the address that MariaDB sees, and put its password into the password file.";
    SERVER_NOT_CHECKED = Info "DB-NOT-CHECKED",
        "What can be unsafe in MariaDB's settings was not looked at.",
        "Run the doctor on the database's host with --config agent.toml, or with --server and --user.";
    SERVER_UNSEEN = Warning "DB-UNSEEN",
        "A part of MariaDB could not be looked at.",
        "See the reason; a node outside the primary component answers little.";
    MONITOR_NOT_CHECKED = Info "DB-MONITOR-NOT-CHECKED",
        "Whether the proxy's account works was not tried, because there is no server to try it on.",
        "Run the doctor again once a primary is elected.";
    HOST_UNSEEN = Info "HOST-UNSEEN",
        "A part of this host could not be looked at.",
        "See the reason; run the doctor as the daemon's user or as root.";
}
