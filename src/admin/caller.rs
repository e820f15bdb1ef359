//! Who asks on the admin endpoint, and whether that one may give orders: only somebody on this host, because the
//! endpoint may be open to Prometheus and to other agents.

use std::net::{IpAddr, SocketAddr};

use hyper::HeaderMap;
use hyper::header::USER_AGENT;
use tokio::net::TcpStream;

/// A browser adds the first of these for a page that asks on its own, a proxy the others for somebody elsewhere.
const FOR_ANOTHER: [&str; 3] = ["origin", "forwarded", "x-forwarded-for"];
/// What a caller says of itself is kept up to this many characters.
const LONGEST_NAME: usize = 100;

/// The two ends of a caller's connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller {
    peer: IpAddr,
    local: Option<IpAddr>,
}

impl Caller {
    pub(super) fn of(stream: &TcpStream, peer: SocketAddr) -> Self {
        let local = stream.local_addr().ok().map(|address| address.ip().to_canonical());
        Self { peer: peer.ip().to_canonical(), local }
    }

    /// How the one who asks is called in the log, if it may.
    pub(super) fn may_order(self, headers: &HeaderMap) -> Result<String, String> {
        if !self.is_here() {
            return Err(format!(
                "orders are taken from this host only, and {} is another: use `capitana agent` there",
                self.peer
            ));
        }
        if let Some(header) = FOR_ANOTHER.iter().find(|header| headers.contains_key(**header)) {
            return Err(format!(
                "orders are taken from this host only, and the header {header} is from elsewhere"
            ));
        }
        let name = headers.get(USER_AGENT).and_then(|name| name.to_str().ok()).unwrap_or("somebody");
        Ok(format!("{} from {}", name.chars().take(LONGEST_NAME).collect::<String>(), self.peer))
    }

    /// Only a connection within a host has the same address on both ends, or one of the host's own.
    fn is_here(self) -> bool {
        self.peer.is_loopback() || self.local == Some(self.peer)
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn caller(peer: &str, local: &str) -> Caller {
        Caller { peer: peer.parse().unwrap(), local: Some(local.parse().unwrap()) }
    }

    #[test]
    fn orders_come_from_the_loopback_or_from_the_address_they_go_to() {
        for (peer, local) in [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("192.0.2.7", "192.0.2.7")] {
            assert!(caller(peer, local).may_order(&HeaderMap::new()).is_ok(), "{peer}");
        }
    }

    #[test]
    fn another_host_is_refused_and_told_why() {
        for (peer, local) in [("192.0.2.8", "192.0.2.7"), ("2001:db8::1", "2001:db8::2")] {
            let refused = caller(peer, local).may_order(&HeaderMap::new()).unwrap_err();
            assert!(refused.contains("this host only") && refused.contains(peer), "{refused}");
        }
    }

    #[test]
    fn a_browsers_page_and_a_forwarding_proxy_are_refused() {
        for header in FOR_ANOTHER {
            let headers = HeaderMap::from_iter([(
                header.parse().unwrap(),
                HeaderValue::from_static("http://example.com"),
            )]);
            assert!(caller("127.0.0.1", "127.0.0.1").may_order(&headers).is_err(), "{header}");
        }
    }

    #[test]
    fn the_caller_is_called_as_it_calls_itself() {
        let headers = HeaderMap::from_iter([(USER_AGENT, HeaderValue::from_static("curl/8.5.0"))]);
        assert_eq!(
            caller("127.0.0.1", "127.0.0.1").may_order(&headers).unwrap(),
            "curl/8.5.0 from 127.0.0.1"
        );
        assert_eq!(caller("::1", "::1").may_order(&HeaderMap::new()).unwrap(), "somebody from ::1");
    }
}
