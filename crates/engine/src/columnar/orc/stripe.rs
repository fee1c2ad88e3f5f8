//! What is at the end of a stripe: where its streams are, and in which zone its times were written.
//!
//! Source: ORC specification v1, "Stripe Footer".

use std::io::{self, Read as _};
use std::ops::Range;

use bytes::Bytes;
use orc_rust::compression::{Compression, Decompressor};
use orc_rust::stripe::StripeMetadata;

use super::protobuf::{Message, Value};

/// The longest footer, decompressed.
const MAX_FOOTER: u64 = 64 * 1024 * 1024;
/// Streams with less than that between them are read as one, if that is not long.
const NEAR: u64 = 64 * 1024;
const LONGEST_JOINED: u64 = 4 * 1024 * 1024;

// Fields of the footer and of a stream.
const STREAMS: u64 = 1;
const WRITER_TIMEZONE: u64 = 3;
const COLUMN: u64 = 2;
const LENGTH: u64 = 3;

/// Where a stripe's footer is.
pub(super) fn footer_range(stripe: &StripeMetadata) -> Range<u64> {
    let start = stripe.footer_offset();
    start..start.saturating_add(stripe.footer_length())
}

/// Why a footer is not read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("its footer is longer than 64 MiB")]
    TooLong,
    #[error("its footer is damaged")]
    Damaged,
}

/// A footer, decompressed.
pub(super) struct StripeFooter(Vec<u8>);

impl StripeFooter {
    pub(super) fn new(bytes: Bytes, compression: Option<Compression>) -> io::Result<Self> {
        let mut footer = Vec::new();
        let decompressed = Decompressor::new(bytes, compression, Vec::new());
        decompressed.take(MAX_FOOTER + 1).read_to_end(&mut footer)?;
        match footer.len() as u64 <= MAX_FOOTER {
            true => Ok(Self(footer)),
            false => Err(io::Error::other(Refusal::TooLong)),
        }
    }

    /// Whether times were written in a zone other than UTC.
    pub(super) fn has_zone(&self) -> Result<bool, Refusal> {
        let mut has_zone = false;
        let mut message = Message::new(&self.0);
        while let Some((field, value)) = message.next().ok_or(Refusal::Damaged)? {
            if let (WRITER_TIMEZONE, Value::Bytes(zone)) = (field, value) {
                has_zone = !matches!(zone, b"UTC" | b"GMT" | b"Etc/UTC");
            }
        }
        Ok(has_zone)
    }

    /// Where the streams of the wanted columns are in the file, in order.
    pub(super) fn wanted(
        &self,
        stripe: &StripeMetadata,
        is_wanted: impl Fn(u64) -> bool,
    ) -> Vec<Range<u64>> {
        let mut wanted: Vec<Range<u64>> = Vec::new();
        let mut start = stripe.offset();
        let mut message = Message::new(&self.0);
        while let Some(Some((field, value))) = message.next() {
            let (STREAMS, Value::Bytes(stream)) = (field, value) else { continue };
            let (column, length) = column_and_length(stream);
            let end = start.saturating_add(length).min(stripe.footer_offset()).max(start);
            if is_wanted(column) {
                match wanted.last_mut() {
                    Some(last) if start - last.end < NEAR && end - last.start <= LONGEST_JOINED => {
                        last.end = end;
                    }
                    _ => wanted.push(start..end),
                }
            }
            start = end;
        }
        wanted
    }
}

fn column_and_length(stream: &[u8]) -> (u64, u64) {
    let (mut column, mut length) = (0, 0);
    let mut message = Message::new(stream);
    while let Some(Some((field, value))) = message.next() {
        match (field, value) {
            (COLUMN, Value::Number(number)) => column = number,
            (LENGTH, Value::Number(number)) => length = number,
            _ => {}
        }
    }
    (column, length)
}

#[cfg(test)]
mod tests {
    use orc_rust::proto::StripeInformation;

    use super::super::protobuf::push_varint;
    use super::*;

    /// From where to where column 1 is read, where streams of these columns and lengths begin at 3.
    fn ranges(streams: &[(u64, u64)]) -> Vec<(u64, u64)> {
        let mut footer = Vec::new();
        for (column, length) in streams {
            let mut stream = Vec::new();
            for number in [COLUMN << 3, *column, LENGTH << 3, *length] {
                push_varint(&mut stream, number);
            }
            footer.extend([(STREAMS as u8) << 3 | 2, stream.len() as u8]);
            footer.extend(stream);
        }
        let information = StripeInformation {
            offset: Some(3),
            data_length: Some(10 * LONGEST_JOINED),
            ..StripeInformation::default()
        };
        let stripe = StripeMetadata::try_from(&information).unwrap();
        let footer = StripeFooter::new(footer.into(), None).unwrap();
        let wanted = footer.wanted(&stripe, |column| column == 1);
        wanted.into_iter().map(|range| (range.start, range.end)).collect()
    }

    #[test]
    fn near_streams_are_joined_unless_that_is_long() {
        assert_eq!(ranges(&[(1, 10), (2, NEAR - 1), (1, 20)]), [(3, NEAR + 32)]);
        assert_eq!(ranges(&[(1, 10), (2, NEAR), (1, 20)]), [(3, 13), (NEAR + 13, NEAR + 33)]);
        let long = LONGEST_JOINED;
        assert_eq!(ranges(&[(1, 10), (1, long), (2, 5)]), [(3, 13), (13, long + 13)]);
        assert_eq!(ranges(&[(2, 10)]), []);
        assert_eq!(
            ranges(&[(1, u64::MAX), (1, 5)])[0],
            (3, 10 * long + 3),
            "no more than there is"
        );
    }

    #[test]
    fn a_zone_is_one_that_is_not_utc() {
        for (zone, is_zone) in [("UTC", false), ("Etc/UTC", false), ("Europe/Berlin", true)] {
            let mut footer = vec![0x1a, zone.len() as u8];
            footer.extend(zone.as_bytes());
            let footer = StripeFooter::new(footer.into(), None).unwrap();
            assert_eq!(footer.has_zone(), Ok(is_zone), "{zone}");
        }
        let footer = |bytes| StripeFooter::new(Bytes::from_static(bytes), None).unwrap();
        assert_eq!(footer(b"").has_zone(), Ok(false));
        assert_eq!(footer(b"\xff").has_zone(), Err(Refusal::Damaged));
    }
}
