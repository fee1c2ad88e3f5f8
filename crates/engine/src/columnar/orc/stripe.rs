//! What is at the end of a stripe: where its streams are, and in which zone its times were written.
//!
//! Source: ORC specification v1, "Stripe Footer".

use std::collections::HashMap;
use std::io::{self, Read as _};
use std::ops::Range;

use bytes::Bytes;
use orc_rust::compression::{Compression, Decompressor};
use orc_rust::schema::RootDataType;
use orc_rust::stripe::StripeMetadata;

use super::protobuf::{Message, Value};

/// The longest footer, decompressed.
const MAX_FOOTER: u64 = 64 * 1024 * 1024;
/// Streams with less than that between them are read as one, if that is not long.
const NEAR: u64 = 64 * 1024;
const LONGEST_JOINED: u64 = 4 * 1024 * 1024;
/// Columns whose streams have no more than that are one group.
const LARGEST_GROUP: u64 = LONGEST_JOINED;

// Fields of the footer and of a stream.
const STREAMS: u64 = 1;
const WRITER_TIMEZONE: u64 = 3;
const KIND: u64 = 1;
const COLUMN: u64 = 2;
const LENGTH: u64 = 3;
/// Kinds of streams that say where something is: the row index and Bloom filters.
const INDEXES: std::ops::RangeInclusive<u64> = 6..=8;

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

    /// The columns in groups, with their streams in the file but for indexes.
    pub(super) fn groups(
        &self,
        stripe: &StripeMetadata,
        columns: &Columns,
    ) -> Result<Vec<ColumnGroup>, Refusal> {
        let mut streams = Vec::new();
        let mut sizes = vec![0_u64; columns.count];
        let mut start = stripe.offset();
        let mut message = Message::new(&self.0);
        while let Some((field, value)) = message.next().ok_or(Refusal::Damaged)? {
            let (STREAMS, Value::Bytes(stream)) = (field, value) else { continue };
            let stream = Stream::new(stream).ok_or(Refusal::Damaged)?;
            let end = start.saturating_add(stream.length);
            if let Some(column) = columns.places.get(&stream.column)
                && !INDEXES.contains(&stream.kind)
                && stream.length > 0
            {
                if stripe.footer_offset() < end {
                    return Err(Refusal::Damaged);
                }
                streams.push((*column, start..end));
                sizes[*column] += end - start;
            }
            start = end;
        }
        let mut groups = grouped(&sizes);
        for (column, stream) in streams {
            let group = groups.partition_point(|group| group.columns.end <= column);
            groups[group].add(stream);
        }
        Ok(groups)
    }
}

/// Neighbouring columns of these sizes, as many in a group as are not large together.
fn grouped(sizes: &[u64]) -> Vec<ColumnGroup> {
    let mut groups: Vec<ColumnGroup> = Vec::new();
    let mut size = 0_u64;
    for (column, more) in sizes.iter().enumerate() {
        size = size.saturating_add(*more);
        match groups.last_mut() {
            Some(group) if size <= LARGEST_GROUP => group.columns.end = column + 1,
            _ => {
                size = *more;
                groups.push(ColumnGroup { columns: column..column + 1, streams: Vec::new() });
            }
        }
    }
    groups
}

/// The wanted columns at the top, and what is in them.
pub(super) struct Columns {
    count: usize,
    /// The column at the top that each column belongs to
    places: HashMap<u64, usize>,
}

impl Columns {
    pub(super) fn of(root: &RootDataType) -> Self {
        let mut places = HashMap::new();
        for (place, column) in root.children().iter().enumerate() {
            let inside = column.data_type().all_indices();
            places.extend(inside.into_iter().map(|index| (index as u64, place)));
        }
        Self { count: root.children().len(), places }
    }
}

/// Columns at the top that are read together.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ColumnGroup {
    pub(super) columns: Range<usize>,
    /// In the file, in order
    pub(super) streams: Vec<Range<u64>>,
}

impl ColumnGroup {
    /// Whether a stream that begins there is one of the group's.
    pub(super) fn reads(&self, start: u64) -> bool {
        self.streams.iter().any(|streams| streams.contains(&start))
    }

    /// Adds a stream that lies behind those before.
    fn add(&mut self, stream: Range<u64>) {
        match self.streams.last_mut() {
            Some(last)
                if stream.start - last.end < NEAR && stream.end - last.start <= LONGEST_JOINED =>
            {
                last.end = stream.end;
            }
            _ => self.streams.push(stream),
        }
    }
}

