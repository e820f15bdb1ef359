//! The one module with `unsafe`: a system call that the libraries in use have no safe form of.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::io;
use std::os::fd::AsFd;

use rustix::ioctl::{Getter, Opcode, ioctl};

/// `SIOCOUTQ` of `linux/sockios.h`, which is defined as `TIOCOUTQ`.
const SIOCOUTQ: Opcode = libc::TIOCOUTQ as Opcode;

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
