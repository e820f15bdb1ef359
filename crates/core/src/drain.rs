//! When a session of a replaced primary may be ended without cutting work: pure judgement of what the relay knows and
//! what the server says. Stopping the relay, asking the server and closing are done elsewhere.
//!
//! The question is only asked of a session whose client is not read and that has nothing in flight in the proxy. Then:
//!
//! - `Sleep` alone proves nothing: the server's kernel may hold a command that its thread has not read yet.
//! - If the last bytes on the session came from the server, it has answered all that was asked of it.
//! - If they came from the client (COM_STMT_CLOSE and COM_STMT_SEND_LONG_DATA have no answer), the thread must have
//!   fallen asleep after they left the proxy.
//! - A session in a transaction is left alone until the transaction ends.

use std::time::Duration;

/// What the server says of a session's thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thread {
    /// How long it has been in `Sleep` (`TIME_MS` in `information_schema.PROCESSLIST`); none while it works.
    pub asleep: Option<Duration>,
    /// Whether `information_schema.INNODB_TRX` lists it.
    pub in_transaction: bool,
}

/// Who spoke last on a session, as of the moment the server was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastWord {
    /// The server did.
    Server,
    /// The client did, and its bytes left the proxy this long before the question was sent.
    Client(Duration),
}

/// Whether a session may be ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is idle and in no transaction.
    End,
    /// It is at work, or may be.
    Busy,
    /// It is in a transaction.
    InTransaction,
}

/// Judges a session. `thread` is none if the server does not know the thread any more.
#[must_use]
pub fn judge(last: LastWord, thread: Option<Thread>) -> Verdict {
    let Some(thread) = thread else { return Verdict::End };
    let idle = match (last, thread.asleep) {
        (_, None) => false,
        (LastWord::Server, Some(_)) => true,
        (LastWord::Client(ago), Some(asleep)) => asleep < ago,
    };
    match (idle, thread.in_transaction) {
        (_, true) => Verdict::InTransaction,
        (true, false) => Verdict::End,
        (false, false) => Verdict::Busy,
    }
}
