//! ZooKeeper's servers, as they describe themselves (3.8.0).

use std::time::Duration;

use capitana_core::doctor::ensemble::Ensemble;
use capitana_core::doctor::words::{Answer, Words};

use crate::codes;

const CONF: &str = "clientPort=2181\ntickTime=2000\nmaxClientCnxns=60\nminSessionTimeout=4000\n\
                    maxSessionTimeout=40000\nserverId=1\ninitLimit=10\nsyncLimit=2\nelectionAlg=3\nquorumPort=2888\n\
                    peerType=0\nmembership: \nserver.1=zk1:2888:3888:participant\n\
                    server.2=zk2:2888:3888:participant\nserver.3=zk3:2888:3888:participant\nversion=0";

fn words(number: usize, mode: &str, conf: &str) -> Words {
    Words {
        address: format!("zk{number}:2181"),
        srvr: Answer::read(&format!("Zookeeper version: 3.8.0\nMode: {mode}\nNode count: 5\n")),
        conf: Answer::read(conf),
        mntr: Answer::read("zk_avg_fsynctime\t0.4\nzk_max_fsynctime\t12\n"),
    }
}

fn three() -> Ensemble {
    Ensemble {
        subject: "ZooKeeper".to_owned(),
        asked: Duration::from_secs(6),
        granted: Some(Duration::from_secs(6)),
        tls: true,
        named: true,
        servers: vec![words(1, "leader", CONF), words(2, "follower", CONF), words(3, "follower", CONF)],
        listed: 3,
    }
}

fn with_first(change: impl FnOnce(&mut Words)) -> Ensemble {
    let mut ensemble = three();
    change(&mut ensemble.servers[0]);
    ensemble
}

#[test]
fn nothing_is_found_in_an_ensemble_of_three_that_fits() {
    assert_eq!(three().examine(), []);
}

#[test]
fn the_number_of_servers_is_judged() {
    let alone = words(1, "standalone", "tickTime=2000\n");
    assert_eq!(codes(&Ensemble { servers: vec![alone], listed: 1, ..three() }.examine()), ["ZK-STANDALONE"]);
    assert_eq!(codes(&Ensemble { listed: 2, ..three() }.examine()), ["ZK-LIST-PARTIAL"]);
    let two = CONF.replace("server.3=zk3:2888:3888:participant\n", "");
    let servers = vec![words(1, "leader", &two), words(2, "follower", &two)];
    assert_eq!(codes(&Ensemble { servers, listed: 2, ..three() }.examine()), ["ZK-EVEN"]);
}

#[test]
fn an_observer_is_not_counted_among_the_servers_that_vote() {
    let conf = CONF.replace("version=0", "server.4=zk4:2888:3888:observer;0.0.0.0:2181\nversion=0");
    let four = |conf: &str| {
        let follower = |number| words(number, "follower", conf);
        vec![words(1, "leader", conf), follower(2), follower(3), words(4, "observer", conf)]
    };
    let found = |servers, listed| codes(&Ensemble { servers, listed, ..three() }.examine());
    assert_eq!(found(four(&conf), 4), Vec::<&str>::new());
    assert_eq!(found(four(&conf), 3), ["ZK-LIST-PARTIAL"], "a daemon could use it");
    let refusal = "conf is not executed because it is not in the whitelist.\n";
    assert_eq!(found(four(refusal), 4), ["ZK-WORDS-UNSEEN"], "its mode says that it does not vote");
    assert_eq!(found(four(&conf.replace(":observer", ":participant")), 4), ["ZK-EVEN"]);
}

#[test]
fn a_server_that_does_not_answer_or_does_not_serve_is_found() {
    let silent = || Answer::Silent("connection refused".to_owned());
    let down = with_first(|server| (server.srvr, server.conf, server.mntr) = (silent(), silent(), silent()));
    assert_eq!(codes(&down.examine()), ["ZK-SERVER-DOWN"]);
    let not_serving = "This ZooKeeper instance is not currently serving requests\n";
    let idle = with_first(|server| server.srvr = Answer::read(not_serving));
    assert_eq!(codes(&idle.examine()), ["ZK-SERVER-DOWN"]);
}

#[test]
fn a_session_timeout_other_than_asked_for_is_found() {
    let raised = Ensemble { asked: Duration::from_secs(5), ..three() };
    assert_eq!(codes(&raised.examine()), ["ZK-TIMEOUT"]);
}

#[test]
fn a_follower_that_may_lag_as_long_as_a_session_lasts_is_found() {
    for (limit, expected) in [(2, vec![]), (3, vec!["ZK-SYNC-LIMIT"]), (5, vec!["ZK-SYNC-LIMIT"])] {
        let conf = CONF.replace("syncLimit=2", &format!("syncLimit={limit}"));
        assert_eq!(
            codes(&with_first(|server| server.conf = Answer::read(&conf)).examine()),
            expected,
            "{limit}"
        );
    }
}

#[test]
fn words_that_are_not_allowed_are_said_to_be_unseen() {
    let refusal = "conf is not executed because it is not in the whitelist.\n";
    assert_eq!(
        codes(&with_first(|server| server.conf = Answer::read(refusal)).examine()),
        ["ZK-WORDS-UNSEEN"]
    );
    assert_eq!(codes(&Ensemble { servers: Vec::new(), ..three() }.examine()), ["ZK-WORDS-UNSEEN"]);
}

#[test]
fn a_disk_that_took_half_the_session_timeout_is_found() {
    for (millis, expected) in [(2_999, vec![]), (3_000, vec!["ZK-DISK-SLOW"])] {
        let mntr = Answer::read(&format!("zk_max_fsynctime\t{millis}\n"));
        assert_eq!(codes(&with_first(|server| server.mntr = mntr).examine()), expected, "{millis}");
    }
}

#[test]
fn a_password_in_the_clear_is_worse_than_no_tls() {
    assert_eq!(codes(&Ensemble { tls: false, named: false, ..three() }.examine()), ["ZK-CLEAR"]);
    assert_eq!(codes(&Ensemble { tls: false, ..three() }.examine()), ["ZK-PASSWORD-CLEAR"]);
}
