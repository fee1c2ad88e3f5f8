//! Whole numbers in runs, in the encodings of Hive 0.11 and 0.12.
//!
//! Source: ORC specification v1, "Integer Run Length Encoding, version 1" and "version 2".

use super::fault::Fault;
use super::stripe::Stream;

/// The values of the longest run.
const LONGEST_RUN: usize = 512;
/// The bytes of the longest run's values, and as many more as are read at once.
const LONGEST_PACKED: usize = LONGEST_RUN * 8 + 8;

/// How runs are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    V1,
    V2,
}

/// Numbers, of which those that are alike or grow evenly take little room.
pub(super) struct Integers {
    stream: Stream,
    version: Version,
    is_signed: bool,
    run: Vec<i64>,
    /// How many of the run were read
    read: usize,
}

impl Integers {
    /// Numbers that may be negative.
    pub(super) fn signed(stream: Stream, version: Version) -> Self {
        Self { stream, version, is_signed: true, run: Vec::new(), read: 0 }
    }

    /// Numbers that are not. Those from 2^63 on come out negative.
    pub(super) fn unsigned(stream: Stream, version: Version) -> Self {
        Self { is_signed: false, ..Self::signed(stream, version) }
    }

    /// The next numbers. No more memory is asked for than there are numbers.
    pub(super) fn next(&mut self, count: usize) -> Result<Vec<i64>, Fault> {
        let mut numbers = Vec::with_capacity(count.min(LONGEST_PACKED));
        while numbers.len() < count {
            if self.read == self.run.len() {
                self.run.clear();
                self.read = 0;
                match self.version {
                    Version::V1 => self.read_run_v1()?,
                    Version::V2 => self.read_run_v2()?,
                }
            }
            let end = self.run.len().min(self.read + count - numbers.len());
            numbers.extend_from_slice(&self.run[self.read..end]);
            self.read = end;
        }
        Ok(numbers)
    }

    /// Of a number as it is stored.
    fn number(&self, stored: u64) -> i64 {
        if self.is_signed { from_zigzag(stored) } else { stored as i64 }
    }

    fn varint(&mut self) -> Result<i64, Fault> {
        let stored = varint(&mut self.stream)?;
        Ok(self.number(stored))
    }

    fn read_run_v1(&mut self) -> Result<(), Fault> {
        let control = self.stream.byte()?;
        if control < 0x80 {
            let delta = i64::from(self.stream.byte()? as i8);
            let mut number = self.varint()?;
            for _ in 0..usize::from(control) + 3 {
                self.run.push(number);
                number = number.wrapping_add(delta);
            }
        } else {
            for _ in 0..256 - usize::from(control) {
                let number = self.varint()?;
                self.run.push(number);
            }
        }
        Ok(())
    }

    fn read_run_v2(&mut self) -> Result<(), Fault> {
        let first = self.stream.byte()?;
        let code = first >> 1 & 0x1f;
        match first >> 6 {
            0 => self.read_short_repeat(first),
            1 => {
                let length = self.length(first)?;
                self.read_direct(width(code), length)
            }
            2 => {
                let length = self.length(first)?;
                self.read_patched_base(width(code), length)
            }
            _ => {
                let length = self.length(first)?;
                // No width is that of a run whose deltas are all the same.
                self.read_delta(if code == 0 { 0 } else { width(code) }, length)
            }
        }
    }

    /// A run's length, of nine bits.
    fn length(&mut self, first: u8) -> Result<usize, Fault> {
        Ok((usize::from(first & 1) << 8 | usize::from(self.stream.byte()?)) + 1)
    }

    fn read_short_repeat(&mut self, first: u8) -> Result<(), Fault> {
        let bytes = usize::from(first >> 3 & 7) + 1;
        let stored = self.big_endian(bytes)?;
        self.run.resize(usize::from(first & 7) + 3, self.number(stored));
        Ok(())
    }

