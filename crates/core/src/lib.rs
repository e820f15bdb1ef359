//! The pure decisions of capitana. Nothing here does IO, reads a clock or knows of a runtime: time and events
//! are passed in, decisions are returned.

mod address;
pub mod backoff;
pub mod barrier;
pub mod candidacy;
pub mod doctor;
pub mod drain;
pub mod election;
mod end;
pub mod failover;
pub mod fence;
pub mod grants;
pub mod handshake;
pub mod health;
pub mod init_sql;
pub mod kin;
pub mod lag;
pub mod lease;
pub mod limit;
pub mod liveconfig;
mod member;
pub mod neighbour;
pub mod opening;
pub mod packet;
pub mod pulse;
pub mod registration;
pub mod replicas;
mod role;
pub mod services;
pub mod threads;
pub mod timeline;
pub mod tls;
pub mod version;
mod view;
pub mod waiting;
pub mod worker;

pub use address::{AllowList, AllowRule, DEFAULT_PORT, HostPort, HostPortError};
pub use election::{Election, Link, Route};
pub use end::EndReason;
pub use member::{
    Epoch, MAX_MEMBER_DATA, MEMBER_PREFIX, Member, MemberData, RawMember, SkipReason, Skipped,
    name_after_wrap, sequence,
};
pub use role::Role;
pub use view::{RawView, View};
