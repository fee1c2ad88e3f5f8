//! A stripe: its footer, and the streams of its columns.
//!
//! Source: ORC specification v1, "Stripes" and "Stripe Footer".

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use bytes::Bytes;

use super::compression::{self, Blocks, Compression, Stored};
use super::fault::Fault;
use super::integers::Version;
use super::protobuf::{Message, Value};
use super::tail::StripePlace;
use super::zone::Zone;
use crate::columnar::ranged::Ranged;

/// Streams up to this length are held; others are read piece by piece.
const LONGEST_HELD: u64 = 256 * 1024;
/// Held streams with less than that between them are read as one, if that is not long.
const NEAR: u64 = 64 * 1024;
const LONGEST_JOINED: u64 = 4 * 1024 * 1024;

// Fields of the footer, of a stream and of an encoding.
const STREAMS: u64 = 1;
const ENCODINGS: u64 = 2;
const WRITER_TIMEZONE: u64 = 3;
const KIND: u64 = 1;
const COLUMN: u64 = 2;
const LENGTH: u64 = 3;
const DICTIONARY_SIZE: u64 = 2;

/// What a stream has of its column. There are other kinds, which say where something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum StreamKind {
    Present,
    Data,
    Length,
    DictionaryData,
    Secondary,
}

impl StreamKind {
    fn of(number: u64) -> Option<Self> {
        Some(match number {
            0 => Self::Present,
            1 => Self::Data,
            2 => Self::Length,
            3 => Self::DictionaryData,
            5 => Self::Secondary,
            _ => return None,
        })
    }
}

/// How a column's values are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Encoding {
    pub(super) version: Version,
    /// How many values the dictionary has, if there is one
    pub(super) dictionary: Option<u64>,
}

/// What a footer says of the wanted columns.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct StripeFooter {
    /// Where each stream that has content is in the file
    streams: BTreeMap<(u64, StreamKind), Range<u64>>,
    encodings: BTreeMap<u64, Encoding>,
    /// Of the zone in which times were written
    zone: String,
}

impl StripeFooter {
    pub(super) fn new(
        stored: Bytes,
        compression: Option<Compression>,
        stripe: &StripePlace,
        wanted: &BTreeSet<u64>,
    ) -> Result<Self, Fault> {
        let footer = compression::footer(stored, compression)?;
        let mut found =
            Self { streams: BTreeMap::new(), encodings: BTreeMap::new(), zone: String::new() };
        let (mut start, mut column) = (stripe.offset, 0);
        let mut message = Message::new(&footer);
        while let Some((field, value)) = message.next().ok_or(Fault::Footer)? {
            match (field, value) {
                (STREAMS, Value::Bytes(bytes)) => {
                    let stream = StoredStream::new(bytes).ok_or(Fault::Footer)?;
                    let end = start.saturating_add(stream.length);
                    if let Some(kind) = StreamKind::of(stream.kind)
                        && wanted.contains(&stream.column)
                        && stream.length > 0
                    {
                        if stripe.footer().start < end {
                            return Err(Fault::Footer);
                        }
                        found.streams.insert((stream.column, kind), start..end);
                    }
                    start = end;
                }
                (ENCODINGS, Value::Bytes(bytes)) => {
                    if wanted.contains(&column) {
                        let encoding = encoding(bytes).ok_or(Fault::Footer)?;
                        found.encodings.insert(column, encoding);
                    }
                    column += 1;
                }
                (WRITER_TIMEZONE, Value::Bytes(name)) => {
                    found.zone = String::from_utf8_lossy(name).into_owned();
                }
                _ => {}
            }
        }
        Ok(found)
    }
}

/// Nothing if that is no encoding.
fn encoding(bytes: &[u8]) -> Option<Encoding> {
    let (mut kind, mut size) = (0, 0);
    let mut message = Message::new(bytes);
    while let Some((field, value)) = message.next()? {
        match (field, value) {
            (KIND, Value::Number(number)) => kind = number,
            (DICTIONARY_SIZE, Value::Number(number)) => size = number,
            _ => {}
        }
    }
    Some(match kind {
        0 => Encoding { version: Version::V1, dictionary: None },
        1 => Encoding { version: Version::V1, dictionary: Some(size) },
        2 => Encoding { version: Version::V2, dictionary: None },
        3 => Encoding { version: Version::V2, dictionary: Some(size) },
        _ => return None,
    })
}

