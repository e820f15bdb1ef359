//! Scenario `drain-race`: sessions start a statement at the very moment they are asked whether they are idle, 10,000 times
//! in the clear and 10,000 times under TLS. A statement that reached the server is answered, whatever else happens.

use std::collections::HashSet;
use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, SslOpts};
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use super::{Scenario, in_lab};
use crate::candidates::Candidates;
use crate::certs::Certificates;
use crate::client::options;
use crate::galera::{APP, Node};
use crate::lab::Lab;
use crate::progress::Progress;
use crate::report::Report;
use crate::wait::wait_until;

/// Sessions of each change of the primary.
const SESSIONS: usize = 200;
/// Changes of the primary, for each of the two ways.
const CHANGES: usize = 50;
/// Statements start within this time after the change was ordered; the question is asked some milliseconds after it.
const WINDOW: Duration = Duration::from_millis(40);
/// A change is seen by the proxy within milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) const SCENARIO: Scenario = Scenario {
    name: "drain-race",
    about: "10,000 sessions start a statement while they are asked whether they are idle, with and without TLS",
    run: |progress| Box::pin(run(progress)),
};

async fn run(progress: Progress) -> Result<Report> {
    let builder = Lab::builder().galera(2).zookeeper(1).proxies(1);
    in_lab(builder, &progress, async |lab, report| race(lab, report).await).await
}

async fn race(lab: &Lab, report: &mut Report) -> Result<()> {
    let node = lab.nodes().first().context("no node")?;
    enable_tls(lab).await?;
    node.execute("CREATE TABLE app.race (id BIGINT PRIMARY KEY)").await?;
    let seed = fastrand::u64(..);
    lab.progress().say(format_args!("the seed is {seed}"));
    let mut course = Course::enter(lab, seed).await?;
    for (name, tls) in [("plain", false), ("tls", true)] {
        let book = course.run(tls).await?;
        let written = written(node).await?;
        let cut = book.unanswered.iter().filter(|id| written.contains(id)).count();
        let lost = book.answered.iter().filter(|id| !written.contains(id)).count();
        report.count(&format!("races_{name}"), book.answered.len() + book.unanswered.len());
        let never_close = || "the race was never close: every statement had the same fate".to_owned();
        report.at_least(&format!("answered_{name}"), book.answered.len(), 1).because(never_close);
        report.at_least(&format!("ended_before_{name}"), book.unanswered.len(), 1).because(never_close);
        let cut_at_work = || "statements were carried out but not answered".to_owned();
        report.none(&format!("cut_{name}"), cut).because(cut_at_work);
        report.none(&format!("lost_{name}"), lost).because(|| "acknowledged rows are missing".to_owned());
    }
    Ok(())
}

/// The certificates hold addresses, which are known only once the lab is there.
async fn enable_tls(lab: &Lab) -> Result<()> {
    let names: Vec<_> = lab.nodes().iter().map(|node| node.address().ip().to_string()).collect();
    let certificates = Certificates::create(&lab.slot().directory().join("tls"), &names)?;
    for node in lab.nodes() {
        let mut file = fs::OpenOptions::new().append(true).open(node.directory().join("my.cnf"))?;
        for (name, value) in certificates.server_options() {
            writeln!(file, "{name}={}", value.display())?;
        }
        // State transfers would want stunnel as soon as there is a certificate.
        writeln!(file, "[sst]\nssl-mode=DISABLED")?;
        node.stop().await?;
        node.start().await?;
        node.wait_ready(lab.nodes().len()).await?;
    }
    Ok(())
}

/// What became of the statements.
#[derive(Default)]
struct Book {
    answered: Vec<u64>,
    unanswered: Vec<u64>,
}

/// Two servers that lead by turns.
struct Course<'a> {
    lab: &'a Lab,
    candidates: Candidates,
    leading: String,
    turn: usize,
    next_id: u64,
    random: fastrand::Rng,
}

impl<'a> Course<'a> {
    async fn enter(lab: &'a Lab, seed: u64) -> Result<Self> {
        let candidates = Candidates::connect(&lab.zookeeper()).await?;
        let (leading, _) = candidates.register(lab.nodes()[0].address().to_string().as_bytes()).await?;
        let random = fastrand::Rng::with_seed(seed);
        Ok(Self { lab, candidates, leading, turn: 0, next_id: 1, random })
    }

    async fn run(&mut self, tls: bool) -> Result<Book> {
        let mut book = Book::default();
        for change in 0..CHANGES {
            self.change(tls, &mut book).await?;
            if change % 10 == 9 {
                let (answered, ended) = (book.answered.len(), book.unanswered.len());
                let name = if tls { "TLS" } else { "plain" };
                self.lab
                    .progress()
                    .say(format_args!("{name}: {answered} answered, {ended} ended before they began"));
            }
        }
        Ok(book)
    }

    /// Opens the sessions, orders the change, lets each start its statement at a moment of its own.
    async fn change(&mut self, tls: bool, book: &mut Book) -> Result<()> {
        self.wait_route().await?;
        let proxy = self.lab.proxies()[0].address();
        let mut sessions = Vec::new();
        for _ in 0..SESSIONS {
            sessions.push(open(proxy, tls).await.context("cannot connect through the proxy")?);
        }
        self.turn = 1 - self.turn;
        let target = self.lab.nodes()[self.turn].address().to_string();
        let (next, _) = self.candidates.register(target.as_bytes()).await?;
        let ordered = Instant::now();
        let mut racers = JoinSet::new();
        for session in sessions {
            let at = ordered + WINDOW.mul_f64(self.random.f64());
            racers.spawn(start(session, self.next_id, at));
            self.next_id += 1;
        }
        self.candidates.withdraw(&std::mem::replace(&mut self.leading, next)).await?;
        while let Some(done) = racers.join_next().await {
            let (id, answered) = done?;
            if answered { book.answered.push(id) } else { book.unanswered.push(id) }
        }
        Ok(())
    }

    async fn wait_route(&self) -> Result<()> {
        let target = self.lab.nodes()[self.turn].address().to_string();
        let proxy = &self.lab.proxies()[0];
        let leads = async || proxy.status().await.ok()?.route.filter(|route| route.upstream == target);
        wait_until(PATIENCE, &format!("the proxy leads to {target}"), leads).await.map(drop)
    }
}

async fn open(proxy: SocketAddr, tls: bool) -> mysql_async::Result<Conn> {
    let secure = SslOpts::default().with_danger_accept_invalid_certs(true);
    let options = options(proxy, APP, APP).db_name(Some(APP)).ssl_opts(tls.then_some(secure));
    Conn::new(options).await
}

/// Whether the statement was answered.
async fn start(mut session: Conn, id: u64, at: Instant) -> (u64, bool) {
    sleep_until(at.into()).await;
    let answered = session.query_drop(format!("INSERT INTO race VALUES ({id})")).await.is_ok();
    // Whether the end is clean does not matter any more.
    let _ = session.disconnect().await;
    (id, answered)
}

async fn written(node: &Node) -> Result<HashSet<u64>> {
    let mut conn = crate::client::connect(node.address(), APP, APP).await?;
    conn.query_drop("SET SESSION wsrep_sync_wait=1").await?;
    Ok(conn.query::<u64, _>("SELECT id FROM app.race").await?.into_iter().collect())
}
