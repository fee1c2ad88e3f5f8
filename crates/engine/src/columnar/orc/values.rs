//! Texts, decimals and times, which are stored in several streams.
//!
//! Source: ORC specification v1, "String, Char, and VarChar Columns", "Decimal Columns" and
//! "Timestamp Columns".

use arrow_array::Decimal128Array;
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{ArrowError, DECIMAL128_MAX_PRECISION};
use chrono::{DateTime, NaiveDate, Offset as _, TimeZone as _};
use chrono_tz::Tz;

use super::columns::offsets;
use super::fault::Fault;
use super::integers::{Integers, long_varint};
use super::stripe::{Stream, StreamKind, Stripe};

/// Texts or bytes.
pub(super) enum Texts {
    Direct { lengths: Integers, bytes: Stream },
    Dictionary { numbers: Integers, entries: Entries },
}

/// The different texts of a column.
pub(super) struct Entries {
    /// Where each begins, and the last ends
    offsets: Vec<u32>,
    bytes: Vec<u8>,
}

impl Texts {
    pub(super) fn new(column: u64, stripe: &Stripe) -> Result<Self, Fault> {
        let encoding = stripe.encoding(column)?;
        let lengths =
            Integers::unsigned(stripe.stream(column, StreamKind::Length)?, encoding.version);
        let data = stripe.stream(column, StreamKind::Data)?;
        Ok(match encoding.dictionary {
            None => Self::Direct { lengths, bytes: data },
            Some(size) => {
                let bytes = stripe.stream(column, StreamKind::DictionaryData)?;
                let numbers = Integers::unsigned(data, encoding.version);
                Self::Dictionary { numbers, entries: Entries::read(size, lengths, bytes)? }
            }
        })
    }

    /// The next texts, which those rows have that are not null.
    pub(super) fn next(
        &mut self,
        rows: usize,
        nulls: Option<&NullBuffer>,
    ) -> Result<(OffsetBuffer<i32>, Vec<u8>), Fault> {
        let count = rows - nulls.map_or(0, NullBuffer::null_count);
        let mut out = Vec::new();
        let lengths = match self {
            Self::Direct { lengths, bytes } => {
                let lengths = lengths.next(count)?;
                let total = *offsets(lengths.clone())?.last().unwrap_or(&0);
                bytes.append(&mut out, total as usize)?;
                lengths
            }
            Self::Dictionary { numbers, entries } => {
                let mut lengths = numbers.next(count)?;
                for number in &mut lengths {
                    let entry = entries.get(*number)?;
                    out.extend_from_slice(entry);
                    *number = entry.len() as i64;
                }
                lengths
            }
        };
        let Some(nulls) = nulls else { return Ok((offsets(lengths)?, out)) };
        let mut all = vec![0; rows];
        nulls.valid_indices().zip(lengths).for_each(|(row, length)| all[row] = length);
        Ok((offsets(all)?, out))
    }
}

/// Lengths that are read at once.
const SOME: usize = 4096;

impl Entries {
    fn read(size: u64, mut lengths: Integers, mut stream: Stream) -> Result<Self, Fault> {
        let mut offsets = vec![0];
        let mut end = 0_u32;
        let mut left = size;
        // Step by step, since the footer can say anything.
        while left > 0 {
            let some = left.min(SOME as u64);
            for length in lengths.next(some as usize)? {
                let length = u32::try_from(length).map_err(|_| Fault::Lengths)?;
                end = end.checked_add(length).ok_or(Fault::Lengths)?;
                offsets.push(end);
            }
            left -= some;
        }
        let mut bytes = Vec::new();
        stream.append(&mut bytes, end as usize)?;
        bytes.shrink_to_fit();
        Ok(Self { offsets, bytes })
    }

    fn get(&self, number: i64) -> Result<&[u8], Fault> {
        let count = self.offsets.len() - 1;
        let unknown = Fault::Dictionary(number, count);
        match usize::try_from(number) {
            Ok(at) if at < count => {
                Ok(&self.bytes[self.offsets[at] as usize..self.offsets[at + 1] as usize])
            }
            _ => Err(unknown),
        }
    }
}

