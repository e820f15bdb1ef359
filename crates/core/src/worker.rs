//! Background jobs that run on few of many hosts: who may run (`place`), how long the first turn is waited for (`patience`),
//! until when a command may run (`limits`), and what is done with it by and by (`supervisor`, `restart`). Pure: znodes,
//! processes and clocks are its caller's.

mod limits;
mod patience;
mod place;
mod restart;
mod supervisor;

pub use limits::Limits;
pub use patience::Patience;
pub use place::{Claim, Place, Terms, place};
pub use restart::{Exit, Next, Policy, Restart};
pub use supervisor::{End, Order, Rules, Supervisor};
