//! The statements of the canary, and what their errors mean. It owns what the agent keeps in the database `capitana`.

use capitana_core::health::{Canary, Commit};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error as SqlError, Row};

use crate::mariadb::{text, words};

/// What an operator gives the agent's account, where it may not create the tables by itself.
pub const REMEDY: &str = "GRANT CREATE, SELECT, INSERT, UPDATE ON capitana.* lets the agent make its tables";

const DATABASE: &str = "CREATE DATABASE IF NOT EXISTS capitana";
/// The first has a row for each server that has led. In the second nothing is written but its statistics.
const TABLES: [&str; 2] = [
    "CREATE TABLE IF NOT EXISTS capitana.canary (node VARCHAR(190) CHARACTER SET utf8mb4 PRIMARY KEY, \
     commits BIGINT UNSIGNED NOT NULL) ENGINE=InnoDB",
    "CREATE TABLE IF NOT EXISTS capitana.canary_local (id INT PRIMARY KEY) ENGINE=InnoDB",
];
/// InnoDB commits the statistics of a table in a transaction of its own, which waits for the disk as every other does, and
/// is replicated nowhere: neither by Galera nor in the binary log. `SET SESSION wsrep_on=OFF` would need SUPER.
const LOCAL: &str = "ANALYZE LOCAL TABLE capitana.canary_local";

/// "Unknown database" and "Table doesn't exist".
const MISSING: [u16; 2] = [1049, 1146];
/// Access denied: to a database, to the server, to a table, to a column, for want of a privilege.
const DENIED: [u16; 5] = [1044, 1045, 1142, 1143, 1227];

/// Makes one commit. A row's tables are made if they are missing, and if the account may; where the row goes, they go too.
///
/// # Errors
/// The server's, or the connection's.
pub async fn commit(conn: &mut Conn, kind: Canary, node: &str) -> Result<(), SqlError> {
    match kind {
        Canary::Local => local(conn).await,
        Canary::Row => match row(conn, node).await {
            Err(SqlError::Server(error)) if MISSING.contains(&error.code) => {
                create(conn).await?;
                row(conn, node).await
            }
            outcome => outcome,
        },
    }
}

/// What an error of a commit of this kind means.
#[must_use]
pub fn outcome(kind: Canary, error: &SqlError) -> Commit {
    match error {
        // A server that does not lead makes no table: that would be replicated, or differ from the primary's.
        SqlError::Server(error) if kind == Canary::Local && MISSING.contains(&error.code) => Commit::TooEarly,
        SqlError::Server(error) if DENIED.contains(&error.code) || MISSING.contains(&error.code) => {
            Commit::Impossible(format!("{}: {REMEDY}", error.message))
        }
        SqlError::Server(error) => Commit::Refused { code: error.code, cause: error.message.clone() },
        error => Commit::Lost(words(error)),
    }
}

async fn row(conn: &mut Conn, node: &str) -> Result<(), SqlError> {
    conn.query_drop(insert(node)).await
}

/// In hexadecimal, because what has to be quoted depends on `sql_mode`.
fn insert(node: &str) -> String {
    let name: String = node.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "INSERT INTO capitana.canary (node, commits) VALUES (_utf8mb4 X'{name}', 1) \
         ON DUPLICATE KEY UPDATE commits = commits + 1"
    )
}

/// An account that may make the tables need not be allowed to make the database.
async fn create(conn: &mut Conn) -> Result<(), SqlError> {
    match conn.query_drop(DATABASE).await {
        Err(SqlError::Server(error)) if DENIED.contains(&error.code) => {}
        outcome => outcome?,
    }
    for table in TABLES {
        conn.query_drop(table).await?;
    }
    Ok(())
}

/// `ANALYZE` tells its errors in rows, without their codes.
async fn local(conn: &mut Conn) -> Result<(), SqlError> {
    let rows: Vec<Row> = conn.query(LOCAL).await?;
    let is_error = |row: &&Row| text(row, 2).is_some_and(|kind| kind.eq_ignore_ascii_case("error"));
    match rows.iter().find(is_error) {
        Some(row) => Err(SqlError::Server(mysql_async::ServerError {
            code: MISSING[1],
            message: text(row, 3).unwrap_or_default(),
            state: "HY000".to_owned(),
        })),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use mysql_async::ServerError;

    use super::*;

    fn error(code: u16) -> SqlError {
        SqlError::Server(ServerError { code, message: "no".to_owned(), state: "HY000".to_owned() })
    }

    #[test]
    fn a_name_is_data_whatever_is_in_it() {
        assert!(insert("it's").contains("X'69742773'"));
    }

    #[test]
    fn a_missing_right_or_table_is_the_operators_to_mend_and_says_how() {
        for code in [1044, 1049, 1142, 1146, 1227] {
            let Commit::Impossible(cause) = outcome(Canary::Row, &error(code)) else { panic!("{code}") };
            assert!(cause.contains("GRANT CREATE"), "{cause}");
        }
    }

    #[test]
    fn a_server_that_does_not_lead_waits_for_the_table_and_for_no_right() {
        for code in [1049, 1146] {
            assert_eq!(outcome(Canary::Local, &error(code)), Commit::TooEarly, "{code}");
        }
        assert!(matches!(outcome(Canary::Local, &error(1142)), Commit::Impossible(_)));
    }

    #[test]
    fn every_other_error_is_the_servers_answer() {
        for code in [1021, 1114, 1205, 1290] {
            assert_eq!(outcome(Canary::Row, &error(code)), Commit::Refused { code, cause: "no".to_owned() });
        }
    }
}