    fn read_direct(&mut self, width: u32, length: usize) -> Result<(), Fault> {
        let is_signed = self.is_signed;
        self.unpack(
            width,
            length,
            |stored| {
                if is_signed { from_zigzag(stored) } else { stored as i64 }
            },
        )
    }

    fn read_patched_base(&mut self, width: u32, length: usize) -> Result<(), Fault> {
        let (third, fourth) = (self.stream.byte()?, self.stream.byte()?);
        let base_bytes = usize::from(third >> 5) + 1;
        let patch_width = self::width(third & 0x1f);
        let gap_width = u32::from(fourth >> 5) + 1;
        let patches = usize::from(fourth & 0x1f);
        let base = self.big_endian(base_bytes)?;
        // The highest bit is its sign, whatever the others.
        let sign = 1 << (8 * base_bytes - 1);
        let base = if base & sign == 0 { base as i64 } else { -((base & (sign - 1)) as i64) };
        self.unpack(width, length, |stored| stored as i64)?;
        let values = std::mem::take(&mut self.run);
        if patch_width + gap_width > u64::BITS {
            return Err(Fault::Runs);
        }
        self.unpack(fixed_width(patch_width + gap_width), patches, |stored| stored as i64)?;
        let patches = std::mem::replace(&mut self.run, values);
        let mut at = 0_usize;
        for patch in patches {
            let patch = patch as u64;
            at += (patch.checked_shr(patch_width).unwrap_or(0)) as usize;
            let bits = patch & low_bits(patch_width);
            // Without bits it does but lead on, where a gap is longer than its bits can say.
            if bits != 0 {
                let value = self.run.get_mut(at).ok_or(Fault::Runs)?;
                *value |= bits.checked_shl(width).ok_or(Fault::Runs)? as i64;
            }
        }
        self.run.iter_mut().for_each(|value| *value = value.wrapping_add(base));
        Ok(())
    }

    fn read_delta(&mut self, width: u32, length: usize) -> Result<(), Fault> {
        let mut number = self.varint()?;
        let delta = from_zigzag(varint(&mut self.stream)?);
        if width == 0 {
            for _ in 0..length {
                self.run.push(number);
                number = number.wrapping_add(delta);
            }
            return Ok(());
        }
        let deltas = length.checked_sub(2).ok_or(Fault::Runs)?;
        let second = number.wrapping_add(delta);
        self.unpack(width, deltas, |stored| stored as i64)?;
        self.run.splice(0..0, [number, second]);
        number = second;
        for value in &mut self.run[2..] {
            number = match delta < 0 {
                true => number.wrapping_sub(*value),
                false => number.wrapping_add(*value),
            };
            *value = number;
        }
        Ok(())
    }

    fn big_endian(&mut self, bytes: usize) -> Result<u64, Fault> {
        let mut number = [0; 8];
        self.stream.fill(&mut number[8 - bytes..])?;
        Ok(u64::from_be_bytes(number))
    }

    /// Appends numbers of so many bits each to the run.
    fn unpack(
        &mut self,
        width: u32,
        length: usize,
        number: impl Fn(u64) -> i64,
    ) -> Result<(), Fault> {
        let mut packed = [0; LONGEST_PACKED];
        let width = width as usize;
        self.stream.fill(&mut packed[..(width * length).div_ceil(8)])?;
        let unpacked = (0..length).map(|at| {
            let bit = at * width;
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&packed[bit / 8..bit / 8 + 8]);
            // Numbers of more than 56 bits have 64 and begin with a byte.
            let stored = u64::from_be_bytes(bytes) << (bit % 8) >> (u64::BITS as usize - width);
            number(stored)
        });
        self.run.extend(unpacked);
        Ok(())
    }
}

/// The width of a code of five bits.
fn width(code: u8) -> u32 {
    match u32::from(code) {
        code @ 0..24 => code + 1,
        code @ 24..28 => 26 + 2 * (code - 24),
        code => 40 + 8 * (code - 28),
    }
}

/// The least width of a code that holds so many bits.
fn fixed_width(bits: u32) -> u32 {
    (0..32).map(width).find(|width| bits <= *width).unwrap_or(u64::BITS)
}

