//! The canonical text of what mysql_async saw: the counterpart of `python/transcript.py`.

use std::fmt::{Display, Write as _};

use mysql_async::{Column, Error, Row, Value};
use ring::digest::{SHA256, digest};

/// Longer values are told by their length and digest.
const SHOWN: usize = 200;

#[derive(Debug, Default)]
pub(super) struct Transcript(String);

impl Transcript {
    pub(super) fn say(&mut self, line: impl Display) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "{line}");
    }

    pub(super) fn columns(&mut self, columns: &[Column]) {
        for column in columns {
            self.say(format_args!(
                "  column {}.{}.{} from {}.{}: {:?}, {:?}, character set {}, length {}, decimals {}",
                column.schema_str(),
                column.table_str(),
                column.name_str(),
                column.org_table_str(),
                column.org_name_str(),
                column.column_type(),
                column.flags(),
                column.character_set(),
                column.column_length(),
                column.decimals(),
            ));
        }
    }

    /// Few rows are told one by one, many by their number and digest.
    pub(super) fn rows(&mut self, rows: Vec<Row>) {
        let lines: Vec<String> = rows.into_iter().map(row).collect();
        if lines.len() > 100 {
            self.say(format_args!("  {} rows, {}", lines.len(), bytes(lines.join("\n").as_bytes())));
        } else {
            lines.iter().for_each(|line| self.say(line));
        }
    }

    pub(super) fn value(&mut self, seen: &Value) {
        self.say(format_args!("  value {}", value(seen)));
    }

    pub(super) fn error(&mut self, error: &Error) {
        match error {
            Error::Server(error) => {
                self.say(format_args!("  error {} ({}): {}", error.code, error.state, error.message));
            }
            other => self.say(format_args!("  error of the driver: {other}")),
        }
    }

    pub(super) fn into_text(mut self) -> String {
        self.say("end of transcript");
        self.0
    }
}

fn row(row: Row) -> String {
    let values: Vec<String> = row.unwrap().iter().map(value).collect();
    format!("  row {}", values.join(", "))
}

fn value(value: &Value) -> String {
    match value {
        Value::Bytes(seen) => bytes(seen),
        other => format!("{other:?}"),
    }
}

fn bytes(seen: &[u8]) -> String {
    if seen.len() <= SHOWN {
        return format!("'{}'", seen.escape_ascii());
    }
    let digest = digest(&SHA256, seen);
    digest.as_ref().iter().fold(format!("{} bytes, sha256 ", seen.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