/// Decimals, each with a scale of its own.
pub(super) struct Decimals {
    unscaled: Stream,
    scales: Integers,
    precision: u8,
    scale: i8,
}

impl Decimals {
    pub(super) fn new(
        column: u64,
        precision: u64,
        scale: u64,
        stripe: &Stripe,
    ) -> Result<Self, Fault> {
        let version = stripe.encoding(column)?.version;
        let scales = stripe.stream(column, StreamKind::Secondary)?;
        Ok(Self {
            unscaled: stripe.stream(column, StreamKind::Data)?,
            scales: Integers::signed(scales, version),
            precision: match u8::try_from(precision) {
                Ok(precision @ 1..=DECIMAL128_MAX_PRECISION) => precision,
                _ => return Err(Fault::Precision(precision)),
            },
            scale: i8::try_from(scale).map_err(|_| Fault::Range)?,
        })
    }

    /// The next numbers, in units of the column's scale.
    pub(super) fn next(&mut self, count: usize) -> Result<Vec<i128>, Fault> {
        let scales = self.scales.next(count)?;
        let numbers = scales.into_iter().map(|scale| {
            let unscaled = long_varint(&mut self.unscaled)?;
            rescaled(unscaled, i64::from(self.scale).saturating_sub(scale))
        });
        numbers.collect()
    }

    pub(super) fn array(
        &self,
        values: Vec<i128>,
        nulls: Option<NullBuffer>,
    ) -> Result<Decimal128Array, ArrowError> {
        Decimal128Array::new(values.into(), nulls)
            .with_precision_and_scale(self.precision, self.scale)
    }
}

/// A number with so many more digits behind the point. None can be lost.
fn rescaled(unscaled: i128, more: i64) -> Result<i128, Fault> {
    let power = u32::try_from(more.unsigned_abs()).ok().and_then(|more| 10_i128.checked_pow(more));
    match power {
        _ if unscaled == 0 => Some(0),
        None => None,
        Some(power) if more >= 0 => unscaled.checked_mul(power),
        Some(power) => (unscaled % power == 0).then_some(unscaled / power),
    }
    .ok_or(Fault::Range)
}

/// Times: seconds since 2015, and nanoseconds.
pub(super) struct Times {
    seconds: Integers,
    nanoseconds: Integers,
    /// The second that the others count from
    base: i64,
    zone: Option<Tz>,
}

/// 2015-01-01T00:00:00Z.
const BASE: i64 = 1_420_070_400;
const PER_SECOND: i128 = 1_000_000_000;

impl Times {
    /// Of times that were written as clocks of the zone showed them.
    pub(super) fn new(column: u64, zone: Option<Tz>, stripe: &Stripe) -> Result<Self, Fault> {
        let version = stripe.encoding(column)?.version;
        Ok(Self {
            seconds: Integers::signed(stripe.stream(column, StreamKind::Data)?, version),
            nanoseconds: Integers::unsigned(stripe.stream(column, StreamKind::Secondary)?, version),
            base: zone.map_or(BASE, base_in),
            zone,
        })
    }

    /// The next times, in nanoseconds since 1970.
    pub(super) fn next(&mut self, count: usize) -> Result<Vec<i128>, Fault> {
        let seconds = self.seconds.next(count)?;
        let nanoseconds = self.nanoseconds.next(count)?;
        let times = seconds.into_iter().zip(nanoseconds);
        times.map(|(seconds, nanoseconds)| self.time(seconds, nanoseconds)).collect()
    }

    fn time(&self, seconds: i64, nanoseconds: i64) -> Result<i128, Fault> {
        let mut seconds = i128::from(seconds) + i128::from(self.base);
        let nanoseconds = nanoseconds_of(nanoseconds).ok_or(Fault::Range)?;
        // Java writes seconds before 1970 cut rather than rounded down (ORC-763).
        if seconds < 0 && nanoseconds > 999_999 {
            seconds -= 1;
        }
        if let Some(zone) = self.zone {
            seconds += i128::from(offset(zone, seconds));
        }
        Ok(seconds * PER_SECOND + i128::from(nanoseconds))
    }

