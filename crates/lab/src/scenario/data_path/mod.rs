//! Owns what the scenarios of the data path share: a proxy with a fixed primary, both ends of a session through it, and
//! what the kernel says of a proxy. No election takes part in them.

mod fixed;
pub(super) mod kernel;
mod pairs;

pub(super) use fixed::Fixed;
pub(super) use pairs::Pairs;
