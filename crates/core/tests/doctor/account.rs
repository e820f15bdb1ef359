//! Accounts: what `SHOW GRANTS` prints (MariaDB 10.11.19), and what follows.

use capitana_core::doctor::account::{Account, Purpose};
use capitana_core::grants::Fence;

use crate::codes;

const HASH: &str = "IDENTIFIED BY PASSWORD '*10BC7BD67A7A6D8F69C57B7FAA9BF8C93E330179'";
const NEW: &str = "10.11.19-MariaDB-log";

fn account(name: &str, grants: &[&str]) -> Account {
    let grants = grants.iter().map(|grant| (*grant).to_owned()).collect();
    Account { subject: "MariaDB".to_owned(), name: name.to_owned(), grants }
}

/// An account of this host with these privileges on everything, and a password.
fn local(privileges: &str) -> Account {
    account("capitana@localhost", &[&format!("GRANT {privileges} ON *.* TO `capitana`@`localhost` {HASH}")])
}

fn checks(canary: bool, fence: Option<Fence>) -> Purpose {
    Purpose::Checks { canary, fence }
}

/// The privileges that are found missing, where any are.
fn missing(account: &Account, purpose: Purpose, version: &str) -> Option<String> {
    let lacks = account
        .examine(purpose, version)
        .into_iter()
        .find(|finding| finding.kind.code == "DB-ACCOUNT-LACKS")?;
    let (_, rest) = lacks.found.split_once(" has no ")?;
    Some(rest.split_once(" on ")?.0.to_owned())
}

#[test]
fn checks_need_no_privilege() {
    assert_eq!(local("USAGE").examine(checks(false, None), NEW), []);
}

#[test]
fn the_drain_needs_process() {
    assert_eq!(missing(&local("USAGE"), Purpose::Drain, NEW).as_deref(), Some("PROCESS"));
    assert_eq!(local("PROCESS, BINLOG MONITOR").examine(Purpose::Drain, NEW), []);
}

#[test]
fn the_canary_needs_its_own_schema() {
    let usage = format!("GRANT USAGE ON *.* TO `capitana`@`localhost` {HASH}");
    let with =
        |grant: &str| missing(&account("capitana@localhost", &[&usage, grant]), checks(true, None), NEW);
    assert_eq!(with("GRANT SELECT, INSERT, UPDATE ON `capitana`.* TO `capitana`@`localhost`"), None);
    assert_eq!(
        with("GRANT SELECT, INSERT ON `capitana`.* TO `capitana`@`localhost`").as_deref(),
        Some("UPDATE")
    );
    let other = with("GRANT SELECT, INSERT, UPDATE ON `shop`.* TO `capitana`@`localhost`");
    assert_eq!(other.as_deref(), Some("SELECT, INSERT, UPDATE"));
}

#[test]
fn each_fence_needs_its_own_privileges() {
    let old = "10.6.20-MariaDB";
    for (privileges, fence, version, expected) in [
        ("USAGE", Fence::ReadOnly, NEW, Some("READ_ONLY ADMIN, CONNECTION ADMIN, PROCESS")),
        ("READ_ONLY ADMIN, CONNECTION ADMIN, PROCESS", Fence::ReadOnly, NEW, None),
        ("SUPER, PROCESS", Fence::ReadOnly, NEW, Some("READ_ONLY ADMIN")),
        ("SUPER, PROCESS", Fence::ReadOnly, old, None),
        ("READ_ONLY ADMIN, PROCESS", Fence::Reject, NEW, Some("SUPER")),
        ("SUPER, PROCESS", Fence::Reject, NEW, None),
    ] {
        let missing = missing(&local(privileges), checks(false, Some(fence)), version);
        assert_eq!(missing.as_deref(), expected, "{privileges} for {fence:?}");
    }
}

#[test]
fn an_account_that_may_everything_is_found() {
    for privileges in [
        "ALL PRIVILEGES",
        "PROCESS, CREATE USER",
        "FILE",
        "DELETE",
        "SELECT",
        "REPLICATION SLAVE",
        "SET USER",
    ] {
        let findings = local(privileges).examine(checks(false, None), NEW);
        assert_eq!(codes(&findings), ["DB-ACCOUNT-POWER"], "{privileges}");
    }
    let grant = format!("GRANT USAGE ON *.* TO `capitana`@`localhost` {HASH} WITH GRANT OPTION");
    let findings = account("capitana@localhost", &[&grant]).examine(checks(false, None), NEW);
    assert_eq!(codes(&findings), ["DB-ACCOUNT-POWER"]);
}

