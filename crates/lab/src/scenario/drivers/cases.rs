//! What mysql_async can do beyond sending statements as they are: each case tells what the driver saw of it.

use std::fmt::Write as _;

use anyhow::Context;
use mysql_async::prelude::Queryable;
use mysql_async::{ChangeUserOpts, Conn, IsolationLevel, TxOpts, Value};

use super::native::{connect, execute, infile, query};
use super::settings::Settings;
use super::transcript::Transcript;

/// The binary protocol: every type there and back, errors of each kind, a statement run many times.
pub(super) async fn prepared(conn: &mut Conn, seen: &mut Transcript) {
    let everything: Vec<Value> = vec![
        Value::Int(i64::MIN),
        Value::UInt(u64::MAX),
        Value::Double(-1.5e300),
        Value::Float(0.25),
        "naïve 字 🜚".into(),
        (&b"\x00\xff'\x1a"[..]).into(),
        Value::Date(2026, 11, 21, 23, 59, 59, 999_999),
        Value::Time(true, 34, 22, 59, 58, 1),
        Value::NULL,
    ];
    execute(conn, seen, "SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?", everything).await;
    execute(conn, seen, "SELECT * FROM kinds WHERE id <> ? ORDER BY id", vec![4.into()]).await;
    execute(conn, seen, "SELECT seq, REPEAT('x', seq % ?) FROM seq_1_to_5000", vec![300.into()]).await;
    execute(conn, seen, "UPDATE account SET amount = amount + ? WHERE id = 2", vec![1.into()]).await;
    execute(conn, seen, "CALL two_results(?, @last)", vec![1.into()]).await;
    execute(conn, seen, "INSERT INTO account VALUES (?, ?)", vec![1.into(), 1.into()]).await;
    execute(conn, seen, "SELECT ? FROM missing", vec![1.into()]).await;
    execute(conn, seen, "SELEC ?", vec![1.into()]).await;
    let many = (100..1100_u64).map(|number| (number, number * number));
    match conn.exec_batch("INSERT INTO account VALUES (?, ?)", many).await {
        Ok(()) => seen.say("> a statement run a thousand times"),
        Err(error) => seen.error(&error),
    }
    query(conn, seen, "SELECT COUNT(*), SUM(amount) FROM account").await;
}

/// Two sessions: what the other one sees before and after a commit, and a lock that it meets.
pub(super) async fn transactions(
    conn: &mut Conn,
    settings: &Settings,
    seen: &mut Transcript,
) -> anyhow::Result<()> {
    const AMOUNT: &str = "SELECT amount FROM account WHERE id = 1";
    let mut other = connect(settings).await?;
    other.query_drop("USE drivers").await?;
    let mut options = TxOpts::default();
    options.with_isolation_level(IsolationLevel::ReadCommitted).with_consistent_snapshot(true);
    let mut transaction = conn.start_transaction(options).await?;
    transaction.query_drop("UPDATE account SET amount = -1 WHERE id = 1").await?;
    query(&mut other, seen, AMOUNT).await;
    query(&mut other, seen, "SELECT amount FROM account WHERE id = 1 FOR UPDATE NOWAIT").await;
    transaction.commit().await?;
    query(&mut other, seen, AMOUNT).await;
    let mut transaction = conn.start_transaction(TxOpts::default()).await?;
    transaction.query_drop("DELETE FROM account").await?;
    transaction.rollback().await?;
    query(&mut other, seen, "SELECT COUNT(*) FROM account").await;
    other.disconnect().await?;
    Ok(())
}

pub(super) async fn local_infile(
    conn: &mut Conn,
    settings: &Settings,
    seen: &mut Transcript,
) -> anyhow::Result<()> {
    let path = infile(settings);
    let rows = (0..20_000_u64).fold(String::new(), |mut rows, row| {
        let _ = writeln!(rows, "{row},name {:x},{}.5", row * 7_919, row % 1_000);
        rows
    });
    std::fs::write(&path, rows).with_context(|| format!("{} cannot be written", path.display()))?;
    let file = path.display();
    let load = format!("LOAD DATA LOCAL INFILE '{file}' INTO TABLE loaded FIELDS TERMINATED BY ','");
    query(conn, seen, "CREATE TABLE loaded (id INT PRIMARY KEY, name VARCHAR(64), amount DECIMAL(10,2))")
        .await;
    query(conn, seen, &load).await;
    query(conn, seen, "SELECT COUNT(*), SUM(amount), SHA1(GROUP_CONCAT(name ORDER BY id)) FROM loaded").await;
    // A file that is refused, as the other drivers try, ends the connection: mysql_async answers the server nothing then.
    Ok(())
}

/// A parameter, and then a result, that travel in several packets.
pub(super) async fn big_packet(conn: &mut Conn, size: usize, seen: &mut Transcript) -> anyhow::Result<()> {
    // Of every byte there is, and with a period that packets of 2^24 - 1 bytes do not share.
    let block: Vec<u8> = (0..1_000_003_usize).map(|at| (at ^ (at >> 8)).to_le_bytes()[0]).collect();
    let mut big = block.repeat(size / block.len() + 1);
    big.truncate(size);
    let there = (Value::Bytes(big), size / 8);
    let back: Option<(Value, Value)> = conn.exec_first("SELECT ?, REPEAT('capitana', ?)", there).await?;
    let (same, repeated) = back.context("the server sent no row back")?;
    seen.say("> a big packet there and back");
    seen.value(&same);
    seen.value(&repeated);
    Ok(())
}

/// What is a command of the protocol of its own.
pub(super) async fn session_commands(
    conn: &mut Conn,
    settings: &Settings,
    seen: &mut Transcript,
) -> anyhow::Result<()> {
    const WHOSE: &str = "SELECT DATABASE(), CURRENT_USER(), @user_variable";
    conn.ping().await?;
    query(conn, seen, WHOSE).await;
    seen.say(format_args!("> reset {}", conn.reset().await?));
    query(conn, seen, WHOSE).await;
    query(conn, seen, "SET @user_variable = 'set again'").await;
    let options = ChangeUserOpts::default()
        .with_user(Some(settings.user.clone()))
        .with_pass(Some(settings.password.clone()))
        .with_db_name(Some("drivers".into()));
    conn.change_user(options).await?;
    seen.say("> change user");
    query(conn, seen, WHOSE).await;
    Ok(())
}

/// The server ends the session: the driver learns of it at once or at its next statement. How it is said is not compared:
/// a server says so or just closes, and where it says nothing the proxy does, with error 1927.
pub(super) async fn killed(mut conn: Conn, seen: &mut Transcript) {
    let ended = conn.query_drop("KILL CONNECTION_ID()").await.is_err();
    seen.say(format_args!("> killed: {ended}"));
    let lost = conn.query_drop("SELECT 1").await.is_err();
    seen.say(format_args!("> after the kill the session is lost: {lost}"));
}

/// Errors that the server answers in the handshake.
pub(super) async fn connect_errors(settings: &Settings, seen: &mut Transcript) {
    let wrong = [
        Settings { password: "wrong".into(), ..settings.clone() },
        Settings { user: "nobody_of_this_name".into(), ..settings.clone() },
        Settings { database: Some("no_such_database".into()), ..settings.clone() },
    ];
    for settings in wrong {
        seen.say(format_args!("> connect as {} to {:?}", settings.user, settings.database));
        match connect(&settings).await {
            Ok(_) => seen.say("  it worked"),
            Err(error) => seen.error(&error),
        }
    }
}
