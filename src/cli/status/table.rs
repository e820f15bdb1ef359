//! The status as text for people: columns as wide as what is in them, and nothing that could move a cursor.

use std::io::{self, Write};

use serde::Deserialize;

use super::super::columns::{columns, row, shorten_line};
use super::super::proxies::{Answer, Proxy, Shown, ShownReplicas};
use super::super::services::table as services_table;
use super::{ElectionStatus, Status};
use crate::config::value::shorten;

/// Prints the whole status.
pub(super) fn print(status: &Status, out: &mut dyn Write) -> io::Result<()> {
    election(&status.election, out)?;
    if !status.services.services.is_empty() {
        writeln!(out)?;
        services_table::print(&status.services, out)?;
    }
    if !status.settings.is_empty() {
        let each = status.settings.iter().map(|(kind, version)| match version {
            serde_json::Value::Number(version) => format!("{kind} version {version}"),
            serde_json::Value::String(why) => format!("{kind} unknown: {why}"),
            _ => format!("{kind} none"),
        });
        let each: Vec<_> = each.collect();
        writeln!(out, "\nsettings  {} (each process's own is under CONFIG)", shorten_line(&each.join(", ")))?;
    }
    if let Some(error) = &status.services_error {
        writeln!(out, "\nservices  unknown: {}", shorten_line(error))?;
    }
    if !status.proxies.is_empty() {
        writeln!(out)?;
        proxies(status, out)?;
        replicas(status, out)?;
    }
    Ok(())
}

fn election(election: &ElectionStatus, out: &mut dyn Write) -> io::Result<()> {
    if let Some(fixed) = &election.fixed_primary {
        return writeln!(out, "election  none: {fixed} is a fixed primary");
    }
    let path = election.path.as_deref().unwrap_or_default();
    let zookeeper = election.zookeeper.as_deref().unwrap_or_default();
    writeln!(out, "election  {path} in ZooKeeper at {zookeeper}")?;
    match (&election.primary, &election.error) {
        (Some(primary), _) => writeln!(out, "primary   {}, epoch {}", primary.upstream, primary.epoch)?,
        (None, Some(error)) => writeln!(out, "primary   unknown: {}", shorten_line(error))?,
        (None, None) => writeln!(out, "primary   none: no acceptable member; is an agent's server healthy?")?,
    }
    members(election, out)
}

fn members(election: &ElectionStatus, out: &mut dyn Write) -> io::Result<()> {
    let mut rows = vec![row(["", "EPOCH", "MEMBER", "NODE", "ZNODE"])];
    for member in &election.members {
        rows.push(row([
            if election.epoch == Some(member.epoch) { "*" } else { "" },
            &member.epoch.to_string(),
            &member.upstream.to_string(),
            member.node.as_deref().unwrap_or("-"),
            &member.name,
        ]));
    }
    if rows.len() > 1 {
        writeln!(out)?;
        columns(&rows, out)?;
    }
    if !election.skipped.is_empty() {
        writeln!(out)?;
    }
    for skipped in &election.skipped {
        let (name, reason) = (shorten(&skipped.name), skipped.reason.label());
        writeln!(out, "skipped   {name}: {reason}")?;
    }
    Ok(())
}

fn proxies(status: &Status, out: &mut dyn Write) -> io::Result<()> {
    let mut rows = vec![row(["PROXY", "READY", "PRIMARY", "EPOCH", "SESSIONS", "HELD", ""])];
    rows.extend(status.proxies.iter().map(|proxy| proxy_row(proxy, &status.election)));
    columns(&rows, out)
}

fn proxy_row(proxy: &Proxy, election: &ElectionStatus) -> Vec<String> {
    let address = proxy.address.to_string();
    let shown = match &proxy.answer {
        Answer::Status(status) => Shown::deserialize(status),
        Answer::Error(why) => {
            return row([&address, "no", "-", "-", "-", "-", &format!("unreachable: {why}")]);
        }
    };
    let shown = match shown {
        Ok(shown) => shown,
        Err(error) => {
            let remark = format!("its /status is not understood: {error}");
            return row([&address, "no", "-", "-", "-", "-", &remark]);
        }
    };
    let route = shown.route.as_ref();
    let elsewhere = match (route, election.epoch) {
        (Some(route), Some(epoch)) if route.epoch != epoch.0 => "follows another epoch",
        _ => "",
    };
    row([
        &address,
        if shown.ready { "yes" } else { "no" },
        route.map_or("-", |route| &route.upstream),
        &route.map_or("-".to_owned(), |route| route.epoch.to_string()),
        &shown.sessions.all.to_string(),
        &shown.sessions.held.to_string(),
        shown.not_ready_because.as_deref().unwrap_or(elsewhere),
    ])
}

/// Who serves those who only read, of the proxies that have a listener for them.
fn replicas(status: &Status, out: &mut dyn Write) -> io::Result<()> {
    let mut rows = vec![row(["PROXY", "REPLICA", "WEIGHT", "SESSIONS", ""])];
    for proxy in &status.proxies {
        let Answer::Status(said) = &proxy.answer else { continue };
        match Shown::deserialize(said) {
            Ok(shown) if !shown.replicas.listen.is_empty() => {
                rows.extend(replica_rows(&proxy.address.to_string(), &shown.replicas));
            }
            // What is not understood is said in the table before.
            Ok(_) | Err(_) => {}
        }
    }
    if rows.len() == 1 {
        return Ok(());
    }
    writeln!(out)?;
    columns(&rows, out)
}

fn replica_rows(address: &str, replicas: &ShownReplicas) -> Vec<Vec<String>> {
    let stands_in = if replicas.by_fallback { "the primary, for want of a replica" } else { "" };
    let serving = replicas.members.iter().map(|member| {
        let (weight, sessions) = (member.weight.to_string(), member.sessions.to_string());
        row([address, &member.upstream, &weight, &sessions, stands_in])
    });
    // That the primary is none goes without saying.
    let aside = replicas.aside.iter().filter(|aside| aside.reason != "primary");
    let aside = aside.map(|aside| {
        row([address, &aside.upstream, "-", "-", &format!("serves no reads: {}", aside.reason)])
    });
    serving.chain(aside).collect()
}
