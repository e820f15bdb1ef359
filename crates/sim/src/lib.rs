//! Drives whole systems of agents, proxies, ZooKeeper and MariaDB through random faults, in one thread and simulated
//! time, and checks after each step what must always hold. Agents and proxies decide with the state machines of
//! `capitana_core`; the loops around them are those of `src/agent` and `src/proxy`, told again over a model. A seed is a
//! history: the same one always runs the same.

pub mod agent;
pub mod batch;
pub mod checks;
pub mod client;
pub mod context;
pub mod database;
pub mod faults;
pub mod plan;
pub mod proxy;
pub mod random;
pub mod reading;
pub mod rule;
pub mod world;
pub mod zookeeper;

use checks::{Checked, Violation};
use context::{MILLI, Micros, SECOND};
use rule::Broken;
use world::World;

/// What became of one run.
#[derive(Debug)]
pub struct Outcome {
    /// What was found to be wrong.
    pub failure: Option<Violation>,
    /// Events that happened.
    pub events: u64,
    /// How long after the last fault everything was as it should be.
    pub settled_after: Micros,
    /// What happened, line by line, if it was to be written down.
    pub trace: Vec<String>,
}

/// Runs one seed to its end. `broken`: the rule that is broken on purpose.
#[must_use]
pub fn run(seed: u64, broken: Option<Broken>, traced: bool) -> Outcome {
    let mut world = World::new(seed, broken, traced);
    let mut settled_after = 0;
    let failure = through(&mut world, &mut settled_after).err();
    if let Some(failure) = &failure {
        world.net.ctx.say(|| format!("WRONG: {failure}"));
    }
    Outcome { failure, events: world.events, settled_after, trace: world.net.ctx.into_trace() }
}

fn through(world: &mut World, settled_after: &mut Micros) -> Checked {
    let faults_end = world.plan.faults_end;
    world.run_until(faults_end)?;
    let bound = faults_end + bound(world);
    loop {
        world.run_until(world.net.ctx.now + 100 * MILLI)?;
        *settled_after = world.net.ctx.now - faults_end;
        match world.settled() {
            Ok(()) => return Ok(()),
            Err(missing) if world.net.ctx.now >= bound => {
                let seconds = (bound - faults_end) / SECOND;
                let found = format!("{seconds} s after the last fault: {}", missing.found);
                return Err(Violation { found, ..missing });
            }
            Err(_) => {}
        }
    }
}

/// Within this time after the last fault everything is as it should be. An ensemble finds a leader in about a second;
/// a session that was given up is over after 9/5 of its timeout, and ZooKeeper's own at most 2 later; two checks a
/// second apart must pass; a barrier that cannot be passed is waived after 8 s.
fn bound(world: &World) -> Micros {
    5 * world.plan.zookeeper.session_timeout + 10 * SECOND
}