/// How a footer describes a stream.
#[derive(Default)]
struct Stream {
    kind: u64,
    column: u64,
    length: u64,
}

impl Stream {
    /// Nothing if it is no message.
    fn new(message: &[u8]) -> Option<Self> {
        let mut stream = Self::default();
        let mut message = Message::new(message);
        while let Some((field, value)) = message.next()? {
            match (field, value) {
                (KIND, Value::Number(kind)) => stream.kind = kind,
                (COLUMN, Value::Number(column)) => stream.column = column,
                (LENGTH, Value::Number(length)) => stream.length = length,
                _ => {}
            }
        }
        Some(stream)
    }
}

#[cfg(test)]
mod tests {
    use orc_rust::proto::StripeInformation;

    use super::super::protobuf::push_varint;
    use super::*;

    const INDEX: u64 = 6;

    /// The columns and the ends of streams of each.
    type Groups = Vec<(Range<usize>, Vec<(u64, u64)>)>;

    /// The groups of columns 1 and 2, where streams of these kinds, columns and lengths begin at 3.
    fn groups(streams: &[(u64, u64, u64)]) -> Result<Groups, Refusal> {
        let mut footer = Vec::new();
        for (kind, column, length) in streams {
            let mut stream = Vec::new();
            for number in [KIND << 3, *kind, COLUMN << 3, *column, LENGTH << 3, *length] {
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
        let columns = Columns { count: 2, places: HashMap::from([(1, 0), (2, 1)]) };
        let ends = |stream: &Range<u64>| (stream.start, stream.end);
        let groups = footer.groups(&stripe, &columns)?.into_iter();
        Ok(groups.map(|group| (group.columns, group.streams.iter().map(ends).collect())).collect())
    }

    /// The streams of a single group.
    fn ranges(streams: &[(u64, u64, u64)]) -> Vec<(u64, u64)> {
        let mut groups = groups(streams).unwrap();
        let (columns, ranges) = groups.pop().unwrap();
        assert_eq!((columns, groups.len()), (0..2, 0));
        ranges
    }

    #[test]
    fn near_streams_are_joined_unless_that_is_long() {
        assert_eq!(ranges(&[(1, 1, 10), (1, 5, NEAR - 1), (1, 2, 20)]), [(3, NEAR + 32)]);
        let far = [(3, 13), (NEAR + 13, NEAR + 33)];
        assert_eq!(ranges(&[(1, 1, 10), (1, 5, NEAR), (1, 2, 20)]), far);
        let long = LONGEST_JOINED;
        let joined = ranges(&[(1, 1, long - 20), (1, 5, 25), (1, 2, 10)]);
        assert_eq!(joined, [(3, long - 17), (long + 8, long + 18)]);
        assert_eq!(ranges(&[(1, 5, 10)]), []);
    }

    #[test]
    fn indexes_and_streams_without_content_are_not_read() {
        let streams = [(INDEX, 0, 9), (INDEX, 1, 9), (7, 2, 9), (0, 1, 0), (1, 1, 5), (8, 2, 9)];
        assert_eq!(ranges(&streams), [(30, 35)]);
    }

    #[test]
    fn large_columns_are_groups_of_their_own() {
        let large = LARGEST_GROUP;
        let expected = [(0..1, vec![(3, large + 3)]), (1..2, vec![(large + 3, large + 4)])];
        assert_eq!(groups(&[(1, 1, large), (1, 2, 1)]).unwrap(), expected);
        assert_eq!(grouped(&[1, large - 1, 1, u64::MAX, u64::MAX]).len(), 4);
    }

    #[test]
    fn streams_that_leave_the_stripe_are_refused() {
        let data = 10 * LONGEST_JOINED;
        assert!(groups(&[(1, 5, data - 1), (1, 2, 1)]).is_ok());
        for streams in [[(1, 5, data), (1, 2, 1)], [(1, 5, u64::MAX), (1, 2, 1)]] {
            assert_eq!(groups(&streams), Err(Refusal::Damaged));
        }
    }

    #[test]
    fn streams_that_are_no_messages_are_refused() {
        let stripe = StripeMetadata::try_from(&StripeInformation::default()).unwrap();
        let columns = Columns { count: 1, places: HashMap::from([(1, 0)]) };
        let footer = Bytes::from_static(&[(STREAMS as u8) << 3 | 2, 2, 0xff, 0xff]);
        let footer = StripeFooter::new(footer, None).unwrap();
        assert_eq!(footer.groups(&stripe, &columns), Err(Refusal::Damaged));
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
