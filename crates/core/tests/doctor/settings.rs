//! capitana's own settings.

use std::time::Duration;

use capitana_core::doctor::settings::{Admin, Agent, Proxy};

use crate::codes;

fn agent() -> Agent {
    Agent {
        subject: "agent.toml".to_owned(),
        admin: Admin::Loopback,
        fences: true,
        asks_others: false,
        is_advertised: false,
        canary: true,
    }
}

fn proxy() -> Proxy {
    Proxy {
        subject: "proxy.toml".to_owned(),
        admin: Admin::Loopback,
        follows: true,
        has_monitor: true,
        allows_any: false,
        hold: Duration::from_secs(8),
        session: Duration::from_secs(6),
    }
}

#[test]
fn each_setting_of_the_agent_gives_its_finding() {
    assert_eq!(agent().examine(), []);
    for (agent, code) in [
        (Agent { admin: Admin::One, ..agent() }, "ADMIN-REACHABLE"),
        (Agent { admin: Admin::Everywhere, ..agent() }, "ADMIN-EVERYWHERE"),
        (Agent { fences: false, ..agent() }, "FENCE-OFF"),
        (Agent { asks_others: true, ..agent() }, "FENCE-UNREACHABLE"),
        (Agent { canary: false, ..agent() }, "CANARY-OFF"),
    ] {
        assert_eq!(codes(&agent.examine()), [code], "{agent:?}");
    }
    assert_eq!(Agent { asks_others: true, is_advertised: true, ..agent() }.examine(), []);
}

#[test]
fn each_setting_of_the_proxy_gives_its_finding() {
    assert_eq!(proxy().examine(), []);
    for (proxy, code) in [
        (Proxy { admin: Admin::Everywhere, ..proxy() }, "ADMIN-EVERYWHERE"),
        (Proxy { has_monitor: false, ..proxy() }, "PROXY-NO-MONITOR"),
        (Proxy { allows_any: true, ..proxy() }, "PROXY-ALLOW-ANY"),
        (Proxy { hold: Duration::from_secs(6), ..proxy() }, "PROXY-HOLD-SHORT"),
    ] {
        assert_eq!(codes(&proxy.examine()), [code], "{proxy:?}");
    }
}

#[test]
fn a_proxy_with_a_fixed_primary_needs_neither_account_nor_list() {
    let fixed = Proxy { follows: false, has_monitor: false, allows_any: true, ..proxy() };
    assert_eq!(fixed.examine(), []);
}