    pub(super) fn array(
        values: Vec<i128>,
        nulls: Option<NullBuffer>,
    ) -> Result<Decimal128Array, ArrowError> {
        Decimal128Array::new(values.into(), nulls)
            .with_precision_and_scale(DECIMAL128_MAX_PRECISION, 9)
    }
}

/// Of nanoseconds as they are stored: the lowest three bits say how many zeros were left out, one
/// less than that if any were. Before 1970 some writers have them negative.
fn nanoseconds_of(stored: i64) -> Option<i64> {
    match (stored & 7, stored >> 3) {
        (0, nanoseconds) => Some(nanoseconds),
        (zeros, cut) => cut.checked_mul(10_i64.pow(zeros as u32 + 1)),
    }
}

/// When 2015 began in a zone.
fn base_in(zone: Tz) -> i64 {
    let began = NaiveDate::from_ymd_opt(2015, 1, 1).and_then(|day| day.and_hms_opt(0, 0, 0));
    let began = began.and_then(|began| zone.from_local_datetime(&began).earliest());
    began.map_or(BASE, |began| began.timestamp())
}

/// By how many seconds clocks of a zone are ahead of UTC. Nothing is known of years that have more
/// than five digits; those are no times that Personalize could use.
fn offset(zone: Tz, seconds: i128) -> i32 {
    let time = i64::try_from(seconds).ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    time.map_or(0, |time| zone.offset_from_utc_datetime(&time.naive_utc()).fix().local_minus_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_get_the_scale_of_their_column() {
        assert_eq!(rescaled(12, 3).unwrap(), 12_000);
        assert_eq!(rescaled(-12_000, -3).unwrap(), -12);
        assert_eq!(rescaled(0, i64::MAX).unwrap(), 0);
        for (unscaled, more) in
            [(12_345, -1), (1, 39), (i128::MAX, 1), (1, i64::MIN), (1, i64::MAX)]
        {
            assert!(matches!(rescaled(unscaled, more), Err(Fault::Range)), "{unscaled} {more}");
        }
    }

    #[test]
    fn nanoseconds_are_stored_without_their_zeros() {
        assert_eq!(nanoseconds_of(0x0a), Some(1000));
        assert_eq!(nanoseconds_of(0x0c), Some(100_000));
        assert_eq!(nanoseconds_of(123_456_789 << 3), Some(123_456_789));
        assert_eq!(nanoseconds_of(-872_267 << 3 | 2), Some(-872_267_000));
        assert_eq!(nanoseconds_of(i64::MAX), None);
    }

    #[test]
    fn times_are_those_that_clocks_showed() {
        let stream = || Integers::signed(Stream::of(b""), super::super::integers::Version::V2);
        let times = |zone: Option<Tz>| Times {
            seconds: stream(),
            nanoseconds: stream(),
            base: zone.map_or(BASE, base_in),
            zone,
        };
        let second = |zone, seconds| times(zone).time(seconds, 0).unwrap() / PER_SECOND;
        assert_eq!(second(None, 0), BASE.into());
        let berlin = Some(Tz::Europe__Berlin);
        assert_eq!(second(berlin, 0), BASE.into());
        // Seconds of summer time are an hour ahead of those that were counted.
        let half_a_year = 181 * 86_400;
        assert_eq!(second(berlin, half_a_year), i128::from(BASE + half_a_year + 3600));
        let before_1970 = -BASE - 10;
        assert_eq!(times(None).time(before_1970, 5 << 3 | 7).unwrap(), -10_500_000_000);
        assert_eq!(times(None).time(before_1970, 999_999 << 3).unwrap(), -9_999_000_001);
        assert!(times(berlin).time(i64::MAX, 0).is_ok());
    }
}
