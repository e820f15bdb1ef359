//! Scenario `stale-follower`: one proxy sees only a ZooKeeper server that is cut off from the others, and the primary
//! changes. It says that its view is old; and once it has seen a newer primary, it never leads to the older one again,
//! not even when it is led back to a server that lags.

mod links;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use self::links::Links;
use super::scene::{self, PATIENCE};
use super::{Scenario, in_lab};
use crate::daemon::{self, Daemons, Proxy};
use crate::forwarder::Forwarder;
use crate::lab::Lab;
use crate::load::{Newcomers, Visit};
use crate::progress::{Progress, shown};
use crate::report::Report;
use crate::status::Route;
use crate::wait::wait_until;

/// The session timeout of everybody here.
const SESSION: Duration = Duration::from_secs(2);
/// When the proxy has to have said that its view is old: its last look may have been a third of the timeout before the
/// cut, and what it says is looked at now and then.
const NOT_READY: Duration = Duration::from_secs(3);
/// How long a proxy is watched that was led back to the server that lags, which answers for 5 s after the cut.
const WATCHED: Duration = Duration::from_secs(8);
/// Clients that come and go on the proxy.
const NEWCOMERS: usize = 4;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "stale-follower",
    about: "a proxy whose ZooKeeper server is cut off is not ready, and never goes back to an older primary",
    run: |progress| Box::pin(run(progress)),
};

async fn run(progress: Progress) -> Result<Report> {
    let builder = scene::builder().proxies(1).session_timeout(SESSION);
    in_lab(builder, &progress, async |lab, report| stale(lab, report).await).await
}

async fn stale(lab: &Lab, report: &mut Report) -> Result<()> {
    let links = Links::lay(lab).await?;
    let door = SocketAddr::from((lab.slot().other(2), 2181));
    let servers = [client_address(lab, 0)?, client_address(lab, 1)?];
    let door_to = Forwarder::start(door, servers[0]).await?;
    let proxy = proxy_behind(lab, door).await?;
    let newcomers = Newcomers::start(&[proxy.address()], NEWCOMERS);
    let mut course = Course { lab, proxy, links, door: door_to, servers };

    let first = course.route_after(0).await?;
    let second = course.change_unseen(&first, report).await?;
    let saw_second = Instant::now();
    course.rejoin(&first).await?;
    let third = course.change_seen(&second).await?;
    let saw_third = Instant::now();
    course.lead_back(&third, report).await?;

    let visits = newcomers.stop().await?;
    let later = reached(lab, &visits, &first, saw_second) + reached(lab, &visits, &second, saw_third);
    report.count("new_connections", visits.len());
    let replaced = || "they were opened to a primary known to be replaced".to_owned();
    report.none("sessions_to_an_older_epoch", later).because(replaced);
    Ok(())
}

struct Course<'a> {
    lab: &'a Lab,
    proxy: Proxy,
    links: Links,
    /// Between the proxy and ZooKeeper.
    door: Forwarder,
    /// The server that is cut off, and another.
    servers: [SocketAddr; 2],
}

