//! The registrar against a ZooKeeper in memory: what it does when replies, sessions and znodes are lost.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

mod beside;
mod fake;
mod fit;
mod leaving;
mod lost;
mod rig;
