//! A client's way from its accept to its login: admitted, held until a server greets, greeted, heard. It owns the order
//! of these steps and sends away those who do not get through.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use capitana_core::EndReason;
use capitana_core::handshake::Handshake;
use capitana_core::packet::HEADER;
use capitana_core::tls::Records;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use super::admission::{Admitted, ClientPlace, ClientPlaces, admit};
use super::close::refuse;
use super::deadlines::Alarm;
use super::gate::introduce;
use super::hold::{Refusal, hold};
use super::init_sql::{Begun, Prepared, admit_encrypted, begin_with};
use super::leash::{Leash, Phase};
use super::peek::peek;
use super::relay::Relay;
use super::session::Epilogue;
use super::waiting::Place;
use super::worker::Worker;

/// A request for TLS, with its header: TLS begins behind it.
const TLS_REQUEST: usize = 36;

/// A client that has got as far as its login.
pub struct Entered {
    /// Its connection and the server's.
    pub relay: Relay,
    /// What they have said so far.
    pub handshake: Handshake,
    /// What it has said of TLS so far.
    pub records: Records,
    /// Its place on the server.
    pub place: Place,
    /// When the handshake began, with the server's greeting.
    pub greeted: Instant,
    /// When the handshake has to be over.
    pub alarm: Alarm,
    /// Its place among the connections of its address.
    pub client_place: ClientPlace,
}

/// Brings a client to its login.
///
/// # Errors
/// It did not get there; it was told why, if it is there to be told.
pub async fn enter(
    worker: &Rc<Worker>,
    leash: &Leash,
    mut client: TcpStream,
    places: &Arc<ClientPlaces>,
) -> Result<Entered, Epilogue> {
    let (admitted, steps) = match approach(worker, leash, &mut client, places).await {
        Ok(steps) => steps,
        Err(Refusal { reason, packet, cause }) => {
            worker.linger(refuse(client, packet));
            return Err(Epilogue::unopened(reason, cause));
        }
    };
    let Login { upstream, place, greeting, login, greeted, alarm } = steps;
    let mut handshake = Handshake::default();
    handshake.from_server(&greeting);
    let statement = worker.shared.config.load().init_sql.of(leash.role).map(str::to_owned);
    // Under TLS it was asked before whether the session may go on without; a server that refuses gets no login.
    if let Some(statement) = statement.filter(|_| !login.is_empty() && !is_tls(&login)) {
        handshake.from_client(first_packet(&login));
        let deadline = alarm.deadline();
        let begun = Begun { client, upstream, place, handshake, greeting, login, deadline };
        let prepared = Box::pin(begin_with(worker, leash, &statement, begun)).await?;
        let (records, client_place) = (Records::new(false), admitted.place);
        let Prepared { relay, place, handshake } = prepared;
        return Ok(Entered { relay, handshake, records, place, greeted, alarm, client_place });
    }
    handshake.from_client(&login);
    let mut records = Records::new(handshake.seen().tls);
    records.take(login.get(TLS_REQUEST..).unwrap_or_default());
    let relay = Relay::after_greeting(client, upstream, greeting.len() as u64, login);
    Ok(Entered { relay, handshake, records, place, greeted, alarm, client_place: admitted.place })
}

struct Login {
    upstream: TcpStream,
    place: Place,
    greeting: Vec<u8>,
    login: Vec<u8>,
    greeted: Instant,
    alarm: Alarm,
}

async fn approach(
    worker: &Rc<Worker>,
    leash: &Leash,
    client: &mut TcpStream,
    places: &Arc<ClientPlaces>,
) -> Result<(Admitted, Login), Refusal> {
    let admitted = admit(worker, leash, client, places).await?;
    let mut begun = Box::pin(hold(worker, leash, client, &admitted.header)).await?;
    leash.route.get_or_init(|| begun.route.clone());
    leash.enter(Phase::Handshake);
    let greeted = Instant::now();
    let deadline = greeted + worker.shared.config.load().handshake_timeout;
    let mut alarm = Alarm::at(&worker.deadlines, deadline);
    let login = introduce(leash, client, &mut begun, &mut alarm).await.inspect_err(|_| {
        let mut handshake = Handshake::default();
        handshake.from_server(&begun.greeting);
        leash.seen.get_or_init(|| handshake.seen().clone());
    })?;
    if is_tls(&login) && worker.shared.config.load().init_sql.of(leash.role).is_some() {
        admit_encrypted(worker, leash.role)?;
    }
    if is_tls(&login) && !outlasts(worker, client, deadline).await {
        return Err(Refusal::silent(EndReason::ClientClosed));
    }
    worker.counters.add(0, begun.greeting.len() as u64);
    let greeting = std::mem::take(&mut begun.greeting);
    match begun.take() {
        Some((upstream, place)) => Ok((admitted, Login { upstream, place, greeting, login, greeted, alarm })),
        None => Err(Refusal::silent(EndReason::UpstreamError)),
    }
}

/// The login itself: a client may have said more.
fn first_packet(bytes: &[u8]) -> &[u8] {
    let Some(&[a, b, c, _]) = bytes.first_chunk::<HEADER>() else { return bytes };
    bytes.get(..HEADER + u32::from_le_bytes([a, b, c, 0]) as usize).unwrap_or(bytes)
}

/// Whether it is a request for TLS, with what has come behind it.
fn is_tls(login: &[u8]) -> bool {
    login.starts_with(&[(TLS_REQUEST - HEADER) as u8, 0, 0])
}

/// Whether a client is still there when its TLS handshake may begin: broken ones before it are made good first.
async fn outlasts(worker: &Worker, client: &TcpStream, deadline: Instant) -> bool {
    if timeout_at(deadline, worker.shared.amends.clear()).await.is_err() {
        return false;
    }
    // A moment at most: either there is something to see at once, or the client waits.
    !matches!(timeout(Duration::ZERO, peek(client)).await, Ok(Ok(0) | Err(_)))
}
