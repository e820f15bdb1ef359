//! Background jobs that run on few of many hosts: who may run (`place`), until when (`limits`), and what is done with the
//! command by and by (`supervisor`, `restart`). Pure: znodes, processes and clocks are its caller's.

mod limits;
mod place;
mod restart;
mod supervisor;

pub use limits::Limits;
pub use place::{Claim, Place, Terms, place};
pub use restart::{Exit, Next, Policy, Restart};
pub use supervisor::{End, Order, Rules, Supervisor};
