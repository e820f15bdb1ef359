//! The host.

use capitana_core::doctor::host::{Host, Secret, State};

use crate::codes;

fn good() -> Host {
    Host {
        clock_synchronised: Some(true),
        files: Some(1_048_576),
        ports: Some(28_232),
        retries: Some(8),
        sessions: Some(10_000),
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
        Host { sessions: None, files: Some(1), ports: Some(1), ..good() },
    ] {
        assert_eq!(host.examine(), [], "{host:?}");
    }
}
