//! What the worker says of itself on its admin endpoint: one snapshot, put together when it is asked for.

use std::sync::Arc;

use capitana_core::Link;
use capitana_core::lease::Lease;
use capitana_core::services::list::Services;
use serde::Serialize;
use tokio::sync::watch;

use super::status::{CommandStatus, PlaceStatus};
use crate::admin::{AdminView, Answer};
use crate::config::WorkerConfig;
use crate::registrar::LeaseStatus;
use crate::side::{ServiceStatus, SideView};

/// Answers for the worker.
pub(super) struct WorkerView {
    name: String,
    node: String,
    path: String,
    place: watch::Receiver<PlaceStatus>,
    command: watch::Receiver<CommandStatus>,
    lease: watch::Receiver<Lease>,
    side: Option<SideView>,
    settings: String,
}

#[derive(Serialize)]
struct WorkerStatus<'a> {
    version: &'static str,
    name: &'a str,
    node: &'a str,
    path: &'a str,
    ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_ready_because: Option<String>,
    place: PlaceStatus,
    command: CommandStatus,
    zookeeper_lease: Option<LeaseStatus>,
    service: Option<ServiceStatus>,
}

impl WorkerView {
    /// Of the worker with these settings, whose tasks publish there.
    pub(super) fn new(
        config: &WorkerConfig,
        settings: String,
        (place, command): (watch::Receiver<PlaceStatus>, watch::Receiver<CommandStatus>),
        lease: watch::Receiver<Lease>,
        side: Option<SideView>,
    ) -> Self {
        Self {
            name: config.name.clone(),
            node: config.common.node_name.clone(),
            path: config.place().to_owned(),
            place,
            command,
            lease,
            side,
            settings,
        }
    }
}

impl AdminView for WorkerView {
    /// It does its work while it runs the command, or stands by to.
    fn ready(&self) -> Result<(), String> {
        let place = self.place.borrow();
        match (&place.zookeeper, &place.znode, &place.held_by) {
            (Link::Up, Some(_), _) | (Link::Up, _, Some(_)) => Ok(()),
            (Link::Up, None, None) => Err("it has no place in line at the moment".to_owned()),
            (Link::Down(cause) | Link::NeverUp(Some(cause)), ..) => {
                Err(format!("ZooKeeper cannot be reached: {cause}"))
            }
            (Link::NeverUp(None), ..) => Err("ZooKeeper has not answered yet".to_owned()),
        }
    }

    fn services(&self) -> Option<Answer<Result<Arc<Services>, String>>> {
        self.side.as_ref().map(SideView::services)
    }

    fn settings(&self) -> String {
        self.settings.clone()
    }

    fn status(&self) -> serde_json::Value {
        let ready = self.ready();
        let status = WorkerStatus {
            version: env!("CARGO_PKG_VERSION"),
            name: &self.name,
            node: &self.node,
            path: &self.path,
            ready: ready.is_ok(),
            not_ready_because: ready.err(),
            place: self.place.borrow().clone(),
            command: self.command.borrow().clone(),
            zookeeper_lease: LeaseStatus::of(*self.lease.borrow()),
            service: self.side.as_ref().map(SideView::now),
        };
        serde_json::to_value(status).unwrap_or_default()
    }
}
