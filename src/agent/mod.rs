//! `capitana agent`: checks the local server (`monitor`), holds its znode while it is fit to lead (`registrant`), and fences
//! it while it is cut off from ZooKeeper (`fence`).
//! This file puts the tasks together and ends them in order; what they decide is in `capitana_core`.

mod canary;
mod candidate;
mod connect;
mod fence;
mod identity;
mod learning;
mod metrics;
mod monitor;
mod notice;
mod operator;
mod poll;
mod registrant;
mod requests;
mod server;
mod service;
mod state;
mod status;
mod tuning;
mod view;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use prometheus::Registry;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::admin::AdminServer;
use crate::config::settings::AgentSettings;
use crate::config::{AgentConfig, ServerAddress};
use crate::error::Error;
use crate::live::{self, Keeper, Live};
use crate::registrar::{Heart, Registrar};
use crate::service::Service;
use crate::side::Side;
use crate::signals::{Signal, Signals};
use service::Teller;

pub use canary::{CanaryStatus, LastCommit};
pub use candidate::Candidate;
pub use connect::Remembering;
pub use fence::{FenceStatus, Fenced, Fencer, Followed};
pub use metrics::AgentMetrics;
pub use monitor::{Monitor, Watched};
pub use operator::{Operator, SteppedDown};
pub use registrant::AgentRegistrant;
pub use requests::Member;
pub use server::Server;
pub use status::{HealthStatus, LastCheck, Others, Registered, RegistrationStatus};
pub use tuning::Tuning;
pub use view::AgentView;
pub use wire::Pace;

/// How long ZooKeeper may take to confirm that the znode is deleted, once the agent is asked to stop. Without that
/// the znode goes with the session.
const STOP_LIMIT: Duration = Duration::from_secs(5);
/// How long name lookups that are still under way may hold up the end.
const THREADS_LIMIT: Duration = Duration::from_millis(100);

/// Runs the agent with these settings, which may change, until it is asked to stop.
///
/// # Errors
/// A setting is missing, a file or an address cannot be used, or the system refuses something ordinary.
pub fn run(live: Live<AgentSettings>) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| Error::System { doing: "cannot start a runtime", source })?;
    let ended = runtime.block_on(start_and_wait(live));
    runtime.shutdown_timeout(THREADS_LIMIT);
    ended
}

async fn start_and_wait(mut live: Live<AgentSettings>) -> Result<(), Error> {
    let mut signals =
        Signals::new().map_err(|source| Error::System { doing: "cannot handle signals", source })?;
    let registry = Registry::new();
    let metrics = AgentMetrics::register(&registry).map_err(|e| Error::Internal(e.to_string()))?;
    live.register_log(&registry)?;
    let service = Service::from_environment();
    let agent = Agent::start(&mut live, metrics, &registry, service).await?;
    let config = live.config();
    tracing::info!(
        server = %server_name(&config.server),
        advertise = %config.advertise,
        election = config.common.election_path,
        admin = %config.common.admin_listen,
        "agent started"
    );
    agent.until_stopped(&mut signals, &mut Keeper::new(live, service)).await
}

/// The running agent.
struct Agent {
    monitor: JoinHandle<()>,
    registrar: JoinHandle<()>,
    fencer: JoinHandle<()>,
    side: Option<Side>,
    metrics: Arc<AgentMetrics>,
    stop: CancellationToken,
}