impl Course<'_> {
    async fn route_after(&self, epoch: i64) -> Result<Route> {
        let route = async || self.proxy.status().await.ok()?.route.filter(|route| route.epoch > epoch);
        let what = format!("{} has a route after epoch {epoch}", self.proxy.name());
        Ok(wait_until(PATIENCE, &what, route).await?.0)
    }

    /// The primary changes behind the proxy's back. Returns the new one, when the proxy has been let see it.
    async fn change_unseen(&mut self, first: &Route, report: &mut Report) -> Result<Route> {
        let (say, cut) = (self.lab.progress(), Instant::now());
        self.links.cut();
        self.step_down(first).await?;
        let (second, _) = self.lab.agreed_route(first.epoch, PATIENCE).await?;
        say.say(format_args!("{} leads now; one proxy cannot know", second.upstream));
        let unready = async || self.proxy.status().await.ok().filter(|status| !status.ready);
        let (status, _) = wait_until(PATIENCE, "the proxy is not ready any more", unready).await?;
        let took = cut.elapsed();
        say.say(format_args!("that proxy says that it is not ready {} after the cut", shown(took)));
        report.at_most("not_ready_ms", took, NOT_READY);
        report.check(status.route.as_ref() == Some(first), || {
            format!("cut off, it leads to {:?} instead of the primary that it knows", status.route)
        });
        let led = Instant::now();
        self.door.lead_to(self.servers[1]);
        let seen = self.route_after(first.epoch).await?;
        report.millis("followed_ms", led.elapsed());
        report.check(seen == second, || format!("it follows {seen:?} instead of {second:?}"));
        say.say(format_args!("with another server it follows after {}", shown(led.elapsed())));
        Ok(second)
    }

    /// All servers are together again, and so are all candidates.
    async fn rejoin(&self, first: &Route) -> Result<()> {
        self.links.heal();
        let follows = async || self.lab.zookeepers()[0].mode().await.ok().filter(|mode| mode == "follower");
        wait_until(PATIENCE, "the server that was cut off follows again", follows).await?;
        let index = self.lab.node_at(&first.upstream).context("the first primary is no node")?;
        self.lab.agents()[index].start().await?;
        scene::followed(self.lab, self.lab.nodes().len()).await
    }

    /// The primary changes before the proxy's eyes; the server that is cut off does not know.
    async fn change_seen(&self, second: &Route) -> Result<Route> {
        self.links.cut();
        self.step_down(second).await?;
        self.route_after(second.epoch).await
    }

    /// The proxy finds only the server that lags.
    async fn lead_back(&self, third: &Route, report: &mut Report) -> Result<()> {
        self.door.lead_to(self.servers[0]);
        self.lab.progress().say("the proxy is led back to the server that does not know the primary");
        let (start, mut older) = (Instant::now(), 0);
        while start.elapsed() < WATCHED {
            let route = self.proxy.status().await?.route;
            older += usize::from(route.is_some_and(|route| route.epoch < third.epoch));
            tokio::time::sleep(SESSION / 100).await;
        }
        report.none("looks_at_an_older_route", older).because(|| "it went back to an older epoch".to_owned());
        self.links.heal();
        let ready = async || self.proxy.status().await.ok().filter(|status| status.ready);
        let (status, _) = wait_until(PATIENCE, "the proxy is ready again", ready).await?;
        report.check(status.route.as_ref() == Some(third), || {
            format!("healed, it leads to {:?} instead of {third:?}", status.route)
        });
        Ok(())
    }

    async fn step_down(&self, route: &Route) -> Result<()> {
        let index = self.lab.node_at(&route.upstream).context("the primary is no node of the lab")?;
        self.lab.agents()[index].stop().await.map(drop)
    }
}

/// Visits that began after `since` and reached the server of `route`.
fn reached(lab: &Lab, visits: &[Visit], route: &Route, since: Instant) -> usize {
    let name = lab.node_at(&route.upstream).map_or("", |index| lab.nodes()[index].name());
    visits
        .iter()
        .filter(|visit| visit.began > since && visit.outcome.as_deref().is_ok_and(|n| n == name))
        .count()
}

fn client_address(lab: &Lab, server: usize) -> Result<SocketAddr> {
    Ok(lab.zookeepers()[server].connect_string().parse()?)
}

async fn proxy_behind(lab: &Lab, door: SocketAddr) -> Result<Proxy> {
    let daemons = Daemons {
        program: daemon::program()?,
        zookeeper: door.to_string(),
        session_timeout: SESSION,
        monitor: true,
        agent: Vec::new(),
        proxy: Vec::new(),
    };
    let proxy = Proxy::new(lab.slot(), lab.proxies().len(), &daemons)?;
    proxy.start().await?;
    proxy.wait_ready().await?;
    lab.progress().say(format_args!("{} sees one ZooKeeper server only", proxy.name()));
    Ok(proxy)
}
