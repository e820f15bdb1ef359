//! Owns what is measured around a leg, whatever its load: CPU, instructions, memory.

use std::time::Duration;

use anyhow::Result;

use super::engine::Engine;
use super::figures::{CPU_US, Figures, KINSTR, PROXY_CPU_US, PSS_KB, RSS_KB};
use super::perf::Count;
use super::processes;
use super::stage::Stage;

/// The state at the start of a leg.
pub(super) struct Meter<'a> {
    stage: &'a Stage<'a>,
    engine: &'a Engine,
    count: Option<Count>,
    used: Used,
}

#[derive(Clone, Copy)]
struct Used {
    proxy: Duration,
    all: Duration,
}

impl<'a> Meter<'a> {
    /// Starts measuring; `name` is the leg's.
    pub(super) async fn start(stage: &'a Stage<'a>, engine: &'a Engine, name: &str) -> Result<Self> {
        let count = if stage.counts { Some(Count::start(stage.lab, name).await?) } else { None };
        Ok(Self { stage, engine, count, used: Used::now(stage, engine) })
    }

    /// Adds what was used to the figures of a leg that did so many units of work.
    #[expect(clippy::cast_precision_loss, reason = "kilobytes far below 2^52")]
    pub(super) async fn finish(self, units: f64, figures: &mut Figures) -> Result<()> {
        let used = Used::now(self.stage, self.engine);
        let each =
            |after: Duration, before: Duration| after.saturating_sub(before).as_secs_f64() * 1e6 / units;
        figures.insert(CPU_US, each(used.all, self.used.all));
        if let Some(count) = self.count {
            figures.insert(KINSTR, count.finish().await? / 1000.0 / units);
        }
        if let Some(memory) = self.engine.memory()? {
            figures.insert(PROXY_CPU_US, each(used.proxy, self.used.proxy));
            figures.insert(PSS_KB, memory.pss as f64);
            figures.insert(RSS_KB, memory.rss as f64);
        }
        Ok(())
    }
}

impl Used {
    fn now(stage: &Stage<'_>, engine: &Engine) -> Self {
        let proxy = engine.cpu();
        let server = stage.server_pid().map(processes::cpu_of_group).unwrap_or_default();
        Self { proxy, all: proxy + server + processes::cpu_of_clients() }
    }
}
