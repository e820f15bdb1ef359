//! What customers of a bank lose in a failover, on real parts: nothing. How long it takes is for `lab scenario`, on a
//! machine that does nothing else; here only what must hold on any machine is looked at.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic, in its helpers too")]

mod quick;

/// Of the money nothing is wrong, and these figures are zero too.
fn none_of(scenario: &str, figures: &[&str]) {
    let money = ["lost", "duplicated", "wrong_balances", "sum_off", "stale_reads", "connection_errors"];
    let zero: Vec<_> = money.iter().chain(figures).map(|figure| (*figure, 0.0)).collect();
    let report = quick::figures(scenario, &zero);
    assert!(report["figures"]["acknowledged"].as_f64() > Some(100.0), "{report:#}");
}

#[test]
fn no_transfer_is_lost_doubled_or_halved_when_the_primary_crashes() {
    none_of("crash-primary", &[]);
}

#[test]
fn a_step_down_cuts_no_transaction_and_refuses_no_new_client() {
    none_of("step-down", &["cut_transactions", "arrivals_refused"]);
}
