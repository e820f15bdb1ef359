//! Owns the engine `floor`: a relay with the system calls that no relay in user space can be without, and nothing else. It
//! knows no election, no limit, no drain and no half-closed connection, and counts nothing. What a proxy costs beyond it is
//! the proxy's doing, what it costs itself is the kernel's.

mod on_tokio;
mod pairs;

use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::thread;

use anyhow::{Context, Result};
use rustix::event::epoll;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketFlags, SocketType, acceptfrom_with, bind, listen, socket_with, sockopt,
};

use super::engine::Engine;
use crate::lab::Lab;
use pairs::{End, Pairs};

pub(super) const NAME: &str = "floor";
/// What the floor on tokio is called.
pub(super) const ON_TOKIO: &str = "floor-on-tokio";

/// The token of a thread's listener.
const LISTENER: u64 = u64::MAX;
/// As capitana's.
const BUFFER: usize = 256 * 1024;
const BACKLOG: i32 = 4096;
/// As tokio's.
const EVENTS: usize = 1024;

/// The floor before `upstream`, not started: this program, called for it.
pub(super) fn engine(lab: &Lab, address: SocketAddr, upstream: SocketAddr) -> Result<Engine> {
    let program = std::env::current_exe().context("cannot tell which program this is")?;
    let process = lab.process(NAME, move || {
        let mut command = Command::new(&program);
        command.arg(NAME).args([address.to_string(), upstream.to_string()]);
        Ok(command)
    })?;
    Ok(Engine::proxy(NAME, "epoll, a thread a core".to_owned(), address, process))
}

/// Relays until the process is ended.
///
/// # Errors
/// The address cannot be bound, or a thread ended.
pub fn serve(address: SocketAddr, upstream: SocketAddr, on_tokio: bool) -> Result<()> {
    if on_tokio {
        return on_tokio::serve(address, upstream);
    }
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let listeners = (0..cores).map(|_| bound(address)).collect::<Result<Vec<_>>>()?;
    let relay = |listener| move || relay(&listener, upstream);
    let threads: Vec<_> = listeners.into_iter().map(relay).map(thread::spawn).collect();
    for thread in threads {
        thread.join().map_err(|_| anyhow::anyhow!("a thread of the floor panicked"))??;
    }
    Ok(())
}

fn bound(address: SocketAddr) -> Result<TcpListener> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(family, SocketType::STREAM, flags, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    sockopt::set_socket_reuseport(&socket, true)?;
    // What is accepted inherits it.
    sockopt::set_tcp_nodelay(&socket, true)?;
    bind(&socket, &address).with_context(|| format!("cannot bind {address}"))?;
    listen(&socket, BACKLOG)?;
    Ok(socket.into())
}

fn relay(listener: &TcpListener, upstream: SocketAddr) -> Result<()> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN)?;
    let mut pairs = Pairs::new(epoll, upstream);
    let (mut events, mut buffer) = (Vec::with_capacity(EVENTS), vec![0; BUFFER]);
    loop {
        events.clear();
        match epoll::wait(pairs.epoll(), rustix::buffer::spare_capacity(&mut events), None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in &events {
            match event.data.u64() {
                LISTENER => accept(listener, &mut pairs)?,
                end => pairs.pass_on(End::of(end), &mut buffer),
            }
        }
        // Not before: an event of this round may be about a pair that has ended in it.
        pairs.reuse();
    }
}

/// One client: the next wakes the thread again.
fn accept(listener: &TcpListener, pairs: &mut Pairs) -> Result<()> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    match acceptfrom_with(listener, flags) {
        Ok((client, _)) => pairs.begin(client.into()),
        Err(Errno::AGAIN | Errno::CONNABORTED | Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
