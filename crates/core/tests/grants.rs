//! Grants: what `SHOW GRANTS` prints (MariaDB 10.11.19, MySQL 8.0), and what is missing for each part of capitana.

use capitana_core::grants::{Fence, Grants, Need};

fn grants(lines: &[&str]) -> Grants {
    let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    Grants::parse(&lines)
}

fn server_wide(privileges: &str) -> Grants {
    grants(&[&format!("GRANT {privileges} ON *.* TO `capitana`@`%` IDENTIFIED BY PASSWORD '*A'")])
}

#[test]
fn a_fence_by_read_only_needs_three_privileges() {
    let need = Need::fence(Fence::ReadOnly, Some((10, 11, 19)));
    assert_eq!(server_wide("USAGE").lacking(&need), ["READ_ONLY ADMIN", "CONNECTION ADMIN", "PROCESS"]);
    assert!(server_wide("PROCESS, READ_ONLY ADMIN, CONNECTION ADMIN").lacking(&need).is_empty());
    assert_eq!(server_wide("SUPER, PROCESS").lacking(&need), ["READ_ONLY ADMIN"]);
}

#[test]
fn before_mariadb_10_11_super_is_enough_for_a_fence_by_read_only() {
    let need = Need::fence(Fence::ReadOnly, Some((10, 6, 20)));
    assert!(server_wide("SUPER, PROCESS").lacking(&need).is_empty());
    assert_eq!(server_wide("PROCESS, CONNECTION ADMIN").lacking(&need), ["READ_ONLY ADMIN"]);
}

#[test]
fn mysqls_names_are_known_whatever_its_version() {
    let mysql = server_wide("SYSTEM_VARIABLES_ADMIN, CONNECTION_ADMIN, PROCESS");
    for version in [Some((8, 0, 44)), Some((8, 4, 7)), None] {
        assert!(mysql.lacking(&Need::fence(Fence::ReadOnly, version)).is_empty(), "{version:?}");
    }
}

#[test]
fn a_fence_that_rejects_needs_super() {
    let need = Need::fence(Fence::Reject, None);
    assert_eq!(server_wide("READ_ONLY ADMIN").lacking(&need), ["SUPER", "PROCESS"]);
    assert!(server_wide("ALL PRIVILEGES").lacking(&need).is_empty());
}

#[test]
fn only_process_on_everything_shows_everybodys_sessions() {
    let may = |line: &str| grants(&[line]).lacking(&Need::drain()).is_empty();
    assert!(may("GRANT PROCESS, RELOAD ON *.* TO `capitana`@`%` IDENTIFIED BY PASSWORD '*A'"));
    assert!(may("GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION"));
    assert!(!may("GRANT USAGE ON *.* TO `capitana`@`%`"));
    assert!(!may("GRANT ALL PRIVILEGES ON `app`.* TO `capitana`@`%`"));
    assert!(!may("GRANT `process` TO `capitana`@`%`"));
}

#[test]
fn the_canary_may_be_granted_its_schema_its_tables_or_everything() {
    let lacking = |object: &str| {
        let line = format!("GRANT SELECT, INSERT, UPDATE ON {object} TO `capitana`@`%`");
        grants(&[&line]).lacking(&Need::canary()).len()
    };
    for (object, missing) in [("`capitana`.*", 0), ("`capitana`.`canary`", 0), ("*.*", 0), ("`shop`.*", 3)] {
        assert_eq!(lacking(object), missing, "{object}");
    }
}

#[test]
fn a_name_of_a_privilege_within_that_of_a_schema_gives_nothing() {
    let need = Need::fence(Fence::Reject, None);
    let line = "GRANT USAGE ON *.* TO `super process`@`%`";
    assert_eq!(grants(&[line]).lacking(&need), ["SUPER", "PROCESS"]);
}

#[test]
fn what_is_no_grant_gives_nothing() {
    for line in
        ["", "GRANT", "GRANT  ON  TO ", "GRANT PROXY ON ''@'%' TO 'root'@'localhost'", "SET DEFAULT ROLE r"]
    {
        assert_eq!(grants(&[line]), Grants::default(), "{line}");
    }
}
