//! The one module with `unsafe`: system calls that the libraries in use have no safe form of.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, AsRawFd};

use rustix::ioctl::{Getter, Opcode, ioctl};
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
