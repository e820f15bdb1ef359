//! Codes, severities and texts.

use std::collections::BTreeSet;

use capitana_core::doctor::{Severity, galera, kinds, reach, worst};

#[test]
fn every_code_is_there_once_and_is_written_as_words_in_capitals() {
    let kinds = kinds();
    let codes: BTreeSet<_> = kinds.iter().map(|kind| kind.code).collect();
    assert_eq!(codes.len(), kinds.len());
    for code in codes {
        assert!(code.contains('-') && code.chars().all(|c| c.is_ascii_uppercase() || c == '-'), "{code}");
    }
}

#[test]
fn every_kind_says_why_and_what_to_do_in_one_line_each() {
    for kind in kinds() {
        for text in [kind.why, kind.remedy] {
            assert!(
                text.ends_with('.') && !text.contains('\n') && !text.contains(" | "),
                "{}: {text}",
                kind.code
            );
        }
    }
}

#[test]
fn the_worst_finding_counts() {
    let info = reach::SERVER_NOT_CHECKED.at("MariaDB", "");
    let warning = galera::ALONE.at("MariaDB", "");
    let danger = galera::EVS_INSTALL.at("MariaDB", "");
    assert_eq!(worst(&[]), None);
    assert_eq!(worst(std::slice::from_ref(&info)), Some(Severity::Info));
    assert_eq!(worst(&[info.clone(), warning.clone()]), Some(Severity::Warning));
    assert_eq!(worst(&[danger, info, warning]), Some(Severity::Danger));
}

#[test]
fn a_finding_is_one_flat_json_object_whose_fields_stay() {
    let finding = galera::ALONE.at("MariaDB db1:3306", "the cluster has one node");
    let json: serde_json::Value = serde_json::to_value(&finding).unwrap();
    let fields: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, ["code", "found", "remedy", "severity", "subject", "why"]);
    assert_eq!((json["code"].as_str(), json["severity"].as_str()), (Some("GALERA-ALONE"), Some("warning")));
}
