//! mysql_async's run: the same statements as the Python drivers, and binary prepared statements, which those lack.

use std::path::PathBuf;

use mysql_async::prelude::{Protocol, Queryable};
use mysql_async::{
    Compression, Conn, Error, OkPacket, Opts, OptsBuilder, QueryResult, SslOpts, Value, WhiteListFsHandler,
};

use super::cases;
use super::settings::Settings;
use super::transcript::Transcript;

const STATEMENTS: &str = include_str!("../../../python/statements.sql");
const SESSION: &str = include_str!("../../../python/session.sql");

/// Runs every case and gives the transcript.
///
/// # Errors
///
/// The driver could not connect, or lost its connection where it should not.
pub(super) async fn run(settings: &Settings) -> anyhow::Result<String> {
    let mut seen = Transcript::default();
    if settings.must_fail {
        refuse(settings, &mut seen).await;
        return Ok(seen.into_text());
    }
    let mut conn = connect(settings).await?;
    session(&mut conn, &mut seen).await?;
    for statement in statements() {
        query(&mut conn, &mut seen, statement).await;
    }
    cases::prepared(&mut conn, &mut seen).await;
    cases::transactions(&mut conn, settings, &mut seen).await?;
    cases::local_infile(&mut conn, settings, &mut seen).await?;
    if settings.big_bytes > 0 {
        cases::big_packet(&mut conn, settings.big_bytes, &mut seen).await?;
    }
    cases::session_commands(&mut conn, settings, &mut seen).await?;
    cases::killed(conn, &mut seen).await;
    cases::connect_errors(settings, &mut seen).await;
    Ok(seen.into_text())
}

pub(super) async fn connect(settings: &Settings) -> mysql_async::Result<Conn> {
    let tls = settings
        .ca
        .clone()
        .map(|ca| SslOpts::default().with_root_certs(vec![ca.into()]).with_disable_built_in_roots(true));
    let options = OptsBuilder::default()
        .ip_or_hostname(settings.host.clone())
        .tcp_port(settings.port)
        .user(Some(settings.user.clone()))
        .pass(Some(settings.password.clone()))
        .db_name(settings.database.clone())
        .prefer_socket(false)
        .max_allowed_packet(Some(256 << 20))
        .wait_timeout(Some(28_800))
        .compression(settings.compressed.then(Compression::fast))
        .local_infile_handler(Some(WhiteListFsHandler::new([infile(settings)])))
        .ssl_opts(tls);
    Conn::new(Opts::from(options)).await
}

/// The one file that the server may ask for.
pub(super) fn infile(settings: &Settings) -> PathBuf {
    settings.directory.join("mysql_async.csv")
}

async fn refuse(settings: &Settings, seen: &mut Transcript) {
    match connect(settings).await {
        Ok(_) => seen.say("accepted a certificate that it should refuse"),
        Err(error) if error.to_string().contains("certificate") => seen.say("refused: {error}"),
        Err(other) => seen.say(format_args!("another error: {other}")),
    }
}

/// Proof that what the mode asks for is in use.
async fn session(conn: &mut Conn, seen: &mut Transcript) -> mysql_async::Result<()> {
    seen.say(format_args!("server {:?}", conn.server_version()));
    if let Some((tls, compression, plugin)) = conn.query_first::<(String, String, String), _>(SESSION).await?
    {
        let tls = if tls.is_empty() { "-" } else { &tls };
        seen.say(format_args!("session {tls} {compression} {plugin}"));
    }
    Ok(())
}

fn statements() -> impl Iterator<Item = &'static str> {
    let comments = STATEMENTS.find("\nCREATE").map_or(0, |end| end + 1);
    STATEMENTS[comments..].split("$$\n").filter(|statement| !statement.is_empty())
}

/// Sends a statement over the text protocol and tells every result of it.
pub(super) async fn query(conn: &mut Conn, seen: &mut Transcript, statement: &str) {
    seen.say(format_args!("> {statement}"));
    let outcome = match conn.query_iter(statement).await {
        Ok(results) => tell(results, seen).await,
        Err(error) => Err(error),
    };
    told(conn, outcome, seen);
}

/// Sends a statement over the binary protocol.
pub(super) async fn execute(conn: &mut Conn, seen: &mut Transcript, statement: &str, parameters: Vec<Value>) {
    seen.say(format_args!("> execute {statement}"));
    let outcome = match conn.exec_iter(statement, parameters).await {
        Ok(results) => tell(results, seen).await,
        Err(error) => Err(error),
    };
    told(conn, outcome, seen);
}

async fn tell<P: Protocol>(mut results: QueryResult<'_, '_, P>, seen: &mut Transcript) -> Result<(), Error> {
    loop {
        seen.columns(results.columns_ref());
        seen.rows(results.collect().await?);
        if results.is_empty() {
            return Ok(());
        }
    }
}

fn told(conn: &Conn, outcome: Result<(), Error>, seen: &mut Transcript) {
    match outcome {
        Ok(()) => seen.say(format_args!(
            "  affected {}, last id {:?}, warnings {}, status {:?}, info '{}'",
            conn.affected_rows(),
            conn.last_insert_id(),
            conn.get_warnings(),
            conn.last_ok_packet().map(OkPacket::status_flags),
            conn.info()
        )),
        Err(error) => seen.error(&error),
    }
}
