//! The host.

use capitana_core::doctor::host::{Host, Proxy, Secret, State};

use crate::codes;

fn good() -> Host {
    Host {
        clock_synchronised: Some(true),
        files: Some(1_048_576),
        ports: Some(28_232),
        retries: Some(8),
        proxy: Some(Proxy { most: Some(10_000), ..Proxy::default() }),
        secrets: vec![Secret { path: "/etc/capitana/password".to_owned(), mode: 0o100_600 }],
        state: Some(State { path: "/var/lib/capitana".to_owned(), mode: Some(0o040_700), writable: true }),
    }
}

fn state(mode: Option<u32>, writable: bool) -> Option<State> {
    Some(State { path: "/var/lib/capitana".to_owned(), mode, writable })
}

#[test]
fn each_fact_gives_its_finding() {
    assert_eq!(good().examine(), []);
    assert_eq!(Host::default().examine(), [], "what could not be seen is not judged");
    let secret = |mode| vec![Secret { path: "key.pem".to_owned(), mode }];
    for (host, code) in [
        (Host { clock_synchronised: Some(false), ..good() }, "HOST-CLOCK"),
        (Host { files: Some(20_063), ..good() }, "HOST-FILES"),
        (Host { ports: Some(9_999), ..good() }, "HOST-PORTS"),
        (Host { retries: Some(15), ..good() }, "HOST-TCP-RETRIES"),
        (Host { secrets: secret(0o100_644), ..good() }, "SECRET-READABLE"),
        (Host { state: state(None, false), ..good() }, "STATE-MISSING"),
        (Host { state: state(Some(0o040_700), false), ..good() }, "STATE-UNWRITABLE"),
        (Host { state: state(Some(0o040_755), true), ..good() }, "STATE-READABLE"),
    ] {
        assert_eq!(codes(&host.examine()), [code], "{host:?}");
    }
    for host in [
        Host { files: Some(20_064), ..good() },
        Host { ports: Some(10_000), ..good() },
        Host { secrets: secret(0o100_640), ..good() },
        Host { proxy: None, files: Some(1), ports: Some(1), ..good() },
    ] {
        assert_eq!(host.examine(), [], "{host:?}");
    }
}

/// A proxy with two threads and three listeners: 78 descriptors beside its sessions.
fn proxy(most: Option<u64>, upstream: Option<u64>) -> Proxy {
    Proxy { most, upstream, threads: 2, listeners: 3, sources: 0 }
}

fn found(proxy: Proxy, files: u64) -> Vec<&'static str> {
    codes(&Host { proxy: Some(proxy), files: Some(files), ..good() }.examine())
}

#[test]
fn a_proxy_without_a_limit_is_measured_by_the_descriptors_it_has() {
    assert_eq!(found(proxy(None, None), 1_048_576), Vec::<&str>::new(), "as the unit has it");
    assert_eq!(found(proxy(None, None), 2_078), Vec::<&str>::new());
    assert_eq!(found(proxy(None, None), 2_077), ["HOST-FILES"]);
    let shell = Host { proxy: Some(proxy(None, None)), files: Some(1_024), ..good() }.examine();
    assert_eq!(shell[0].found, "the 1024 descriptors that this shell may have allow 473 sessions");
    assert_eq!(found(proxy(None, None), 0), ["HOST-FILES"]);
}

#[test]
fn the_descriptors_of_threads_and_listeners_are_counted_with_a_limit_too() {
    assert_eq!(found(proxy(Some(10_000), None), 20_078), Vec::<&str>::new());
    assert_eq!(found(proxy(Some(10_000), None), 20_077), ["HOST-FILES"]);
}

#[test]
fn ports_are_measured_by_the_sessions_that_one_server_may_get() {
    let many = 1_048_576;
    assert_eq!(found(proxy(None, Some(28_232)), many), Vec::<&str>::new());
    assert_eq!(found(proxy(None, Some(28_233)), many), ["HOST-PORTS"]);
    assert_eq!(found(proxy(Some(50_000), Some(20_000)), many), Vec::<&str>::new());
    assert_eq!(found(proxy(Some(50_000), None), many), ["HOST-PORTS"]);
    let two = Proxy { sources: 2, ..proxy(Some(50_000), None) };
    assert_eq!(found(two, many), Vec::<&str>::new(), "each source address has ports of its own");
}