impl Agent {
    async fn start(
        live: &mut Live<AgentSettings>,
        metrics: AgentMetrics,
        registry: &Registry,
        service: Service,
    ) -> Result<Self, Error> {
        let (follow, config) = (live.follow(), live.config());
        let (member, connector, learning) = identity::take(config).await?;
        let (metrics, stop) = (Arc::new(metrics), CancellationToken::new());
        let (fence, fenced) = watch::channel(FenceStatus::default());
        let (tune, tuning) = watch::channel(Tuning::of(config));
        let (monitor, health) =
            Monitor::new(tuning.clone(), fenced.clone(), learning.learnt(), Arc::clone(&metrics));
        let (word, stepped_down) = watch::channel(None);
        let candidate =
            Candidate { health, stepped_down, stop: stop.clone(), tuning: tuning.clone(), fence: fenced };
        let (heart, lease) = Heart::new();
        let (registrant, registration) =
            AgentRegistrant::new(member, candidate.clone(), learning.others(), Arc::clone(&metrics));
        let session_timeout = config.common.zookeeper_session_timeout;
        let registrar = Registrar::new(registrant, heart, metrics.link.clone(), session_timeout, seed());
        let followed = Followed {
            lease: lease.clone(),
            registration: registration.clone(),
            health: candidate.health.clone(),
            tuning,
        };
        let fencer = Fencer::new(config, Server::new(config)?, followed, fence, Arc::clone(&metrics));
        let teller = Teller::new(candidate.clone(), registration.clone());
        let watched = Watched {
            server: Server::new(config)?,
            seed: seed(),
            node: config.common.node_name.clone(),
            registration: registration.clone(),
        };
        let (addresses, side) = (vec![config.advertise.to_string()], metrics.side.clone());
        let (side, side_view) = Side::join(&config.common, "agent", addresses, side, follow).unzip();
        tokio::spawn(learning.run(config.galera, candidate.health.clone(), registration.clone()));
        let view = AgentView {
            node: config.common.node_name.clone(),
            server: server_name(&config.server),
            advertise: config.advertise.clone(),
            operator: Operator::new(word, candidate.clone(), registration.clone(), Arc::clone(&metrics))
                .into(),
            candidate,
            registration,
            lease,
            side: side_view,
            config: live.status(),
        };
        serve(view, config, registry).await?;
        tokio::spawn(teller.run(service));
        live.applied_by(retune(tune));
        Ok(Self {
            monitor: tokio::spawn(monitor.run(watched)),
            registrar: tokio::spawn(registrar.run(connector)),
            fencer: tokio::spawn(fencer.run()),
            side,
            metrics,
            stop,
        })
    }

    /// The znode goes first, then the sessions, then the process.
    async fn until_stopped(
        mut self,
        signals: &mut Signals,
        settings: &mut Keeper<AgentSettings>,
    ) -> Result<(), Error> {
        let mut give_up_at = Instant::now();
        loop {
            let stopping = self.stop.is_cancelled();
            tokio::select! {
                ended = &mut self.registrar => match ended {
                    Ok(()) if stopping => break,
                    _ => return Err(Error::Internal("the registrar ended".to_owned())),
                },
                _ = &mut self.monitor => return Err(Error::Internal("the monitor ended".to_owned())),
                _ = &mut self.fencer => return Err(Error::Internal("the fencer ended".to_owned())),
                signal = signals.next() => match signal {
                    Signal::Reload => settings.reload(),
                    Signal::Stop if stopping => break,
                    Signal::Stop => {
                        give_up_at = Instant::now() + STOP_LIMIT;
                        self.step_down();
                    }
                },
                error = settings.keep() => return Err(error),
                () = sleep_until(give_up_at), if stopping => {
                    tracing::warn!("ZooKeeper has not confirmed the withdrawal: the znode goes with its session");
                    break;
                }
            }
        }
        if let Some(side) = self.side {
            side.end().await;
        }
        tracing::info!("agent stopped");
        Ok(())
    }

    fn step_down(&self) {
        tracing::info!("stopping: stepping down");
        self.metrics.step_down(metrics::STOPPED);
        self.stop.cancel();
    }
}

/// Has the agent's tasks follow the settings.
fn retune(tuning: watch::Sender<Tuning>) -> impl Fn(&AgentConfig) + Send {
    move |config| {
        tuning.send_replace(Tuning::of(config));
    }
}

/// Answers on the admin endpoint to the end: nothing needs to wait for it.
async fn serve(view: AgentView, config: &AgentConfig, registry: &Registry) -> Result<(), Error> {
    metrics::register_lease(registry, view.lease.clone()).map_err(|e| Error::Internal(e.to_string()))?;
    live::metrics::register(registry, &view.config).map_err(|e| Error::Internal(e.to_string()))?;
    let admin = AdminServer::bind(config.common.admin_listen, registry.clone(), Arc::new(view)).await?;
    tokio::spawn(admin.serve(CancellationToken::new()));
    Ok(())
}

/// Differs between processes and between calls.
fn seed() -> u64 {
    Uuid::new_v4().as_u64_pair().0
}

/// The server's address, for people.
#[must_use]
pub fn server_name(server: &ServerAddress) -> String {
    match server {
        ServerAddress::Tcp(address) => address.to_string(),
        ServerAddress::Unix(path) => path.display().to_string(),
    }
}