/// How a footer describes a stream.
#[derive(Default)]
struct StoredStream {
    kind: u64,
    column: u64,
    length: u64,
}

impl StoredStream {
    /// Nothing if that is no stream.
    fn new(bytes: &[u8]) -> Option<Self> {
        let mut stream = Self::default();
        let mut message = Message::new(bytes);
        while let Some((field, value)) = message.next()? {
            match (field, value) {
                (KIND, Value::Number(number)) => stream.kind = number,
                (COLUMN, Value::Number(number)) => stream.column = number,
                (LENGTH, Value::Number(number)) => stream.length = number,
                _ => {}
            }
        }
        Some(stream)
    }
}

/// A stripe on its way.
pub(super) struct Stripe {
    footer: StripeFooter,
    compression: Option<Compression>,
    /// The file with its short streams, and with its long ones
    held: Ranged,
    in_pieces: Ranged,
}

impl Stripe {
    /// Announces what will be read.
    pub(super) fn new(
        file: &Ranged,
        footer: StripeFooter,
        compression: Option<Compression>,
    ) -> Self {
        let mut streams: Vec<&Range<u64>> = footer.streams.values().collect();
        streams.sort_unstable_by_key(|stream| stream.start);
        let (held, in_pieces): (Vec<_>, Vec<_>) = streams.into_iter().cloned().partition(is_held);
        let held = file.with_whole_chunks(joined(held));
        let in_pieces = file.with_chunks(in_pieces);
        Self { footer, compression, held, in_pieces }
    }

    /// The zone in which its times were written.
    pub(super) fn zone(&self) -> Result<Zone, Fault> {
        Zone::of(&self.footer.zone)
    }

    /// Whether any column that is read has data.
    pub(super) fn has_data(&self) -> bool {
        !self.footer.streams.is_empty()
    }

    pub(super) fn encoding(&self, column: u64) -> Result<Encoding, Fault> {
        self.footer.encodings.get(&column).copied().ok_or(Fault::Footer)
    }

    /// A column's stream, if it has such a one.
    pub(super) fn find(&self, column: u64, kind: StreamKind) -> Result<Option<Stream>, Fault> {
        let Some(range) = self.footer.streams.get(&(column, kind)) else { return Ok(None) };
        let bytes = match is_held(range) {
            true => StreamBytes::Held(self.held.bytes(range.start, range.end - range.start)?),
            false => StreamBytes::InPieces { file: self.in_pieces.clone(), rest: range.clone() },
        };
        Ok(Some(Blocks::new(bytes, self.compression)))
    }

    /// A column's stream, empty if it has no such one: there is none where there are no values.
    pub(super) fn stream(&self, column: u64, kind: StreamKind) -> Result<Stream, Fault> {
        let found = self.find(column, kind)?;
        Ok(found.unwrap_or_else(|| Blocks::new(StreamBytes::Held(Bytes::new()), None)))
    }
}

fn is_held(stream: &Range<u64>) -> bool {
    stream.end - stream.start <= LONGEST_HELD
}

/// Streams in their order in the file, those near each other as one.
fn joined(streams: Vec<Range<u64>>) -> Vec<Range<u64>> {
    let mut joined: Vec<Range<u64>> = Vec::new();
    for stream in streams {
        match joined.last_mut() {
            Some(last)
                if stream.start - last.end < NEAR && stream.end - last.start <= LONGEST_JOINED =>
            {
                last.end = stream.end;
            }
            _ => joined.push(stream),
        }
    }
    joined
}

/// A stream, decompressed as it is read.
pub(super) type Stream = Blocks<StreamBytes>;

/// A stream as it is stored.
pub(super) enum StreamBytes {
    Held(Bytes),
    InPieces { file: Ranged, rest: Range<u64> },
}

