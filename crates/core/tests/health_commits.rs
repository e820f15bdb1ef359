//! What commits of the agent's own say of a server, and for how long a verdict may be acted upon.

use std::time::Duration;

use capitana_core::health::{Canary, Change, Commit, Event, Health, Local, Reading, Reason, Rules, Unfit};

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A check that passes and has seen this many write sets.
fn passed(seconds: u64, committed: u64) -> Event {
    let committed = committed.to_string();
    let rows = [
        ("wsrep_ready", "ON"),
        ("wsrep_cluster_status", "Primary"),
        ("wsrep_local_state", "4"),
        ("wsrep_on", "ON"),
        ("wsrep_desync", "OFF"),
        ("wsrep_reject_queries", "NONE"),
        ("read_only", "OFF"),
        ("wsrep_last_committed", &committed),
    ];
    let reading = Reading::parse(rows.map(|(n, v)| (n.to_owned(), v.to_owned())));
    Event::Polled { reading, asked: at(seconds) }
}

fn overdue(seconds: u64, local: Local) -> Event {
    Event::Committed(Commit::Overdue { after: at(seconds), local })
}

/// A server that has been fit since second 2.
fn fit() -> Health {
    let mut health = Health::new(Rules::DEFAULT, at(0));
    health.on(passed(1, 7), at(1));
    assert_eq!(health.on(passed(2, 7), at(2)), Change::BecameFit);
    health
}

#[test]
fn commits_that_are_forgotten_do_not_speak_against_the_server_any_more() {
    let mut health = fit();
    health.on(overdue(1, Local::Hangs), at(3));
    health.on(overdue(2, Local::Hangs), at(4));
    health.on(passed(5, 7), at(5));
    assert!(!health.verdict().fit);
    health.forget_commits();
    health.on(passed(6, 7), at(6));
    assert_eq!(health.on(passed(7, 7), at(7)), Change::BecameFit);
}

#[test]
fn a_server_whose_commits_hang_is_unfit_after_fall_of_them_although_its_checks_pass() {
    let mut health = fit();
    assert_eq!(health.on(overdue(1, Local::Hangs), at(3)), Change::None);
    assert_eq!(health.on(passed(3, 7), at(3)), Change::None);
    assert!(matches!(health.verdict().reason, Reason::Doubtful { bad: 1, .. }));
    let change = health.on(overdue(2, Local::Hangs), at(4));
    assert_eq!(change, Change::BecameUnfit(Unfit::NotCommitting("no answer to a commit for 2s".into())));
}

#[test]
fn a_server_that_commits_by_itself_is_not_at_fault_for_a_row_that_others_hold_up() {
    let mut health = fit();
    for second in 3..60 {
        health.on(passed(second, 7), at(second));
        assert_eq!(health.on(overdue(second - 2, Local::Answered), at(second)), Change::None);
        assert_eq!(health.on(overdue(second - 2, Local::Unknown), at(second)), Change::None);
    }
    assert!(health.verdict().fit);
}

#[test]
fn a_check_does_not_speak_for_a_server_while_a_commit_hangs_and_rise_of_them_do_afterwards() {
    let mut health = fit();
    health.on(overdue(1, Local::Hangs), at(3));
    health.on(overdue(2, Local::Hangs), at(4));
    for second in 5..20 {
        assert_eq!(health.on(passed(second, 7), at(second)), Change::None);
        health.on(overdue(second - 2, Local::Hangs), at(second));
    }
    assert_eq!(health.on(Event::Committed(Commit::Done), at(20)), Change::None);
    assert_eq!(health.on(passed(21, 8), at(21)), Change::None);
    assert_eq!(health.on(passed(22, 8), at(22)), Change::BecameFit);
}

#[test]
fn a_commit_and_a_check_that_hang_together_do_not_count_twice() {
    let mut health = fit();
    health.on(Event::PollFailed("no answer within 1s".into()), at(3));
    assert_eq!(health.on(overdue(1, Local::Hangs), at(3)), Change::None);
    assert!(health.verdict().fit);
}

