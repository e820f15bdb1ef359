//! A lab leaves no process and no directory behind, whatever happens to it: each layer of that, with real processes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic, in its helpers too")]

mod support;

use std::fs;
use std::process::Command;
use std::time::Duration;

use capitana_lab::{Lab, Progress, wait_until};
use rustix::process::Signal;
use support::{DEADLINE, Up, keepers, members, send, wait_ended, wait_gone};

/// A lab with a process that has started another, and does not go when asked.
async fn stubborn(progress: &Progress) -> Lab {
    let lab = Lab::builder().start(progress).await.unwrap();
    let process = lab
        .process("stubborn", || {
            let mut command = Command::new("sh");
            command.args(["-c", "trap '' TERM INT HUP; echo started; sleep 1000 & wait"]);
            Ok(command)
        })
        .unwrap();
    process.start().await.unwrap();
    let both = async || (members(lab.slot().directory()).len() == 2).then_some(());
    wait_until(DEADLINE, "the process has started another", both).await.unwrap();
    lab
}

#[tokio::test]
async fn a_lab_that_is_shut_down_leaves_nothing() {
    let lab = stubborn(&Progress::stderr()).await;
    let directory = lab.slot().directory().to_owned();
    lab.shutdown().await.unwrap();
    assert!(members(&directory).is_empty());
    assert!(!directory.exists());
}

#[tokio::test]
async fn a_lab_that_is_dropped_leaves_nothing() {
    let lab = stubborn(&Progress::stderr()).await;
    let directory = lab.slot().directory().to_owned();
    drop(lab);
    assert!(members(&directory).is_empty());
    assert!(!directory.exists());
}

#[tokio::test]
async fn a_failed_lab_keeps_its_logs_and_nothing_else() {
    let lab = stubborn(&Progress::stderr()).await;
    let directory = lab.slot().directory().to_owned();
    fs::write(directory.join("stubborn/data"), "data").unwrap();
    let kept = lab.fail().await.unwrap();
    assert!(members(&directory).is_empty());
    assert!(!directory.exists());
    assert_eq!(fs::read_to_string(kept.join("stubborn/stubborn.log")).unwrap(), "started\n");
    assert!(!kept.join("stubborn/data").exists());
    fs::remove_dir_all(kept).unwrap();
}

#[tokio::test]
async fn a_lab_whose_program_is_interrupted_leaves_nothing() {
    let mut up = Up::start();
    up.wait_up();
    assert!(up.end(Signal::INT), "an interactive lab ends well at Ctrl-C");
    assert!(members(&up.directory).is_empty());
    assert!(!up.directory.exists());
}

#[tokio::test]
async fn a_lab_whose_program_is_killed_leaves_nothing_not_even_what_is_frozen() {
    let mut up = Up::start();
    up.wait_up();
    let members = members(&up.directory);
    assert!(members.len() >= 4, "mariadbd, ZooKeeper, agent and proxy: {members:?}");
    for member in members {
        send(member, Signal::STOP);
    }
    up.end(Signal::KILL);
    wait_gone(&up.directory).await;
}

#[tokio::test]
async fn a_lab_whose_program_is_killed_while_it_comes_up_leaves_nothing() {
    let mut up = Up::start();
    let some = async || (!members(&up.directory).is_empty()).then_some(());
    wait_until(DEADLINE, "a process of the lab runs", some).await.unwrap();
    up.end(Signal::KILL);
    wait_gone(&up.directory).await;
}

#[tokio::test]
async fn what_a_lab_leaves_that_is_killed_with_its_keeper_is_cleared_by_the_next() {
    let mut up = Up::start();
    up.wait_up();
    let keepers = keepers(&up.directory);
    keepers.iter().for_each(|keeper| send(*keeper, Signal::KILL));
    up.end(Signal::KILL);
    // Until then the slot is held, and the next lab passes it over.
    wait_ended(&keepers).await;
    Lab::builder().start(&Progress::stderr()).await.unwrap().shutdown().await.unwrap();
    wait_gone(&up.directory).await;
}

#[tokio::test]
async fn labs_side_by_side_have_addresses_of_their_own() {
    let progress = Progress::stderr();
    let build = || Lab::builder().zookeeper(1).start(&progress);
    let (one, other) = tokio::try_join!(build(), build()).unwrap();
    assert_ne!(one.slot().number(), other.slot().number());
    assert_ne!(one.zookeeper(), other.zookeeper());
    one.zookeepers()[0].kill().await.unwrap();
    assert_eq!(other.zookeepers()[0].mode().await.unwrap(), "standalone");
}

#[tokio::test]
async fn a_process_is_killed_frozen_and_started_again() {
    let lab = Lab::builder().zookeeper(1).start(&Progress::stderr()).await.unwrap();
    let server = &lab.zookeepers()[0];
    server.freeze().await.unwrap();
    let silent = tokio::time::timeout(Duration::from_millis(300), server.mode()).await;
    assert!(silent.is_err(), "a frozen process answers nothing");
    server.thaw().unwrap();
    server.wait_ready().await.unwrap();
    server.kill().await.unwrap();
    assert_eq!(server.pid(), None);
    server.start().await.unwrap();
    server.wait_ready().await.unwrap();
    assert!(server.stop().await.is_ok());
}
