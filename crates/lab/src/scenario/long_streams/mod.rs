//! Scenario `long-streams`: what flows for long or in large pieces comes through the proxy as it does direct: the binlog to
//! a replica, a file of a client, packets of 64 MB; in the clear, compressed, and under TLS.
//!
//! The client is the `mariadb` program, in `client`; the replica is in `replica`.

mod client;
mod replica;

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use self::client::{Client, MODES, Mode};
use super::data_path::Fixed;
use super::{Scenario, in_lab};
use crate::bank::quick;
use crate::certs::Certificates;
use crate::galera::{APP, Node};
use crate::lab::Lab;
use crate::progress::Progress;
use crate::report::Report;

/// Lines of 1 MB in the file that is loaded in the clear; where it is compressed or encrypted, a tenth.
const LINES: usize = 1_000;
const LINES_QUICKLY: usize = 100;
const LINE: usize = 1_000_000;
/// A packet: 64 MB less the statement around it.
const PACKET: usize = 64 * 1024 * 1024 - 1024;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "long-streams",
    about: "a replica, LOCAL INFILE of 1 GB, packets of 64 MB, compressed and under TLS: equal to direct",
    run: |progress| Box::pin(run(progress)),
};

async fn run(progress: Progress) -> Result<Report> {
    let builder = Lab::builder()
        .plain()
        .galera(2)
        .server_option("log_bin", "binlog")
        .server_option("binlog_format", "ROW")
        .server_option("max_allowed_packet", "192M")
        .server_option("local_infile", "ON");
    in_lab(builder, &progress, async |lab, report| streams(lab, report).await).await
}

async fn streams(lab: &Lab, report: &mut Report) -> Result<()> {
    let [server, replica] = lab.nodes() else { anyhow::bail!("the lab has two servers") };
    enable_tls(lab, server).await?;
    let proxy = Fixed::start(lab, 0, server.address(), None).await?;
    for (name, tls) in [("clear", false), ("tls", true)] {
        let different = replica::follow(server, replica, proxy.address(), tls).await?;
        lab.progress().say(format_args!("the replica has followed ({name})"));
        report.none(&format!("replica_{name}_tables_that_differ"), different);
    }
    let directory = lab.slot().directory().join("streams");
    fs::create_dir_all(&directory)?;
    let lines = if quick() { LINES_QUICKLY } else { LINES };
    for mode in MODES {
        let ends = [server.address(), proxy.address()];
        packets(&directory, mode, ends, report).await?;
        let lines = if mode.is_plain() { lines } else { lines / 10 };
        infile((server, &directory), mode, (ends, lines), report).await?;
        lab.progress().say(format_args!("packets of 64 MB and a file have come through ({})", mode.name));
    }
    Ok(())
}

/// A packet of 64 MB each way, direct and through the proxy.
async fn packets(directory: &Path, mode: Mode, ends: [SocketAddr; 2], report: &mut Report) -> Result<()> {
    let script = directory.join("packet.sql");
    let random =
        |bytes: &mut Vec<u8>| bytes.iter_mut().for_each(|byte| *byte = fastrand::alphanumeric() as u8);
    let mut text = vec![0; PACKET];
    random(&mut text);
    let statement = [b"SELECT SHA2('", &text[..], b"', 256), REVERSE('", b"x", b"');\n"].concat();
    fs::write(&script, statement)?;
    let down = directory.join("down.sql");
    fs::write(&down, format!("SELECT RPAD('', {PACKET}, SHA2('capitana', 512));\n"))?;
    for (name, script) in [("up", &script), ("down", &down)] {
        let mut said = Vec::new();
        for address in ends {
            said.push(Client { address, mode, directory }.digest(script).await?);
        }
        report.none(&format!("packet_{name}_{}_differs", mode.name), usize::from(said[0] != said[1]));
    }
    Ok(())
}

/// A file of so many lines of 1 MB that the server reads from the client, direct and through the proxy.
async fn infile(
    (server, directory): (&Node, &Path),
    mode: Mode,
    (ends, lines): ([SocketAddr; 2], usize),
    report: &mut Report,
) -> Result<()> {
    let file = write_lines(directory, lines)?;
    let mut found = Vec::new();
    for address in ends {
        server.execute(&format!("CREATE OR REPLACE TABLE {APP}.lines (bytes INT, crc BIGINT)")).await?;
        let script = directory.join("load.sql");
        fs::write(&script, load(&file))?;
        Client { address, mode, directory }.digest(&script).await?;
        found.push(replica::checksum(server, "lines").await?);
    }
    report.count(&format!("infile_{}_megabytes", mode.name), lines);
    report.none(&format!("infile_{}_differs", mode.name), usize::from(found[0] != found[1]));
    fs::remove_file(file).context("cannot remove the file")
}

/// The lines themselves need no room in the table: what they are is.
fn load(file: &Path) -> String {
    format!(
        "LOAD DATA LOCAL INFILE '{}' INTO TABLE {APP}.lines CHARACTER SET latin1 FIELDS TERMINATED BY '\\t' (@line) \
         SET bytes = LENGTH(@line), crc = CRC32(@line);\n",
        file.display()
    )
}

/// Each line is another one.
fn write_lines(directory: &Path, lines: usize) -> Result<PathBuf> {
    let path = directory.join("lines.txt");
    let mut file = fs::File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    let mut line: Vec<_> = (0..LINE).map(|_| fastrand::alphanumeric() as u8).collect();
    line[LINE - 1] = b'\n';
    for number in 0..lines {
        let start = format!("{number:08}");
        line[..start.len()].copy_from_slice(start.as_bytes());
        file.write_all(&line)?;
    }
    Ok(path)
}

/// The certificates hold addresses, which are known only once the lab is there.
async fn enable_tls(lab: &Lab, server: &Node) -> Result<()> {
    let names = [server.address().ip().to_string()];
    let certificates = Certificates::create(&lab.slot().directory().join("tls"), &names)?;
    let mut file = fs::OpenOptions::new().append(true).open(server.directory().join("my.cnf"))?;
    for (name, value) in certificates.server_options() {
        writeln!(file, "{name}={}", value.display())?;
    }
    server.stop().await?;
    server.start().await?;
    server.wait_ready(1).await
}