#[test]
fn what_the_purpose_takes_is_not_too_much_and_anywhere_else_it_is() {
    let old = "10.6.20-MariaDB";
    let fence = |fence| checks(false, Some(fence));
    for (privileges, purpose, version, expected) in [
        ("SUPER, PROCESS", fence(Fence::Reject), NEW, None),
        ("SUPER, PROCESS", fence(Fence::ReadOnly), old, None),
        ("SUPER, PROCESS", Purpose::Drain, NEW, Some("SUPER")),
        ("SUPER, PROCESS", checks(false, None), NEW, Some("SUPER")),
        ("SUPER, READ_ONLY ADMIN, CONNECTION ADMIN, PROCESS", fence(Fence::ReadOnly), NEW, Some("SUPER")),
        ("SUPER, FILE, PROCESS", fence(Fence::Reject), NEW, Some("FILE")),
        ("ALL PRIVILEGES", fence(Fence::Reject), NEW, Some("ALL PRIVILEGES")),
    ] {
        let findings = local(privileges).examine(purpose, version);
        let power = findings.iter().find(|finding| finding.kind.code == "DB-ACCOUNT-POWER");
        let named =
            power.and_then(|power| power.found.strip_prefix("capitana@localhost has ")?.split(" on ").next());
        assert_eq!(named, expected, "{privileges} for {purpose:?} on {version}");
    }
}

#[test]
fn rights_on_the_tables_of_accounts_or_on_every_schema_are_too_much() {
    let usage = format!("GRANT USAGE ON *.* TO `capitana`@`localhost` {HASH}");
    let with = |grant: &str| {
        codes(&account("capitana@localhost", &[&usage, grant]).examine(checks(false, None), NEW))
    };
    for schema in ["`mysql`.*", "`mysql`.`global_priv`", "`%`.*"] {
        let grant = format!("GRANT SELECT, UPDATE ON {schema} TO `capitana`@`localhost`");
        assert_eq!(with(&grant), ["DB-ACCOUNT-POWER"], "{schema}");
    }
    assert_eq!(with("GRANT SELECT ON `shop`.* TO `capitana`@`localhost`"), Vec::<&str>::new());
}

#[test]
fn a_password_is_missed_only_where_the_server_would_show_one() {
    let found = |name: &str, version| {
        codes(&account(name, &["GRANT USAGE ON *.* TO `c`@`10.0.0.%`"]).examine(checks(false, None), version))
    };
    assert_eq!(found("c@10.0.0.%", NEW), ["DB-ACCOUNT-OPEN"]);
    assert_eq!(found("c@10.0.0.%", "8.0.36"), Vec::<&str>::new(), "MySQL never prints IDENTIFIED");
    assert_eq!(found("c@10.0.0.%", ""), Vec::<&str>::new());
    assert_eq!(found("", NEW), Vec::<&str>::new(), "whose account it is was not answered");
}

#[test]
fn everything_on_its_own_schema_is_not_too_much() {
    let usage = format!("GRANT USAGE ON *.* TO `capitana`@`localhost` {HASH}");
    let own = account(
        "capitana@localhost",
        &[&usage, "GRANT ALL PRIVILEGES ON `capitana`.* TO `capitana`@`localhost`"],
    );
    assert_eq!(own.examine(checks(true, None), NEW), []);
}

#[test]
fn an_account_without_a_password_is_found_where_the_network_reaches_it() {
    let found = |name: &str, grant: &str| codes(&account(name, &[grant]).examine(checks(false, None), NEW));
    assert_eq!(found("nopw@%", "GRANT USAGE ON *.* TO `nopw`@`%`"), ["DB-ACCOUNT-OPEN"]);
    assert_eq!(found("nopw@localhost", "GRANT USAGE ON *.* TO `nopw`@`localhost`"), Vec::<&str>::new());
    assert_eq!(found("c@%", &format!("GRANT USAGE ON *.* TO `c`@`%` {HASH}")), ["DB-ACCOUNT-ANYWHERE"]);
    let socket = "GRANT USAGE ON *.* TO `sock`@`localhost` IDENTIFIED VIA unix_socket";
    assert_eq!(found("sock@localhost", socket), Vec::<&str>::new());
}
