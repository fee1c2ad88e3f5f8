//! Rejected records as JSON lines: the record, the reason, and where it was.

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::json::write as json;
use crate::row_buffer::RowBuffer;
use crate::window::Place;

/// A rejected record; one line of the rejects.
#[derive(Debug, Serialize)]
pub(crate) struct Reject<'a> {
    pub(crate) file: &'a str,
    #[serde(flatten)]
    pub(crate) position: Position,
    pub(crate) reason: &'a str,
    pub(crate) message: &'a str,
    /// The last member, which is most of the line and is written without a serializer
    #[serde(skip)]
    pub(crate) content: Content<'a>,
}

/// Where in a file a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
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

/// Of a line, behind the record.
const END: &[u8] = b"\"}\n";

impl Reject<'_> {
    /// Writes it as a line, which is put together in `line`.
    pub(crate) fn write(&self, line: &mut RowBuffer, mut out: impl Write) -> io::Result<()> {
        let mut head = serde_json::to_string(self)?;
        head.pop();
        let (name, text) = match &self.content {
            Content::Record(text) => ("record", *text),
            Content::RecordBase64(text) => ("record_base64", text.as_str()),
        };
        json::name(&mut head, name);
        head.push('"');
        line.truncate(0);
        line.extend_from_slice(head.as_bytes());
        if json::escape_in_blocks(line, text) {
            line.extend_from_slice(END);
            return out.write_all(line.as_slice());
        }
        json::escape(&mut head, text);
        out.write_all(head.as_bytes())?;
        out.write_all(END)
    }
}
