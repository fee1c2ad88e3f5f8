//! Texts, decimals and times, which are stored in several streams.
//!
//! Source: ORC specification v1, "String, Char, and VarChar Columns", "Decimal Columns" and
//! "Timestamp Columns".

use arrow_array::Decimal128Array;
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{ArrowError, DECIMAL128_MAX_PRECISION};

use super::columns::{all, offsets};
use super::fault::Fault;
use super::integers::{Integers, long_varint};
use super::stripe::{Stream, StreamKind, Stripe};
use super::zone::Zone;

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
        let offsets = match self {
            Self::Direct { lengths, bytes } => {
                let offsets = offsets(all(lengths.next(count)?, nulls))?;
                bytes.append(&mut out, end(&offsets))?;
                offsets
            }
            Self::Dictionary { numbers, entries } => {
                let numbers = numbers.next(count)?;
                let lengths = numbers.iter().map(|number| Ok(entries.get(*number)?.len() as i64));
                let offsets = offsets(all(lengths.collect::<Result<_, Fault>>()?, nulls))?;
                out.reserve_exact(end(&offsets));
                for number in numbers {
                    out.extend_from_slice(entries.get(number)?);
                }
                offsets
            }
        };
        Ok((offsets, out))
    }
}

fn end(offsets: &OffsetBuffer<i32>) -> usize {
    offsets.last().map_or(0, |end| *end as usize)
}

/// Lengths that are read at once.
const SOME: u64 = 4096;
/// Texts of a dictionary, at most: a few bytes can say that there are as many as one likes.
const MOST_ENTRIES: u64 = 1 << 25;

impl Entries {
    fn read(size: u64, mut lengths: Integers, mut stream: Stream) -> Result<Self, Fault> {
        if size > MOST_ENTRIES {
            return Err(Fault::LargeDictionary(size, MOST_ENTRIES));
        }
        let mut offsets = vec![0];
        let mut end = 0_u32;
        let mut left = size;
        // Step by step, since the footer can say anything.
        while left > 0 {
            let some = left.min(SOME);
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
            let number = rescaled(unscaled, i64::from(self.scale).saturating_sub(scale))?;
            let fits = number.unsigned_abs() < 10_u128.pow(self.precision.into());
            fits.then_some(number).ok_or(Fault::Range)
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
    zone: Zone,
    /// When 2015 began there
    base: i64,
}

const PER_SECOND: i128 = 1_000_000_000;

impl Times {
    /// Of times that were written in a zone.
    pub(super) fn new(column: u64, zone: Zone, stripe: &Stripe) -> Result<Self, Fault> {
        let version = stripe.encoding(column)?.version;
        let nanoseconds = stripe.stream(column, StreamKind::Secondary)?;
        Ok(Self {
            seconds: Integers::signed(stripe.stream(column, StreamKind::Data)?, version),
            nanoseconds: Integers::unsigned(nanoseconds, version),
            zone,
            base: zone.began_2015(),
        })
    }

    /// The next times, as clocks of the zone showed them, in nanoseconds since 1970.
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
        seconds += i128::from(self.zone.offset(seconds));
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

#[cfg(test)]
mod tests {
    use super::super::integers::Version;
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
    fn decimals_have_no_more_digits_than_their_type_says() {
        let decimals = |unscaled: &[u8]| Decimals {
            unscaled: Stream::of(unscaled),
            scales: Integers::signed(Stream::of(&[0xff, 0]), Version::V1),
            precision: 2,
            scale: 1,
        };
        // 9 of the scale 0 is 90 of the column's, and -10 is -100.
        assert_eq!(decimals(&[18]).next(1).unwrap(), [90]);
        assert!(matches!(decimals(&[19]).next(1), Err(Fault::Range)));
    }

    #[test]
    fn a_dictionary_has_its_texts_and_no_others() {
        let entries = |size| {
            let lengths = Integers::unsigned(Stream::of(&[0xfe, 1, 2]), Version::V1);
            Entries::read(size, lengths, Stream::of(b"abc"))
        };
        let two = entries(2).unwrap();
        assert_eq!((two.get(0).unwrap(), two.get(1).unwrap()), (&b"a"[..], &b"bc"[..]));
        for number in [2, -1] {
            assert!(matches!(two.get(number), Err(Fault::Dictionary(of, 2)) if of == number));
        }
        assert!(matches!(entries(3), Err(Fault::Ended)));
        assert!(matches!(entries(MOST_ENTRIES + 1), Err(Fault::LargeDictionary(_, _))));
        assert!(entries(0).unwrap().get(0).is_err());
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
        let stream = || Integers::signed(Stream::of(b""), Version::V2);
        let times = |zone: &str| Times {
            seconds: stream(),
            nanoseconds: stream(),
            zone: Zone::of(zone).unwrap(),
            base: Zone::of(zone).unwrap().began_2015(),
        };
        let began_2015 = times("UTC").base;
        let half_a_year = 181 * 86_400;
        let second = |zone, seconds| times(zone).time(seconds, 0).unwrap() / PER_SECOND;
        for (zone, summer) in [("UTC", 0), ("GMT+05:30", 0), ("Europe/Berlin", 3600)] {
            assert_eq!(second(zone, 0), began_2015.into(), "{zone}");
            // Clocks are ahead in summer.
            let expected = began_2015 + half_a_year + summer;
            assert_eq!(second(zone, half_a_year), expected.into(), "{zone}");
            assert!(times(zone).time(i64::MAX, 0).is_ok(), "{zone}");
        }
        let before_1970 = -began_2015 - 10;
        let time = |nanoseconds| times("UTC").time(before_1970, nanoseconds).unwrap();
        assert_eq!(time(5 << 3 | 7), -10_500_000_000);
        assert_eq!(time(999_999 << 3), -9_999_000_001);
        assert_eq!(time(-5 << 3 | 7), -10_500_000_000);
    }
}
