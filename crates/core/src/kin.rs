//! Which znodes of the election path are an agent's own, which are left of it, and which keep it from creating one: a
//! pure rule over what is read. What is done about them is `registration`'s.
//!
//! | a znode | is |
//! |---|---|
//! | with this node's GUID, of a session that this process has had | its own |
//! | with this node's GUID, of an earlier incarnation | its own: left over |
//! | with this node's GUID, of this incarnation or a later one | a twin's: two agents use copies of one state directory |
//! | of another GUID or none, that names this agent's server | a ghost of this node without its state, or another agent |
//!
//! A left-over znode is removed. Beside the last two none is created and nothing is removed: whoever removed the other's
//! would have its own removed in turn, for ever. A ghost goes with its session; of two twins the later stays.

use std::fmt;

use crate::{AllowList, HostPort, MemberData, RawMember};

/// An agent, as far as its znodes tell.
#[derive(Debug, Clone, Copy)]
pub struct Me<'a> {
    /// The node's GUID.
    pub guid: &'a str,
    /// Which start of the agent this is. None: it keeps no count.
    pub incarnation: Option<u64>,
    /// The sessions that this process has had.
    pub sessions: &'a [i64],
    /// The server that it is for.
    pub host: &'a str,
    /// That server's port.
    pub port: u16,
}

/// What a znode is to an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kin {
    /// Its own, of whichever session.
    Own,
    /// Somebody else's who must not have one beside it.
    Rival(Rival),
    /// Another server's.
    Stranger,
}

/// Who has a znode that keeps an agent from creating one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rival {
    /// An agent with the same GUID.
    Twin {
        /// Its incarnation.
        incarnation: u64,
        /// Its node's name, or its server.
        node: String,
    },
    /// An agent for the same server.
    SameServer {
        /// Its znode's name.
        znode: String,
        /// The server.
        server: String,
    },
}

impl Me<'_> {
    /// What `child` is to this agent.
    #[must_use]
    pub fn kin(&self, child: &RawMember) -> Kin {
        let data = serde_json::from_slice::<MemberData>(&child.data).ok();
        match data.filter(|data| data.guid.as_deref() == Some(self.guid)) {
            Some(data) => self.same_node(child, data),
            None => self.other_node(child),
        }
    }

    fn same_node(&self, child: &RawMember, data: MemberData) -> Kin {
        let earlier = self.incarnation.zip(data.incarnation).is_none_or(|(mine, its)| its < mine);
        if earlier || self.sessions.contains(&child.ephemeral_owner) {
            return Kin::Own;
        }
        let node = data.node.unwrap_or(data.host);
        Kin::Rival(Rival::Twin { incarnation: data.incarnation.unwrap_or_default(), node })
    }

    fn other_node(&self, child: &RawMember) -> Kin {
        let server = child.read(&AllowList::default()).ok().map(|member| member.upstream);
        match server.filter(|server| (server.host(), server.port()) == (self.host, self.port)) {
            Some(server) => Kin::Rival(same_server(child, &server)),
            None => Kin::Stranger,
        }
    }
}

fn same_server(child: &RawMember, server: &HostPort) -> Rival {
    Rival::SameServer { znode: child.name.clone(), server: server.to_string() }
}

impl fmt::Display for Rival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Twin { incarnation, node } => write!(
                f,
                "an agent with this node's identity is registered as {node} (incarnation {incarnation}): two agents use \
                 copies of one state-directory; stop one, or empty its state-directory"
            ),
            Self::SameServer { znode, server } => write!(
                f,
                "{znode} names this agent's server {server} already: it goes with its session if it is left of this agent; \
                 if another agent has it, let each advertise its own server"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUID: &str = "5f0c";
    const MINE: i64 = 7;

    fn kin(incarnation: Option<u64>, child: &RawMember) -> Kin {
        Me { guid: GUID, incarnation, sessions: &[5, MINE], host: "db1", port: 3306 }.kin(child)
    }

    fn znode(session: i64, data: &str) -> RawMember {
        let name = "node-0000000001".to_owned();
        RawMember { name, czxid: 1, ephemeral_owner: session, data: data.as_bytes().to_vec() }
    }

    fn of(guid: &str, incarnation: u64, session: i64) -> RawMember {
        znode(
            session,
            &format!(r#"{{"host":"db1","guid":"{guid}","incarnation":{incarnation},"node":"one"}}"#),
        )
    }

    #[test]
    fn a_znode_of_a_session_of_this_process_is_its_own() {
        assert_eq!(kin(Some(3), &of(GUID, 3, MINE)), Kin::Own);
        assert_eq!(kin(Some(3), &of(GUID, 3, 5)), Kin::Own);
    }

    #[test]
    fn a_znode_of_an_earlier_incarnation_is_its_own_in_a_resumed_session_and_out_of_it() {
        assert_eq!(kin(Some(3), &of(GUID, 2, MINE)), Kin::Own);
        assert_eq!(kin(Some(3), &of(GUID, 2, 99)), Kin::Own);
    }

    #[test]
    fn of_two_agents_with_one_identity_the_earlier_gives_way() {
        let twin = |incarnation| Kin::Rival(Rival::Twin { incarnation, node: "one".to_owned() });
        assert_eq!(kin(Some(3), &of(GUID, 4, 99)), twin(4));
        assert_eq!(kin(Some(3), &of(GUID, 3, 99)), twin(3));
        assert_eq!(kin(Some(5), &of(GUID, 4, 99)), Kin::Own);
    }

    #[test]
    fn without_a_count_of_its_starts_an_agent_takes_its_guid_for_its_own() {
        assert_eq!(kin(None, &of(GUID, 4, 99)), Kin::Own);
        assert_eq!(kin(Some(3), &znode(99, r#"{"host":"db1","guid":"5f0c"}"#)), Kin::Own);
    }

    #[test]
    fn a_znode_of_another_guid_or_none_for_the_same_server_keeps_the_agent_out() {
        let rival = Rival::SameServer { znode: "node-0000000001".to_owned(), server: "db1:3306".to_owned() };
        for child in
            [of("other", 1, 99), znode(99, "db1"), znode(99, "db1:3306"), znode(99, r#"{"host":"db1"}"#)]
        {
            assert_eq!(kin(Some(3), &child), Kin::Rival(rival.clone()));
        }
    }

    #[test]
    fn other_servers_and_what_is_no_candidate_are_strangers() {
        let persistent = RawMember { ephemeral_owner: 0, ..znode(99, "db1") };
        for child in [znode(99, "db2"), znode(99, "db1:3307"), znode(99, "no host"), persistent] {
            assert_eq!(kin(Some(3), &child), Kin::Stranger);
        }
    }
}
