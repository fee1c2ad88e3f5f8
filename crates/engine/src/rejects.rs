//! Rejected records as JSON lines: the bytes, the reason, and where they were.

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

/// A rejected record; one line of the rejects.
#[derive(Debug, Serialize)]
pub(crate) struct Reject<'a> {
    pub(crate) file: &'a str,
    /// The record's first byte, in the decompressed content.
    pub(crate) offset: u64,
    /// The record's first line, counted from one.
    pub(crate) line: u64,
    pub(crate) reason: &'a str,
    pub(crate) message: &'a str,
    #[serde(flatten)]
    pub(crate) bytes: Bytes<'a>,
}

/// The record itself: as text, or in Base64 where it is none.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bytes<'a> {
    Record(&'a str),
    RecordBase64(String),
}

impl<'a> Bytes<'a> {
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Record(text),
            Err(_) => Self::RecordBase64(STANDARD.encode(bytes)),
        }
    }
}

impl Reject<'_> {
    pub(crate) fn write(&self, mut out: impl Write) -> io::Result<()> {
        serde_json::to_writer(&mut out, self)?;
        out.write_all(b"\n")
    }
}
