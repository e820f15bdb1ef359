//! Accounts: what `SHOW GRANTS` prints (MariaDB 10.11.19), and what follows.

use capitana_core::doctor::account::{Account, Purpose};
use capitana_core::grants::Fence;

use crate::codes;

const HASH: &str = "IDENTIFIED BY PASSWORD '*10BC7BD67A7A6D8F69C57B7FAA9BF8C93E330179'";
const NEW: Option<(u16, u16, u16)> = Some((10, 11, 19));

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
fn missing(account: &Account, purpose: Purpose, version: Option<(u16, u16, u16)>) -> Option<String> {
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
    let old = Some((10, 6, 20));
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
    for privileges in ["ALL PRIVILEGES", "PROCESS, CREATE USER", "FILE", "DELETE"] {
        let findings = local(privileges).examine(checks(false, None), NEW);
        assert_eq!(codes(&findings), ["DB-ACCOUNT-POWER"], "{privileges}");
    }
    let grant = format!("GRANT USAGE ON *.* TO `capitana`@`localhost` {HASH} WITH GRANT OPTION");
    let findings = account("capitana@localhost", &[&grant]).examine(checks(false, None), NEW);
    assert_eq!(codes(&findings), ["DB-ACCOUNT-POWER"]);
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
