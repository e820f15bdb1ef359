//! Workers, their locks and their guards, on real hosts of a lab: the fast forms of their scenarios, and what `docs/workers.md`
//! says to try. How long a failover takes is for `lab scenario`, on a machine that does nothing else.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic, in its helpers too")]

mod quick;

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use capitana_lab::{Lab, Process, Progress, program, venv, wait_until};
use quick::{passes, passes_but_for};
use zookeeper_client::{Acls, Client, CreateMode};

const PATIENCE: Duration = Duration::from_secs(60);
const PAGE: &str = include_str!("../../../docs/workers.md");
const HOLDER: &str = "\
import sys
from kazoo.client import KazooClient
zk = KazooClient(hosts=sys.argv[1], timeout=4)
zk.start()
zk.create('/leader', b'kazoo', ephemeral=True)
print('held', flush=True)
sys.stdin.readline()
zk.stop()
";

#[test]
fn never_do_two_run_whatever_happens_to_the_host_of_the_first() {
    passes_but_for("worker-failover", &["next_runs"]);
}

#[test]
fn a_worker_that_was_frozen_in_a_transaction_commits_nothing_when_another_has_its_turn() {
    passes("worker-fencing");
}

#[test]
fn one_of_many_is_told_when_the_first_leaves() {
    passes("worker-herd");
}

#[test]
fn an_address_is_on_one_host_and_moves() {
    passes_but_for("vip", &["moved_when", "keepalived_moved", "neighbours_told"]);
}

async fn lab() -> Lab {
    Lab::builder().zookeeper(1).start(&Progress::stderr()).await.unwrap()
}

fn worker(lab: &Lab, name: &str, arguments: &[&str]) -> Process {
    let (zookeeper, arguments) =
        (lab.zookeeper(), arguments.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>());
    let recipe = move || {
        let mut command = Command::new(program()?);
        command
            .args(["worker", "--zookeeper", &zookeeper, "--zookeeper-session-timeout", "2s"])
            .args(&arguments);
        Ok(command)
    };
    lab.process(name, recipe).unwrap()
}

/// The blocks below "Try it", as a reader's shell runs them.
fn examples() -> Vec<String> {
    let (_, behind) = PAGE.split_once("\n## Try it\n").unwrap();
    behind.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap().to_owned()).collect()
}

fn shell(lab: &Lab, script: &str) -> Command {
    let directory = program().unwrap().parent().unwrap().display().to_string();
    let mut command = Command::new("sh");
    command.args(["-c", script]).env("ZOOKEEPER", lab.zookeeper());
    command.env("PATH", format!("{directory}:{}", std::env::var("PATH").unwrap()));
    command
}