#[test]
fn a_commit_that_is_refused_for_read_only_counts_at_once_and_another_error_fall_times() {
    let refused = |code| Event::Committed(Commit::Refused { code, cause: "no".into() });
    assert_eq!(fit().on(refused(1290), at(3)), Change::BecameUnfit(Unfit::ReadOnly));
    let mut health = fit();
    assert_eq!(health.on(refused(1114), at(3)), Change::None);
    assert_eq!(health.on(refused(1114), at(4)), Change::BecameUnfit(Unfit::CommitRefused("no".into())));
}

#[test]
fn an_account_that_may_not_write_is_not_the_servers_fault() {
    let mut health = fit();
    health.on(overdue(1, Local::Hangs), at(3));
    health.on(Event::Committed(Commit::Impossible("INSERT denied".into())), at(4));
    health.on(passed(4, 7), at(4));
    assert_eq!(health.verdict().reason, Reason::Passed);
}

#[test]
fn the_server_that_leads_is_written_to_and_others_only_when_they_have_not_committed_by_themselves() {
    let mut health = fit();
    assert_eq!(health.canary(true), Some(Canary::Row));
    assert_eq!(health.canary(false), Some(Canary::Local));
    health.on(passed(3, 8), at(3));
    assert_eq!(health.canary(true), Some(Canary::Row));
    assert_eq!(health.canary(false), None);
    health.on(overdue(1, Local::Hangs), at(4));
    health.on(passed(4, 9), at(4));
    assert_eq!(health.canary(false), Some(Canary::Local));
}

#[test]
fn a_server_whose_check_did_not_pass_is_not_written_to() {
    let mut health = fit();
    let rows = [("read_only".to_owned(), "ON".to_owned())];
    health.on(Event::Polled { reading: Reading::parse(rows), asked: at(3) }, at(3));
    assert_eq!(health.canary(true), None);
    let mut health = fit();
    health.on(Event::PollFailed("no answer within 1s".into()), at(3));
    assert_eq!(health.canary(true), None);
}

#[test]
fn a_server_without_a_connection_left_keeps_its_verdict_for_five_minutes_and_not_for_ever() {
    let full = || Event::Full("Too many connections".into());
    let mut health = fit();
    for second in 3..=303 {
        assert_eq!(health.on(full(), at(second)), Change::None);
        assert!(health.verdict().proof.holds_at(at(second)));
    }
    health.on(full(), at(304));
    assert!(matches!(health.on(full(), at(305)), Change::BecameUnfit(Unfit::CheckFailed(_))));
}

#[test]
fn a_server_that_was_full_from_the_start_is_not_fit() {
    let mut health = Health::new(Rules::DEFAULT, at(0));
    for second in 1..10 {
        health.on(Event::Full("Too many connections".into()), at(second));
    }
    assert!(!health.verdict().fit);
}

#[test]
fn a_verdict_holds_from_the_sending_of_the_last_check_that_passed() {
    let mut health = fit();
    let asked = at(3);
    let Event::Polled { reading, .. } = passed(3, 7) else { unreachable!() };
    health.on(Event::Polled { reading, asked }, at(4));
    // Two checks a second apart that fail, each after a second.
    assert!(health.verdict().proof.holds_at(at(6)));
    assert!(!health.verdict().proof.holds_at(at(7)));
}

#[test]
fn an_answer_that_comes_after_a_pause_says_nothing_of_now() {
    let mut health = Health::new(Rules { rise: 1, ..Rules::DEFAULT }, at(0));
    assert_eq!(health.on(passed(1, 7), at(31)), Change::None);
    assert!(!health.verdict().fit);
    assert_eq!(health.on(passed(31, 7), at(31)), Change::BecameFit);
}
