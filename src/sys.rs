//! The one module with `unsafe`: system calls that the libraries in use have no safe form of.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use rustix::ioctl::{Getter, Opcode, ioctl};
use socket2::{SockAddr, SockAddrStorage};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// `SIOCOUTQ` of `linux/sockios.h`, which is defined as `TIOCOUTQ`.
const SIOCOUTQ: Opcode = libc::TIOCOUTQ as Opcode;

/// Whether the kernel holds its clock for synchronised (adjtimex(2)): somebody sets it by a better one.
///
/// # Errors
/// The system does not tell, as in some sandboxes.
pub fn clock_is_synchronised() -> io::Result<bool> {
    // SAFETY: `timex` is plain old data, for which all zeroes is a value.
    let mut state: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: with `modes` 0 adjtimex changes nothing and writes the state through the pointer, which is valid for the
    // time of the call.
    match unsafe { libc::adjtimex(&raw mut state) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(state.status & libc::STA_UNSYNC == 0),
    }
}

/// Bytes that were written to a TCP socket and are not acknowledged by the peer's kernel yet (tcp(7)).
///
/// # Errors
/// The system refused, for example because the socket is closed.
pub fn unacknowledged(socket: impl AsFd) -> io::Result<usize> {
    // SAFETY: SIOCOUTQ writes one C int through its pointer (tcp(7)), which is what `Getter<_, c_int>` passes; the
    // descriptor is borrowed for the time of the call.
    let queued = unsafe { ioctl(socket, Getter::<SIOCOUTQ, c_int>::new()) }?;
    Ok(usize::try_from(queued).unwrap_or(0))
}

/// Has a socket that is bound to an address choose its port only when it connects, so that two connections to different
/// servers may share one (`IP_BIND_ADDRESS_NO_PORT`, ip(7), Linux 4.2; it holds for IPv6 as well).
///
/// # Errors
/// The system refused.
pub fn bind_address_no_port(socket: impl AsFd) -> io::Result<()> {
    let on: c_int = 1;
    // SAFETY: setsockopt reads `size_of::<c_int>()` bytes from the pointer to `on`, which lives to the end of the call;
    // the descriptor is borrowed for the time of the call.
    let done = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_IP,
            libc::IP_BIND_ADDRESS_NO_PORT,
            (&raw const on).cast(),
            size_of::<c_int>() as libc::socklen_t,
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Watches a listener without tokio's own listener, which would register each connection it accepts with the accepting
/// thread's runtime: two system calls and an allocation for one that goes to another thread at once.
///
/// # Errors
/// The system refused.
pub fn watch_listener(listener: TcpListener) -> io::Result<AsyncFd<TcpListener>> {
    // SAFETY: the descriptor a `TcpListener` answers stays the same and open for as long as it lives (I/O safety of std),
    // and the `AsyncFd` owns it until it is deregistered.
    unsafe { AsyncFd::register_with_interest(listener, Interest::READABLE) }.map_err(Into::into)
}

/// A timer of the kernel's that kills this process (SIGKILL) at a time of `CLOCK_BOOTTIME`, also while the process is
/// stopped: nothing of the process has to run for it. Dropping it does not disarm it.
#[derive(Debug)]
pub struct LastMoment(libc::timer_t);

impl LastMoment {
    /// One that is not set.
    ///
    /// # Errors
    /// The system refused.
    pub fn new() -> io::Result<Self> {
        // SAFETY: `sigevent` is plain old data, for which all zeroes is a value.
        let mut event: libc::sigevent = unsafe { std::mem::zeroed() };
        event.sigev_notify = libc::SIGEV_SIGNAL;
        event.sigev_signo = libc::SIGKILL;
        let mut timer = std::ptr::null_mut();
        // SAFETY: timer_create reads `event` and writes the timer's id through the other pointer; both are valid for the time
        // of the call.
        match unsafe { libc::timer_create(libc::CLOCK_BOOTTIME, &raw mut event, &raw mut timer) } {
            0 => Ok(Self(timer)),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Sets it, in place of whatever it was set to. A time that is over is now.
    ///
    /// # Errors
    /// The system refused.
    pub fn set(&self, at: Duration) -> io::Result<()> {
        let value = libc::timespec {
            tv_sec: libc::time_t::try_from(at.as_secs()).unwrap_or(libc::time_t::MAX),
            // Zero would disarm it.
            tv_nsec: libc::c_long::from(at.subsec_nanos().max(1)),
        };
        let never = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        let spec = libc::itimerspec { it_interval: never, it_value: value };
        // SAFETY: the id is one that timer_create has answered and nobody deletes; `spec` is read during the call, and
        // nothing is written to a null pointer.
        let set = unsafe {
            libc::timer_settime(self.0, libc::TIMER_ABSTIME, &raw const spec, std::ptr::null_mut())
        };
        if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

/// Has the kernel kill the process that `command` starts when the thread that starts it ends, however that ends.
pub fn dies_with_this_thread(command: &mut Command) -> &mut Command {
    let parent = rustix::process::getpid();
    let die = move || {
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
        // It may have ended before this was set.
        if rustix::process::getppid() == Some(parent) {
            Ok(())
        } else {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    };
    // SAFETY: between fork and exec only two system calls are made; nothing is allocated, locked or unwound.
    unsafe { command.pre_exec(die) }
}

/// Takes over a socket that the process that started this one has left open for it.
///
/// # Errors
/// There is no such descriptor, or it is no socket.
pub fn inherited_socket(number: RawFd) -> io::Result<UnixStream> {
    // Below 3 are the standard streams, which have owners.
    if number < 3 || !std::path::Path::new(&format!("/proc/self/fd/{number}")).exists() {
        return Err(io::ErrorKind::NotFound.into());
    }
    // SAFETY: the descriptor is open, and nothing else in this process knows of it: it was opened before the process began,
    // and only its number came with the command line.
    let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
    rustix::io::fcntl_setfd(&descriptor, rustix::io::FdFlags::CLOEXEC)?;
    rustix::net::sockopt::socket_type(&descriptor)?;
    Ok(UnixStream::from(descriptor))
}

/// Everybody on the link of the interface with this number, for packets of this Ethernet type (packet(7)).
#[must_use]
pub fn broadcast_address(index: u32, ethertype: u16) -> SockAddr {
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: `sockaddr_ll` is plain old data, for which zeroes are a value, and is what the storage is for in the family
    // AF_PACKET.
    let address = unsafe { storage.view_as::<libc::sockaddr_ll>() };
    address.sll_family = libc::AF_PACKET as libc::sa_family_t;
    address.sll_protocol = ethertype.to_be();
    address.sll_ifindex = index.cast_signed();
    address.sll_halen = 6;
    address.sll_addr = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0];
    // SAFETY: the storage holds a `sockaddr_ll`, whose size this is.
    unsafe { SockAddr::new(storage, size_of::<libc::sockaddr_ll>() as libc::socklen_t) }
}