#[tokio::test]
async fn the_page_can_be_tried_as_it_stands() {
    let lab = lab().await;
    let [line, once] = &examples()[..] else { panic!("two examples") };
    let [one, two] = line.lines().collect::<Vec<_>>()[..] else { panic!("two lines") };
    let start = |name: &str, line: &str| {
        let (zookeeper, line) = (lab.zookeeper(), format!("exec {line}"));
        let directory = program().unwrap().parent().unwrap().display().to_string();
        lab.process(name, move || {
            let mut command = Command::new("sh");
            command.args(["-c", &line]).env("ZOOKEEPER", &zookeeper);
            command.env("PATH", format!("{directory}:{}", std::env::var("PATH")?));
            Ok(command)
        })
    };
    let (one, two) = (start("one", one).unwrap(), start("two", two).unwrap());
    one.start().await.unwrap();
    one.wait_said("one has token ", PATIENCE).await.unwrap();
    two.start().await.unwrap();
    two.wait_said("in line", PATIENCE).await.unwrap();
    assert!(!two.log_tail(100).contains("two has token "), "two run at once");
    assert!(one.stop().await.unwrap().success());
    two.wait_said("two has token ", PATIENCE).await.unwrap();
    let Output { stdout, .. } = shell(&lab, once).stderr(Stdio::null()).output().unwrap();
    assert_eq!(String::from_utf8(stdout).unwrap(), "job done\nstatus 3\n");
    lab.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_lock_is_shared_with_a_program_of_kazoo() {
    let lab = lab().await;
    let python = venv::python(&Progress::stderr()).await.unwrap();
    let mut holder = Command::new(python);
    holder.args(["-c", HOLDER, &lab.zookeeper()]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut holder = holder.spawn().unwrap();
    let mut said = [0; 4];
    std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut said).unwrap();
    let worker = worker(
        &lab,
        "locked",
        &["--name", "locked", "--lock", "/leader", "--", "sh", "-c", "echo runs; exec sleep 60"],
    );
    worker.start().await.unwrap();
    worker.wait_said("the link to ZooKeeper is up", PATIENCE).await.unwrap();
    assert!(!worker.log_tail(100).lines().any(|line| line == "runs"));
    drop(holder.stdin.take());
    worker.wait_said("runs", PATIENCE).await.unwrap();
    holder.wait().unwrap();
    let client = Client::connect(&lab.zookeeper()).await.unwrap();
    let mode = CreateMode::Ephemeral.with_acls(Acls::anyone_all());
    assert!(client.create("/leader", b"another", &mode).await.is_err(), "the lock is taken");
    worker.stop().await.unwrap();
    client.create("/leader", b"another", &mode).await.unwrap();
    lab.shutdown().await.unwrap();
}

#[tokio::test]
async fn who_does_not_want_to_wait_is_told_that_another_runs() {
    let lab = lab().await;
    for (place, wait) in [(&["--name", "cron"][..], "1s"), (&["--name", "locked", "--lock", "/leader"], "0s")]
    {
        let once = |wait: &[&'static str], script| {
            let shell = ["--", "sh", "-c", script];
            [place, &["--once"], wait, &shell].concat()
        };
        let holder = worker(&lab, &format!("holder-{wait}"), &once(&[], "echo runs; exec sleep 60"));
        holder.start().await.unwrap();
        holder.wait_said("runs", PATIENCE).await.unwrap();
        let second = worker(&lab, &format!("second-{wait}"), &once(&["--wait", wait], "echo runs too"));
        second.start().await.unwrap();
        assert_eq!(second.wait_exit(PATIENCE).await.unwrap().code(), Some(75));
        let log = second.log_tail(100);
        assert!(log.contains(&format!("its turn has not come within {wait}")), "{log}");
        assert!(!log.contains("runs too"), "{log}");
    }
    lab.shutdown().await.unwrap();
}

#[tokio::test]
async fn who_does_not_want_to_wait_runs_where_nobody_else_does() {
    let lab = lab().await;
    for place in [&["--name", "cron"][..], &["--name", "locked", "--lock", "/leader"]] {
        let arguments = [place, &["--once", "--wait", "0s", "--", "sh", "-c", "echo runs"]].concat();
        let worker = worker(&lab, place[1], &arguments);
        worker.start().await.unwrap();
        let ended = worker.wait_exit(PATIENCE).await.unwrap();
        assert!(ended.success(), "{}", worker.log_tail(20));
        assert!(worker.log_tail(100).lines().any(|line| line == "runs"));
    }
    lab.shutdown().await.unwrap();
}

#[tokio::test]
async fn who_does_not_want_to_wait_gives_a_zookeeper_that_does_not_answer_a_session_timeout_and_no_more() {
    let lab = lab().await;
    let zookeeper = &lab.zookeepers()[0];
    zookeeper.freeze().await.unwrap();
    for name in ["silent", "refused"] {
        if name == "refused" {
            zookeeper.kill().await.unwrap();
        }
        let worker = worker(&lab, name, &["--name", "cron", "--once", "--wait", "0s", "--", "true"]);
        worker.start().await.unwrap();
        assert_eq!(worker.wait_exit(PATIENCE).await.unwrap().code(), Some(75));
        let log = worker.log_tail(20);
        assert!(log.contains("its turn has not come within 2s"), "{log}");
    }
    lab.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_command_gets_the_signals_that_are_meant_for_it_and_leaves_nothing_behind() {
    let lab = lab().await;
    let script = "trap 'echo reloaded' HUP; (setsid sh -c 'echo stray $$; exec sleep 600' &); echo runs; while :; do sleep 0.1; done";
    let worker = worker(&lab, "signals", &["--name", "signals", "--", "bash", "-c", script]);
    worker.start().await.unwrap();
    worker.wait_said("runs", PATIENCE).await.unwrap();
    worker.wait_said("stray", PATIENCE).await.unwrap();
    worker.signal(rustix::process::Signal::HUP).unwrap();
    worker.wait_said("reloaded", PATIENCE).await.unwrap();
    let log = worker.log_tail(100);
    let stray = log.lines().find_map(|line| line.strip_prefix("stray ")).unwrap();
    assert!(worker.stop().await.unwrap().success());
    assert!(!std::path::Path::new(&format!("/proc/{stray}")).exists(), "{stray} lives on");
    lab.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_command_that_is_asked_to_end_has_its_grace_and_not_only_what_is_left_of_the_lease() {
    let lab = lab().await;
    // More than the session timeout of 2 s: no single lease lasts for so long.
    let script = "trap 'sleep 3; echo finished; exit 0' TERM; echo runs; while :; do sleep 0.1; done";
    let worker =
        worker(&lab, "patient", &["--name", "patient", "--grace", "20s", "--", "bash", "-c", script]);
    worker.start().await.unwrap();
    worker.wait_said("runs", PATIENCE).await.unwrap();
    assert!(worker.stop().await.unwrap().success());
    assert!(worker.log_tail(100).lines().any(|line| line == "finished"), "{}", worker.log_tail(20));
    lab.shutdown().await.unwrap();
}

#[tokio::test]
async fn who_stood_still_while_its_command_was_ended_is_told_that_the_turn_was_lost() {
    let lab = lab().await;
    let worker = worker(
        &lab,
        "frozen",
        &["--name", "frozen", "--once", "--", "sh", "-c", "echo pid $$; exec sleep 60"],
    );
    worker.start().await.unwrap();
    worker.wait_said("pid ", PATIENCE).await.unwrap();
    let log = worker.log_tail(100);
    let pid = log.lines().find_map(|line| line.strip_prefix("pid ")).unwrap().to_owned();
    worker.freeze().await.unwrap();
    let ended = async || (!std::path::Path::new(&format!("/proc/{pid}")).exists()).then_some(());
    wait_until(PATIENCE, "its guard has ended the command", ended).await.unwrap();
    worker.thaw().unwrap();
    assert!(!worker.wait_exit(PATIENCE).await.unwrap().success());
    assert!(worker.log_tail(1).contains("its turn was lost"), "{}", worker.log_tail(10));
    lab.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_command_that_is_not_there_is_told_as_a_shell_tells_it() {
    let lab = lab().await;
    let worker = worker(&lab, "absent", &["--name", "absent", "--once", "--", "/nowhere/job"]);
    worker.start().await.unwrap();
    assert_eq!(worker.wait_exit(PATIENCE).await.unwrap().code(), Some(127));
    let log = worker.log_tail(100);
    assert!(log.contains("cannot start /nowhere/job: No such file or directory"), "{log}");
    lab.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_command_that_fails_again_and_again_is_another_hosts_turn() {
    let lab = lab().await;
    let bad = worker(
        &lab,
        "bad",
        &["--name", "jobs", "--give-up-after", "2", "--", "sh", "-c", "echo tries; exit 1"],
    );
    let good = worker(&lab, "good", &["--name", "jobs", "--", "sh", "-c", "echo runs; exec sleep 60"]);
    bad.start().await.unwrap();
    bad.wait_said("tries", PATIENCE).await.unwrap();
    good.start().await.unwrap();
    good.wait_said("runs", PATIENCE).await.unwrap();
    assert!(bad.log_tail(100).contains("the place is given up"), "{}", bad.log_tail(20));
    let again = async || (bad.log_tail(100).matches("in line").count() == 2).then_some(());
    wait_until(PATIENCE, "it stands in line anew", again).await.unwrap();
    lab.shutdown().await.unwrap();
}
