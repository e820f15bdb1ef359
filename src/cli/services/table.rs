//! The list of services as text for people.

use std::io::{self, Write};

use capitana_core::services::list::{Service, Services};

use super::super::columns::{columns, row};

/// Prints the list.
pub(in crate::cli) fn print(services: &Services, out: &mut dyn Write) -> io::Result<()> {
    if services.services.is_empty() {
        writeln!(out, "no process is registered")?;
    }
    let mut rows = vec![row(["KIND", "NODE", "ADDRESS", "ADMIN", "VERSION", "SINCE", "CONFIG"])];
    rows.extend(services.services.iter().map(line));
    if rows.len() > 1 {
        columns(&rows, out)?;
    }
    for left_out in &services.left_out {
        writeln!(out, "left out  {}/{}: {}", left_out.kind, left_out.id, left_out.reason.label())?;
    }
    Ok(())
}

fn line(service: &Service) -> Vec<String> {
    let admin = service.admin.as_ref().map(ToString::to_string);
    row([
        &service.kind,
        or_dash(&service.node),
        or_dash(&service.addresses.join(",")),
        or_dash(admin.as_deref().unwrap_or_default()),
        or_dash(&service.version),
        or_dash(&service.since),
        &config(service),
    ])
}

/// The version of the settings in ZooKeeper that it uses, and why that is not the newest.
fn config(service: &Service) -> String {
    let Some(config) = &service.config else { return "-".to_owned() };
    let version = config.version.map_or("-".to_owned(), |version| version.to_string());
    match config.standing.as_str() {
        "" | "absent" | "applied" => version,
        standing => format!("{version} ({standing})"),
    }
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}
