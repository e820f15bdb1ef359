//! Owns hosts with a network of their own: network namespaces that hang together by one Ethernet, and what is run in them. A
//! namespace lives as long as a process in it, and so goes with the lab. It takes root.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::net::TcpListener;

use crate::forwarder::Forwarder;
use crate::lab::Lab;
use crate::process::Process;
use crate::wait::wait_until;

/// How long a process may take to have entered its namespace.
const READY: Duration = Duration::from_secs(10);

/// One namespace. It is gone when the lab ends.
#[derive(Debug)]
pub(crate) struct Namespace {
    holder: Process,
}

impl Namespace {
    /// A namespace with nothing in it but the loopback interface.
    pub(crate) async fn new(lab: &Lab, name: &str) -> Result<Self> {
        let holder = lab.process(&format!("network-{name}"), || {
            let mut command = Command::new("unshare");
            command.args(["--net", "sleep", "infinity"]);
            Ok(command)
        })?;
        holder.start().await?;
        let namespace = Self { holder };
        let own = fs::read_link("/proc/self/ns/net")?;
        let entered = async || {
            namespace.holder.pid()?;
            let there = fs::read_link(format!("/proc/{}/ns/net", namespace.pid().ok()?)).ok()?;
            (there != own).then_some(())
        };
        wait_until(READY, "a network namespace is there (it takes root)", entered).await?;
        namespace.ip(&["link", "set", "lo", "up"])?;
        Ok(namespace)
    }

    fn pid(&self) -> Result<u32> {
        self.holder.pid().context("the namespace is gone")
    }

    /// Runs `ip` in it.
    pub(crate) fn ip(&self, arguments: &[&str]) -> Result<String> {
        let Output { status, stdout, stderr } = self.command("ip")?.args(arguments).output()?;
        if !status.success() {
            bail!("ip {}: {}", arguments.join(" "), String::from_utf8_lossy(&stderr).trim());
        }
        Ok(String::from_utf8_lossy(&stdout).into_owned())
    }

    /// A command that runs in it, as the very process that is started.
    pub(crate) fn command(&self, program: &str) -> Result<Command> {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.pid()?.to_string(), "--net", program]);
        Ok(command)
    }

    /// Hangs it, as `eth0` with this address, on the bridge `lan` of another namespace.
    pub(crate) fn join(&self, switch: &Self, port: &str, addresses: &[&str]) -> Result<()> {
        let pid = self.pid()?.to_string();
        switch.ip(&["link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", &pid])?;
        switch.ip(&["link", "set", port, "master", "lan", "up"])?;
        for address in addresses {
            self.add(address, "eth0")?;
        }
        self.ip(&["link", "set", "eth0", "up"]).map(drop)
    }

    /// Makes it a switch: a bridge `lan`, on which it has these addresses itself.
    pub(crate) fn switch(&self, addresses: &[&str]) -> Result<()> {
        self.ip(&["link", "add", "lan", "type", "bridge"])?;
        for address in addresses {
            self.add(address, "lan")?;
        }
        self.ip(&["link", "set", "lan", "up"]).map(drop)
    }

    fn add(&self, address: &str, device: &str) -> Result<()> {
        let more: &[&str] = if address.contains(':') { &["nodad"] } else { &[] };
        self.ip(&[&["address", "add", address, "dev", device], more].concat()).map(drop)
    }

    /// Whether the kernel takes this address for its own: without starting a program, which would take longer than a look.
    pub(crate) fn has(&self, address: std::net::IpAddr) -> Result<bool> {
        let pid = self.pid()?;
        Ok(match address {
            std::net::IpAddr::V4(address) => {
                let table = fs::read_to_string(format!("/proc/{pid}/net/fib_trie"))?;
                let mut lines = table.lines();
                let leaf = format!("|-- {address}");
                lines.any(|line| line.trim_start() == leaf)
                    && table.split(&leaf).skip(1).any(|behind| {
                        behind.lines().nth(1).is_some_and(|line| line.contains("/32 host LOCAL"))
                    })
            }
            std::net::IpAddr::V6(address) => {
                let digits: String = address.octets().iter().map(|octet| format!("{octet:02x}")).collect();
                fs::read_to_string(format!("/proc/{pid}/net/if_inet6"))?
                    .lines()
                    .any(|line| line.starts_with(&digits))
            }
        })
    }

    /// The address that its loopback leads to a server of the lab's, which is in another namespace.
    pub(crate) fn lead(&self, listen: SocketAddr, target: SocketAddr) -> Result<Forwarder> {
        let namespace = File::open(format!("/proc/{}/ns/net", self.pid()?))?;
        let bind = move || -> Result<std::net::TcpListener> {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
            Ok(std::net::TcpListener::bind(listen)?)
        };
        // A thread of its own: it is in that namespace from then on, and a socket stays where it was made.
        let listener = std::thread::spawn(bind).join().map_err(|_| anyhow!("the thread panicked"))??;
        listener.set_nonblocking(true)?;
        Ok(Forwarder::lead(TcpListener::from_std(listener)?, target))
    }
}