fn low_bits(count: u32) -> u64 {
    u64::MAX.checked_shr(u64::BITS - count).unwrap_or(0)
}

fn from_zigzag(stored: u64) -> i64 {
    (stored >> 1) as i64 ^ -((stored & 1) as i64)
}

fn varint(stream: &mut Stream) -> Result<u64, Fault> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let byte = stream.byte()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(Fault::Runs)
}

/// Numbers of up to 128 bits, one after the other, as decimals are stored.
pub(super) fn long_varint(stream: &mut Stream) -> Result<i128, Fault> {
    let mut number = 0_u128;
    for shift in (0..u128::BITS).step_by(7) {
        let byte = stream.byte()?;
        number |= u128::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok((number >> 1) as i128 ^ -((number & 1) as i128));
        }
    }
    Err(Fault::Runs)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::protobuf::tests::push_varint;
    use super::*;

    fn unsigned(stored: &[u8], version: Version, count: usize) -> Result<Vec<i64>, Fault> {
        Integers::unsigned(Stream::of(stored), version).next(count)
    }

    fn signed(stored: &[u8], version: Version, count: usize) -> Vec<i64> {
        Integers::signed(Stream::of(stored), version).next(count).unwrap()
    }

    #[test]
    fn runs_of_version_1_are_those_of_the_specification() {
        assert_eq!(unsigned(&[0x61, 0x00, 0x07], Version::V1, 100).unwrap(), [7; 100]);
        let falling: Vec<i64> = (1..=100).rev().collect();
        assert_eq!(unsigned(&[0x61, 0xff, 0x64], Version::V1, 100).unwrap(), falling);
        let literals = [0xfb, 0x02, 0x03, 0x06, 0x07, 0x0b];
        assert_eq!(unsigned(&literals, Version::V1, 5).unwrap(), [2, 3, 6, 7, 11]);
        assert_eq!(signed(&literals, Version::V1, 5), [1, -2, 3, -4, -6]);
    }

    #[test]
    fn runs_of_version_2_are_those_of_the_specification() {
        assert_eq!(unsigned(&[0x0a, 0x27, 0x10], Version::V2, 5).unwrap(), [10_000; 5]);
        let direct = [0x5e, 0x03, 0x5c, 0xa1, 0xab, 0x1e, 0xde, 0xad, 0xbe, 0xef];
        assert_eq!(unsigned(&direct, Version::V2, 4).unwrap(), [23_713, 43_806, 57_005, 48_879]);
        let patched = [
            0x8e, 0x13, 0x2b, 0x21, 0x07, 0xd0, 0x1e, 0x00, 0x14, 0x70, 0x28, 0x32, 0x3c, 0x46,
            0x50, 0x5a, 0x64, 0x6e, 0x78, 0x82, 0x8c, 0x96, 0xa0, 0xaa, 0xb4, 0xbe, 0xfc, 0xe8,
        ];
        let expected = [
            2030, 2000, 2020, 1_000_000, 2040, 2050, 2060, 2070, 2080, 2090, 2100, 2110, 2120,
            2130, 2140, 2150, 2160, 2170, 2180, 2190,
        ];
        assert_eq!(unsigned(&patched, Version::V2, 20).unwrap(), expected);
        let delta = [0xc6, 0x09, 0x02, 0x02, 0x22, 0x42, 0x42, 0x46];
        assert_eq!(
            unsigned(&delta, Version::V2, 10).unwrap(),
            [2, 3, 5, 7, 11, 13, 17, 19, 23, 29]
        );
    }

    #[test]
    fn what_the_specification_has_no_example_of() {
        let fixed = [0xc0, 0x04, 0x13, 0x03];
        assert_eq!(signed(&fixed, Version::V2, 5), [-10, -12, -14, -16, -18], "one delta");
        let falling = [0xc2, 0x03, 0x0a, 0x01, 0b1011_0000];
        assert_eq!(unsigned(&falling, Version::V2, 4).unwrap(), [10, 9, 7, 4], "falling deltas");
        assert_eq!(
            signed(&[0x38, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], Version::V2, 3),
            [i64::MIN; 3]
        );
        // Base -5, three values of one bit, two patches of two bits behind gaps of three.
        let patched = [0x80, 0x02, 0x21, 0x42, 0x80, 0x05, 0b1010_0000, 0b0001_1010, 0b1100_0000];
        assert!(unsigned(&patched[..6], Version::V2, 3).is_err());
        assert_eq!(signed(&patched, Version::V2, 3), [2, -5, 2]);
    }

    #[test]
    fn what_is_cut_or_cannot_be_is_refused() {
        assert!(matches!(unsigned(&[0x0a, 0x27, 0x10], Version::V2, 6), Err(Fault::Ended)));
        assert!(matches!(unsigned(&[0x5e, 0x03, 0x5c], Version::V2, 1), Err(Fault::Ended)));
        assert!(matches!(unsigned(&[0xff; 12], Version::V1, 1), Err(Fault::Runs)), "a long varint");
        assert!(matches!(unsigned(&[0xc2, 0x00, 1, 1], Version::V2, 1), Err(Fault::Runs)));
        let behind_the_run = [0x80, 0x00, 0x01, 0x41, 0x00, 0x80, 0b0101_0000];
        assert!(matches!(unsigned(&behind_the_run, Version::V2, 1), Err(Fault::Runs)));
        // Patches and gaps of more bits than a number has.
        assert!(matches!(
            unsigned(&[0x80, 0x00, 0x1f, 0x21, 0, 0], Version::V2, 1),
            Err(Fault::Runs)
        ));
    }

    /// A direct run of version 2.
    fn direct(numbers: &[u64], code: u8) -> Vec<u8> {
        let length = numbers.len() - 1;
        let mut stored = vec![1 << 6 | code << 1 | (length >> 8) as u8, length as u8];
        let width = width(code);
        let bits =
            numbers.iter().flat_map(|number| (0..width).rev().map(move |at| number >> at & 1));
        let bits: Vec<u64> = bits.collect();
        stored.extend(bits.chunks(8).map(|bits| {
            bits.iter().enumerate().fold(0, |byte, (at, bit)| byte | (*bit as u8) << (7 - at))
        }));
        stored
    }

    proptest! {
        #[test]
        fn numbers_of_every_width_are_unpacked(
            numbers in prop::collection::vec(any::<u64>(), 1..=512),
            code in 0_u8..32,
            step in 1_usize..600,
        ) {
            let width = width(code);
            let numbers: Vec<u64> =
                numbers.iter().map(|number| number >> (u64::BITS - width)).collect();
            let mut found = Integers::unsigned(Stream::of(&direct(&numbers, code)), Version::V2);
            for some in numbers.chunks(step) {
                let found = found.next(some.len()).unwrap();
                prop_assert!(found.iter().map(|number| *number as u64).eq(some.iter().copied()));
            }
            prop_assert!(found.next(1).is_err());
        }

        #[test]
        fn any_bytes_are_numbers_or_refused(
            stored in prop::collection::vec(any::<u8>(), 0..200),
            is_signed: bool,
        ) {
            for version in [Version::V1, Version::V2] {
                let stream = Stream::of(&stored);
                let mut numbers = match is_signed {
                    true => Integers::signed(stream, version),
                    false => Integers::unsigned(stream, version),
                };
                while numbers.next(1).is_ok() {}
            }
        }

        #[test]
        fn long_numbers_are_those_that_were_written(
            numbers in prop::collection::vec(any::<i64>(), 0..9),
        ) {
            let mut stored = Vec::new();
            for number in &numbers {
                push_varint(&mut stored, (number << 1 ^ number >> 63) as u64);
            }
            let mut stream = Stream::of(&stored);
            for number in numbers {
                prop_assert_eq!(long_varint(&mut stream).unwrap(), i128::from(number));
            }
        }
    }
}
