//! capitana leads MySQL clients to the elected primary of a MariaDB Galera cluster.
//!
//! This library is the daemon: the tasks that do the IO. What they decide is in `capitana_core`.

pub mod admin;
pub mod agent;
pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod disk;
pub mod doctor;
pub mod error;
pub mod exit;
pub mod limits;
pub mod live;
pub mod logging;
pub mod mariadb;
pub mod metrics;
pub mod proxy;
pub mod registrar;
pub mod service;
pub mod side;
pub mod signals;
pub mod sys;
pub mod vip;
pub mod worker;
