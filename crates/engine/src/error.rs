//! Why a whole file cannot be converted.

use std::io;

use crate::compression::{ArchiveFault, Compression, LimitFault};
use crate::grok::GrokError;

/// Why a whole file cannot be converted; nothing of it counts as written.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// Reading failed for a reason outside the file's content; trying again may help.
    #[error("cannot be read: {0}")]
    Read(#[source] io::Error),
    /// Writing rows or rejects failed; trying again may help.
    #[error("its rows cannot be written: {0}")]
    Write(#[source] io::Error),
    /// The compressed content ends too early.
    #[error(
        "is {compression}-compressed and ends before its content does (after {decoded} bytes of \
         it); it was probably cut while being written or copied"
    )]
    Truncated {
        /// The compression.
        compression: Compression,
        /// Bytes that could be decoded.
        decoded: u64,
    },
    /// The compressed content is damaged.
    #[error(
        "is damaged: its {compression} content cannot be decoded at byte {decoded}: {}",
        one_line(fault)
    )]
    Corrupt {
        /// The compression.
        compression: Compression,
        /// Bytes that could be decoded.
        decoded: u64,
        /// What the decoder says.
        fault: String,
    },
    /// The content is of another format than the plan's.
    #[error("is {found}; this plan reads {expected}")]
    OtherFormat {
        /// What the content is.
        found: &'static str,
        /// What the plan reads.
        expected: &'static str,
    },
    /// An archive unpacks to too much, or holds too many archives in each other.
    #[error("is no archive that is safe to unpack: {0}")]
    Limit(#[source] LimitFault),
    /// A zip archive, or an entry of it, is not read.
    #[error("cannot be unpacked: {0}")]
    Archive(#[source] ArchiveFault),
    /// An entry of a zip archive cannot be converted.
    #[error("holds {entry:?}, which {fault}")]
    Entry {
        /// The entry's name.
        entry: String,
        /// Why.
        #[source]
        fault: Box<ConvertError>,
    },
    /// The content is damaged, or written in a way that is not read.
    #[error("cannot be read as {format}: {}", one_line(fault))]
    Unreadable {
        /// The format.
        format: &'static str,
        /// What the format's library says, and where.
        fault: String,
    },
    /// The library that reads the format gave up in a way that only this file can be the cause of.
    #[error("is damaged, or written in a way that is not read: {}", one_line(.0))]
    Panic(String),
    /// The table's grok pattern cannot be used.
    #[error("cannot be taken apart by the table's grok pattern: {0}")]
    Pattern(#[source] GrokError),
    /// A record is too long.
    #[error("has a record at byte {offset} (line {line}) that is longer than 16 MiB")]
    RecordTooLong {
        /// The record's first byte, in the decompressed content.
        offset: u64,
        /// The record's first line.
        line: u64,
    },
    /// A CSV file's header lacks a column that the plan requires.
    #[error(
        "has no column `{missing}` in its first line, which has {}", one_line(&found.join(", "))
    )]
    MissingColumn {
        /// The column.
        missing: String,
        /// The columns that the file has.
        found: Vec<String>,
    },
    /// A CSV file's first line is no row.
    #[error("has no readable header: {}", one_line(.0))]
    Header(String),
}

impl ConvertError {
    /// Whether the file's own content is at fault, so that trying again cannot help.
    pub fn is_poison(&self) -> bool {
        match self {
            Self::Read(_) | Self::Write(_) => false,
            Self::Entry { fault, .. } => fault.is_poison(),
            _ => true,
        }
    }

    /// Says which entry of an archive it is that is at fault, if it is one.
    pub(crate) fn in_entry(self, entry: Option<String>) -> Self {
        match entry {
            Some(entry) if self.is_poison() => Self::Entry { entry, fault: Box::new(self) },
            _ => self,
        }
    }
}

/// What a library says may quote the file, which may hold anything.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_says_stays_on_the_line() {
        let fault = "its codec `\u{1b}[31m\n\0ü` is not known".to_owned();
        assert_eq!(
            ConvertError::Unreadable { format: "Avro", fault }.to_string(),
            "cannot be read as Avro: its codec `\\u{1b}[31m\\n\\u{0}ü` is not known"
        );
    }
}
