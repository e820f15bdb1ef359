//! Which of a server's threads are sessions of clients, by how `SHOW PROCESSLIST` lists them. Reading the list, and ending
//! sessions, is done elsewhere.

/// Threads of the server's own, by the user they are listed with.
const OF_THE_SERVER: [&str; 2] = ["system user", "event_scheduler"];
/// Threads of the server's own and of replicas that read from it, by how their command begins.
const NO_CLIENTS: [&str; 3] = ["Daemon", "Binlog Dump", "Slave"];

/// One line of `SHOW PROCESSLIST`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Thread {
    /// Its number, which `KILL` takes.
    pub id: u64,
    /// The account's name.
    pub user: String,
    /// Where it comes from, with its port where that is known.
    pub host: String,
    /// What it does.
    pub command: String,
}

impl Thread {
    /// Whether it is the session of a client, or will be: one that is still logging in counts.
    #[must_use]
    pub fn is_client(&self) -> bool {
        !OF_THE_SERVER.contains(&self.user.as_str())
            && !NO_CLIENTS.iter().any(|command| self.command.starts_with(command))
    }

    /// Whether it waits for its client.
    #[must_use]
    pub fn rests(&self) -> bool {
        self.command == "Sleep"
    }

    /// The host without the port.
    #[must_use]
    pub fn address(&self) -> &str {
        self.host.rsplit_once(':').map_or(self.host.as_str(), |(host, _)| host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thread(user: &str, command: &str) -> Thread {
        Thread { user: user.to_owned(), command: command.to_owned(), ..Thread::default() }
    }

    #[test]
    fn threads_of_the_server_and_of_replicas_are_no_clients() {
        for (user, command) in [
            ("system user", "Sleep"),
            ("event_scheduler", "Daemon"),
            ("replica", "Binlog Dump"),
            ("replica", "Binlog Dump GTID"),
            ("system user", "Slave_SQL"),
            ("replica", "Slave_worker"),
        ] {
            assert!(!thread(user, command).is_client(), "{user}: {command}");
        }
    }

    #[test]
    fn everybody_else_is_a_client_asleep_or_still_logging_in() {
        for (user, command) in
            [("shop", "Sleep"), ("shop", "Query"), ("unauthenticated user", "Connect"), ("root", "Sleep")]
        {
            assert!(thread(user, command).is_client(), "{user}: {command}");
        }
    }

    #[test]
    fn an_address_is_the_host_without_the_port() {
        let from = |host: &str| Thread { host: host.to_owned(), ..Thread::default() }.address().to_owned();
        assert_eq!(from("10.0.0.5:40000"), "10.0.0.5");
        assert_eq!(from("::1:40000"), "::1");
        assert_eq!(from("localhost"), "localhost");
    }
}
