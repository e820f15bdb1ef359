//! Owns running the legs of a case: one of every engine a round, in an order drawn anew for each.

use anyhow::{Context, Result};

use super::engine::Engine;
use super::figures::Figures;
use super::meter::Meter;
use super::rounds::{Case, Round};
use super::stage::Stage;

/// Seconds of a leg that warms up.
const WARM_UP: u64 = 2;

/// One engine's turn in a round.
pub(super) struct Leg<'a> {
    pub(super) engine: &'a Engine,
    /// Its own within the benchmark; good for a file's name.
    pub(super) name: String,
    /// How long it is to last, where its length is a time.
    pub(super) seconds: u64,
}

/// What a leg did.
pub(super) struct Work {
    /// Queries, megabytes, connections.
    pub(super) units: f64,
    pub(super) figures: Figures,
}

/// Measures a case: a round to warm up, then those that count.
pub(super) async fn case(
    stage: &Stage<'_>,
    name: &str,
    mut work: impl AsyncFnMut(&Leg<'_>) -> Result<Work>,
) -> Result<Case> {
    let mut random = fastrand::Rng::with_seed(stage.options.seed);
    let mut rounds = Vec::new();
    for number in 0..=stage.options.rounds {
        let mut order: Vec<_> = stage.engines.iter().collect();
        random.shuffle(&mut order);
        let mut legs = Vec::new();
        for engine in order {
            let seconds =
                if number == 0 { stage.options.seconds.min(WARM_UP) } else { stage.options.seconds };
            let leg_name = format!("{}-{number}-{}", name.replace(' ', "-"), engine.name);
            let leg = Leg { engine, name: leg_name, seconds };
            let figures = measure(stage, &leg, &mut work).await;
            legs.push((engine.name.to_owned(), figures.with_context(|| format!("{name}, {}", engine.name))?));
        }
        let said: Vec<_> = legs.iter().map(|(engine, figures)| shown(engine, figures)).collect();
        let round = if number == 0 { "warm-up".to_owned() } else { format!("round {number}") };
        stage.lab.progress().say(format_args!("{name}, {round}: {}", said.join(", ")));
        if number > 0 {
            rounds.push(Round::of(legs));
        }
    }
    Ok(Case { name: name.to_owned(), rounds })
}

async fn measure(
    stage: &Stage<'_>,
    leg: &Leg<'_>,
    work: &mut impl AsyncFnMut(&Leg<'_>) -> Result<Work>,
) -> Result<Figures> {
    let meter = Meter::start(stage, leg.engine, &leg.name).await?;
    let Work { units, mut figures } = work(leg).await?;
    meter.finish(units, &mut figures).await?;
    Ok(figures)
}

fn shown(engine: &str, figures: &Figures) -> String {
    let rate = figures.get(super::figures::PER_SECOND).copied().unwrap_or_default();
    format!("{engine} {rate:.0}/s")
}
