//! Rejected records as JSON lines: the record, the reason, and where it was.

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::json::write as json;
use crate::row_buffer::RowBuffer;
use crate::window::Place;

/// Lines are handed on in blocks of this size.
const OUT_BLOCK: usize = 64 * 1024;
/// A record is escaped in pieces of this size, of which each byte may become six.
const PIECE: usize = 16 * 1024;

/// A rejected record; one line of the rejects.
#[derive(Debug)]
pub(crate) struct Reject<'a> {
    pub(crate) file: &'a Members,
    pub(crate) position: Position,
    pub(crate) reason: &'a Members,
    pub(crate) content: Content<'a>,
}

/// Members that many lines have, and the comma behind them.
#[derive(Debug)]
pub(crate) struct Members(String);

impl Members {
    pub(crate) fn of_file(name: &str) -> Self {
        Self::new(&[("file", name)])
    }

    pub(crate) fn of_reason(code: &str, message: &str) -> Self {
        Self::new(&[("reason", code), ("message", message)])
    }

    fn new(members: &[(&str, &str)]) -> Self {
        let mut text = String::new();
        for (name, value) in members {
            json::name(&mut text, name);
            json::string(&mut text, value);
        }
        text.push(',');
        Self(text)
    }
}

/// Where in a file a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Position {
    Text(Place),
    /// In Parquet; rows are counted from one, row groups from zero
    RowGroup {
        row: u64,
        row_group: usize,
    },
    /// In ORC; rows are counted from one, stripes from zero
    Stripe {
        row: u64,
        stripe: usize,
    },
    /// In Avro; rows are counted from one, blocks from zero
    Block {
        row: u64,
        block: u64,
    },
    /// In Ion and BSON, where a row is a value at the top or a document, counted from one
    Row {
        row: u64,
    },
}

/// The record itself: as text, or in Base64 where it is none.
#[derive(Debug)]
pub(crate) enum Content<'a> {
    Record(&'a str),
    RecordBase64(String),
}

impl<'a> Content<'a> {
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        match simdutf8::basic::from_utf8(bytes) {
            Ok(text) => Self::Record(text),
            Err(_) => Self::RecordBase64(STANDARD.encode(bytes)),
        }
    }
}

impl Position {
    fn write(self, line: &mut RowBuffer) {
        let mut member = |name: &str, number: u64| {
            line.push(b'"');
            line.extend_from_slice(name.as_bytes());
            line.extend_from_slice(b"\":");
            line.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
            line.push(b',');
        };
        let (row, part) = match self {
            Self::Text(Place { offset, line }) => {
                member("offset", offset);
                return member("line", line);
            }
            Self::RowGroup { row, row_group } => (row, Some(("row_group", row_group as u64))),
            Self::Stripe { row, stripe } => (row, Some(("stripe", stripe as u64))),
            Self::Block { row, block } => (row, Some(("block", block))),
            Self::Row { row } => (row, None),
        };
        member("row", row);
        if let Some((name, number)) = part {
            member(name, number);
        }
    }
}

impl Reject<'_> {
    /// Appends it to the lines, which are handed on to `out` as they become many.
    pub(crate) fn write(&self, lines: &mut RowBuffer, mut out: impl Write) -> io::Result<()> {
        lines.push(b'{');
        lines.extend_from_slice(self.file.0.as_bytes());
        self.position.write(lines);
        lines.extend_from_slice(self.reason.0.as_bytes());
        let (name, text) = match &self.content {
            Content::Record(text) => ("\"record\":\"", *text),
            Content::RecordBase64(text) => ("\"record_base64\":\"", text.as_str()),
        };
        lines.extend_from_slice(name.as_bytes());
        for piece in text.as_bytes().chunks(PIECE) {
            json::escape_piece(lines, piece);
            hand_on_block(lines, &mut out)?;
        }
        lines.extend_from_slice(b"\"}\n");
        // Of an empty record there is no piece.
        hand_on_block(lines, out)
    }
}

fn hand_on_block(lines: &mut RowBuffer, out: impl Write) -> io::Result<()> {
    if lines.len() < OUT_BLOCK { Ok(()) } else { hand_on(lines, out) }
}

/// Writes all lines there are.
pub(crate) fn hand_on(lines: &mut RowBuffer, mut out: impl Write) -> io::Result<()> {
    out.write_all(lines.as_slice())?;
    lines.truncate(0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// The lines of records, and how many bytes waited for the end.
    fn lines(rejects: &[(Position, &[u8])]) -> (Vec<Value>, usize) {
        let (file, reason) = (Members::of_file("a \"b\".json"), Members::of_reason("c", "d\n"));
        let (mut waiting, mut out) = (RowBuffer::default(), Vec::new());
        for (position, record) in rejects {
            let content = Content::of(record);
            let reject = Reject { file: &file, position: *position, reason: &reason, content };
            reject.write(&mut waiting, &mut out).unwrap();
        }
        let waited = waiting.len();
        hand_on(&mut waiting, &mut out).unwrap();
        assert_eq!(waiting.len(), 0);
        let text = String::from_utf8(out).unwrap();
        (text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), waited)
    }

    #[test]
    fn a_line_says_what_and_where() {
        let place = Place { offset: 7, line: 2 };
        let (lines, waited) = lines(&[
            (Position::Text(place), b"{\"a\":\"\\n\"}"),
            (Position::RowGroup { row: 1, row_group: 0 }, &[0xff]),
            (Position::Stripe { row: 1, stripe: 3 }, b""),
            (Position::Block { row: u64::MAX, block: 4 }, b""),
            (Position::Row { row: 5 }, b"\x01"),
        ]);
        assert!(waited > 0);
        let common = json!({"file": "a \"b\".json", "reason": "c", "message": "d\n"});
        for (line, own) in lines.into_iter().zip([
            json!({"offset": 7, "line": 2, "record": "{\"a\":\"\\n\"}"}),
            json!({"row": 1, "row_group": 0, "record_base64": "/w=="}),
            json!({"row": 1, "stripe": 3, "record": ""}),
            json!({"row": u64::MAX, "block": 4, "record": ""}),
            json!({"row": 5, "record": "\u{1}"}),
        ]) {
            let mut expected = common.clone();
            expected.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
            assert_eq!(line, expected);
        }
    }

    #[test]
    fn empty_records_do_not_wait_without_end() {
        let (lines, waited) = lines(&vec![(Position::Row { row: 1 }, b"".as_slice()); OUT_BLOCK]);
        assert_eq!(lines.len(), OUT_BLOCK);
        assert!(waited < OUT_BLOCK, "{waited}");
    }

    #[test]
    fn long_records_do_not_wait_whole() {
        let record = "\"é\u{1}".repeat(OUT_BLOCK);
        let place = Position::Row { row: 1 };
        let (lines, waited) = lines(&[(place, record.as_bytes()), (place, b"short")]);
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["record"], record.as_str());
        assert_eq!(lines[1]["record"], "short");
        assert!(waited < OUT_BLOCK, "{waited}");
    }
}
