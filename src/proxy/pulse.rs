//! Asks the primary a small question twice a second, so that a drain knows whether it was silent before its end: a host
//! that has lost its power says nothing, and neither does ZooKeeper say why a znode is gone. It owns the connection for it;
//! what follows from silence is `capitana_core::pulse`'s, and nothing but the drain's patience.

use std::sync::Arc;
use std::time::Duration;

use capitana_core::HostPort;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::time::sleep;

use super::monitor::connect;
use super::shared::Shared;

/// Between an answer and the next question.
const INTERVAL: Duration = Duration::from_millis(500);

/// Asks every primary in its turn, until the proxy stops; the last one also while there is none.
pub async fn run(shared: Arc<Shared>) {
    let mut elected = shared.barriers.elected.subscribe();
    let mut upstream: Option<HostPort> = None;
    loop {
        let current = upstream.clone();
        let another = async {
            let route = elected
                .wait_for(|route| route.as_ref().is_some_and(|r| Some(&r.upstream) != current.as_ref()));
            route.await.map(|route| route.as_ref().map(|route| route.upstream.clone()))
        };
        tokio::select! {
            biased;
            next = another => match next {
                Ok(next) => upstream = next,
                Err(_) => return,
            },
            () = ask(&shared, upstream.as_ref()) => {}
        }
        if let Some(upstream) = &upstream {
            shared.pulse().follow(upstream, shared.now());
        }
    }
}

/// Asks until nobody wants to know any more.
async fn ask(shared: &Shared, upstream: Option<&HostPort>) {
    let Some(upstream) = upstream else { return std::future::pending().await };
    let mut conn = None;
    loop {
        shared.pulse().asked(shared.now());
        conn = answer(shared, upstream, conn).await;
        shared.pulse().answered();
        sleep(INTERVAL).await;
    }
}

/// Waits for an answer, however long it takes. None: there is no connection; why is the relay's and the barrier's to tell.
async fn answer(shared: &Shared, upstream: &HostPort, conn: Option<Conn>) -> Option<Conn> {
    let mut conn = match conn {
        Some(conn) => conn,
        None => {
            let account = shared.monitor()?;
            connect(&account, upstream).await.ok()?
        }
    };
    conn.ping().await.ok()?;
    Some(conn)
}
