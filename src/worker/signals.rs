//! The signals of a worker: those that end it, and those that are for its command.

use std::io;

use rustix::process::Signal;
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

/// What a signal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meant {
    /// SIGTERM or SIGINT: end in order; the second one: at once.
    Stop,
    /// For the command.
    Command(Signal),
}

/// The signals of this process, from the moment of its creation on.
pub(super) struct WorkerSignals {
    stop: [Stream; 2],
    passed_on: [(Stream, Signal); 4],
}

impl WorkerSignals {
    /// Takes the signals over from the system's default actions. Needs a tokio runtime.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            stop: [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?],
            passed_on: [
                (signal(SignalKind::hangup())?, Signal::HUP),
                (signal(SignalKind::quit())?, Signal::QUIT),
                (signal(SignalKind::user_defined1())?, Signal::USR1),
                (signal(SignalKind::user_defined2())?, Signal::USR2),
            ],
        })
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) -> Meant {
        let [terminate, interrupt] = &mut self.stop;
        let [hangup, quit, first, second] = &mut self.passed_on;
        tokio::select! {
            _ = terminate.recv() => Meant::Stop,
            _ = interrupt.recv() => Meant::Stop,
            _ = hangup.0.recv() => Meant::Command(hangup.1),
            _ = quit.0.recv() => Meant::Command(quit.1),
            _ = first.0.recv() => Meant::Command(first.1),
            _ = second.0.recv() => Meant::Command(second.1),
        }
    }
}
