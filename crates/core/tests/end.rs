//! The reasons of a session's end: as labels, as positions, as JSON.

use capitana_core::EndReason;

#[test]
fn every_reason_stands_at_its_own_position() {
    for (position, reason) in EndReason::ALL.iter().enumerate() {
        assert_eq!(reason.index(), position);
    }
}

#[test]
fn every_reason_has_a_label_of_its_own_that_is_its_json_and_its_text() {
    let mut labels: Vec<_> = EndReason::ALL.iter().map(|r| r.label()).collect();
    for (reason, label) in EndReason::ALL.iter().zip(&labels) {
        assert_eq!(serde_json::to_value(reason).unwrap(), *label);
        assert_eq!(reason.to_string(), *label);
    }
    labels.sort_unstable();
    labels.dedup();
    assert_eq!(labels.len(), EndReason::ALL.len());
}
