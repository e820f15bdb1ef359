//! Owns ZooKeeper in a lab: its configuration, its start, and whether it serves.

use std::fmt::Write as _;
use std::fs;
use std::net::Ipv4Addr;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::certs::Certificates;
use crate::process::Process;
use crate::slot::Slot;
use crate::wait::wait_until;

/// The port of clients, on each server's own address.
const PORT: u16 = 2181;
/// The port of clients that speak TLS.
const SECURE_PORT: u16 = 2281;

/// What Debian's package `libzookeeper-java` brings: the server, a logger that writes to standard error, and for TLS
/// what the server's own list of libraries leaves out.
const JARS: &str = "/usr/share/java/zookeeper.jar:/usr/share/java/slf4j-simple.jar:\
                    /usr/share/java/netty-codec.jar:/usr/share/java/netty-resolver.jar:\
                    /usr/share/java/netty-transport-native-unix-common.jar";

/// A JVM on a busy machine needs 2 to 5 s.
const READY: Duration = Duration::from_secs(60);

/// A ZooKeeper server. What can be done to its process is [`Process`]'s.
#[derive(Debug)]
pub struct ZooKeeper {
    process: Process,
    address: Ipv4Addr,
}

impl ZooKeeper {
    /// Server `index` of an ensemble of `count` (1 or 3), not started.
    /// `tls`: it also takes clients that speak TLS and show a certificate of that authority's.
    pub(crate) fn new(slot: &Slot, index: usize, count: usize, tls: Option<&Certificates>) -> Result<Self> {
        let name = format!("zookeeper{}", index + 1);
        let directory = slot.directory().join(&name);
        let configuration = directory.join("zoo.cfg");
        let process = Process::new(slot.directory(), &name, recipe(configuration.clone()))?;
        let data = directory.join("data");
        fs::create_dir_all(&data).with_context(|| format!("cannot make {}", data.display()))?;
        fs::write(data.join("myid"), format!("{}\n", index + 1))?;
        let secure = tls.map(|tls| secure(tls, slot.zookeeper(index))).transpose()?;
        fs::write(configuration, settings(slot, index, count, &data) + &secure.unwrap_or_default())?;
        Ok(Self { process, address: slot.zookeeper(index) })
    }

    /// `host:port` for clients.
    pub fn connect_string(&self) -> String {
        format!("{}:{PORT}", self.address)
    }

    /// `host:port` for clients that speak TLS, where it takes them.
    pub fn secure_connect_string(&self) -> String {
        format!("{}:{SECURE_PORT}", self.address)
    }

    /// Waits until it serves: alone, as leader or as follower.
    ///
    /// # Errors
    /// It has ended, or does not serve after a minute.
    pub async fn wait_ready(&self) -> Result<()> {
        let what = format!("{} serves (log: {})", self.name(), self.log_path().display());
        let ended_or_ready = async || match self.check_runs() {
            Err(ended) => Some(Err(ended)),
            Ok(()) => self.mode().await.ok().map(|_| Ok(())),
        };
        wait_until(READY, &what, ended_or_ready).await?.0
    }

    /// What it says it is: `standalone`, `leader` or `follower`.
    ///
    /// # Errors
    /// It does not answer, or does not serve at the moment (it has no quorum).
    pub async fn mode(&self) -> Result<String> {
        let answer = self.ask("srvr").await?;
        match answer.lines().find_map(|line| line.strip_prefix("Mode: ")) {
            Some(mode) => Ok(mode.to_owned()),
            None => bail!("{} says: {}", self.name(), answer.trim()),
        }
    }

    /// Its figures, a name, a tab and a number a line.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn figures(&self) -> Result<String> {
        self.ask("mntr").await
    }

    /// One of its words of four letters.
    async fn ask(&self, word: &str) -> Result<String> {
        let mut stream = TcpStream::connect((self.address, PORT)).await?;
        stream.write_all(word.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }
}

impl Deref for ZooKeeper {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

fn recipe(configuration: PathBuf) -> crate::process::Recipe {
    Arc::new(move || {
        if let Some(missing) = JARS.split(':').find(|jar| !Path::new(jar).exists()) {
            bail!("{missing} is missing: apt-get install zookeeper");
        }
        let mut command = Command::new("java");
        // A small heap, and a compiler and collector that start fast: labs are short, and there are several.
        command.args(["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
        command.args(["-Dorg.slf4j.simpleLogger.showDateTime=true", "-cp", JARS]);
        command.arg("org.apache.zookeeper.server.quorum.QuorumPeerMain").arg(&configuration);
        Ok(command)
    })
}

fn settings(slot: &Slot, index: usize, count: usize, data: &Path) -> String {
    let mut settings = format!(
        "tickTime=500\ninitLimit=20\nsyncLimit=10\nminSessionTimeout=1000\nmaxSessionTimeout=40000\n\
         dataDir={}\nclientPort={PORT}\nclientPortAddress={}\nmaxClientCnxns=0\n\
         admin.enableServer=false\n4lw.commands.whitelist=srvr,ruok,mntr,cons,conf\n",
        data.display(),
        slot.zookeeper(index)
    );
    if count > 1 {
        for peer in 0..count {
            let _ = writeln!(settings, "server.{}={}:2888:3888", peer + 1, slot.zookeeper(peer));
        }
    }
    settings
}

/// ZooKeeper reads key and certificate from one file.
fn secure(tls: &Certificates, address: Ipv4Addr) -> Result<String> {
    let key_store = tls.server.with_file_name("key-store.pem");
    let both = fs::read_to_string(&tls.server_key)? + &fs::read_to_string(&tls.server)?;
    fs::write(&key_store, both).with_context(|| format!("cannot write {}", key_store.display()))?;
    Ok(format!(
        "secureClientPort={SECURE_PORT}\nsecureClientPortAddress={address}\n\
         serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory\n\
         authProvider.x509=org.apache.zookeeper.server.auth.X509AuthenticationProvider\nssl.clientAuth=need\n\
         ssl.keyStore.type=PEM\nssl.keyStore.location={}\nssl.trustStore.type=PEM\nssl.trustStore.location={}\n",
        key_store.display(),
        tls.authority.display()
    ))
}