impl Stored for StreamBytes {
    fn left(&self) -> u64 {
        match self {
            Self::Held(bytes) => bytes.left(),
            Self::InPieces { rest, .. } => rest.end - rest.start,
        }
    }

    fn next(&mut self, count: u64) -> Result<Bytes, Fault> {
        match self {
            Self::Held(bytes) => bytes.next(count),
            Self::InPieces { file, rest } => {
                let bytes = file.bytes(rest.start, count)?;
                rest.start += count;
                Ok(bytes)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Stream {
        /// What is not compressed.
        pub(in super::super) fn of(bytes: &[u8]) -> Self {
            Blocks::new(StreamBytes::Held(Bytes::copy_from_slice(bytes)), None)
        }
    }

    /// The footer of a stripe with so many bytes of streams, of which two columns are wanted.
    fn footer(bytes: &[u8], length: u8) -> Result<StripeFooter, Fault> {
        // offset 3, dataLength, footerLength 1
        let tail = [0x1a, 6, 0x08, 3, 0x18, length, 0x20, 1, 0x22, 2, 0x08, 12];
        let tail = super::super::tail::tests::tail(&tail);
        let wanted = BTreeSet::from([1, 3]);
        StripeFooter::new(Bytes::copy_from_slice(bytes), None, &tail.stripes[0], &wanted)
    }

    /// The field of a stream of that kind, column and length.
    fn stream(kind: u8, column: u8, length: u8) -> [u8; 8] {
        [0x0a, 6, 0x08, kind, 0x10, column, 0x18, length]
    }

    #[test]
    fn streams_lie_one_behind_the_other() {
        let streams = [
            stream(6, 1, 9),
            stream(0, 1, 0),
            stream(1, 1, 5),
            stream(1, 2, 20),
            stream(5, 3, 7),
            stream(8, 3, 9),
        ];
        let found = footer(&streams.concat(), 50).unwrap().streams;
        let expected = [((1, StreamKind::Data), 12..17), ((3, StreamKind::Secondary), 37..44)];
        assert_eq!(found, BTreeMap::from(expected));
    }

    #[test]
    fn streams_that_leave_the_stripe_are_refused() {
        assert!(footer(&stream(1, 1, 50), 50).is_ok());
        assert!(matches!(footer(&stream(1, 1, 51), 50), Err(Fault::Footer)));
        let far =
            [0x0a, 14, 0x10, 1, 0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0];
        assert!(footer(&[&far[..14], &[0x08, 1]].concat(), 50).is_err());
    }

    #[test]
    fn encodings_are_those_of_the_columns_in_order() {
        let encodings = [0x12, 2, 0x08, 2, 0x12, 2, 0x08, 0, 0x12, 0, 0x12, 4, 0x08, 3, 0x10, 9];
        let found = footer(&encodings, 50).unwrap().encodings;
        let direct = Encoding { version: Version::V1, dictionary: None };
        let dictionary = Encoding { version: Version::V2, dictionary: Some(9) };
        assert_eq!(found, BTreeMap::from([(1, direct), (3, dictionary)]));
        assert!(footer(&[0x12, 0, 0x12, 2, 0x08, 4], 50).is_err());
    }

    #[test]
    fn a_zone_is_told_by_its_name() {
        assert_eq!(footer(&[0x1a, 3, b'G', b'M', b'T'], 0).unwrap().zone, "GMT");
        assert_eq!(footer(b"", 0).unwrap().zone, "");
        assert!(matches!(footer(b"\xff", 0), Err(Fault::Footer)));
    }

    #[test]
    fn near_streams_are_joined_unless_that_is_long() {
        let near = joined(vec![3..13, NEAR + 12..NEAR + 32, 2 * NEAR + 32..2 * NEAR + 33]);
        assert_eq!(near, [3..NEAR + 32, 2 * NEAR + 32..2 * NEAR + 33]);
        let long = LONGEST_JOINED;
        assert_eq!(
            joined(vec![3..long + 3, long + 3..long + 4]),
            [3..long + 3, long + 3..long + 4]
        );
        assert_eq!(joined(vec![3..long + 2, long + 2..long + 3]).len(), 1);
    }
}
