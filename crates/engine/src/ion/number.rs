//! Whole numbers of any size: from binary, hexadecimal or the bytes of binary Ion to digits.

use std::fmt::Write as _;

use crate::json::write;

/// Bytes of a number whose digits are worked out. The work grows with the square of the length, and
/// Personalize takes nothing near that long.
const MOST_BYTES: usize = 2048;

/// Appends the number that big-endian bytes are.
///
/// One with more than some 4900 digits becomes a power of ten of that size, which is out of the
/// range of every type as well.
pub(super) fn integer(out: &mut String, negative: bool, magnitude: &[u8]) {
    if negative {
        out.push('-');
    }
    let zeros = magnitude.iter().take_while(|byte| **byte == 0).count();
    let magnitude = &magnitude[zeros..];
    if magnitude.len() <= MOST_BYTES {
        out.push_str(&digits(magnitude));
    } else {
        // A byte is 2.4 digits.
        let _ = write!(out, "1e{}", magnitude.len() as u64 * 24 / 10);
    }
}

/// Appends the decimal number whose coefficient big-endian bytes are.
pub(super) fn decimal(out: &mut String, negative: bool, magnitude: &[u8], exponent: i64) {
    let zeros = magnitude.iter().take_while(|byte| **byte == 0).count();
    let magnitude = &magnitude[zeros..];
    if magnitude.len() <= MOST_BYTES {
        write::decimal(out, negative, &digits(magnitude), exponent);
    } else {
        let power = magnitude.len() as i64 * 24 / 10;
        write::decimal(out, negative, "1", exponent.saturating_add(power));
    }
}

/// The decimal digits of a number in big-endian bytes.
fn digits(magnitude: &[u8]) -> String {
    if magnitude.len() <= size_of::<u128>() {
        let value = magnitude.iter().fold(0_u128, |value, byte| value << 8 | u128::from(*byte));
        return value.to_string();
    }
    // Least significant first, nine digits in each.
    const BASE: u64 = 1_000_000_000;
    let mut groups: Vec<u32> = vec![0];
    for word in words(magnitude) {
        let mut carry = u64::from(word);
        for group in &mut groups {
            let value = (u64::from(*group) << 32) + carry;
            *group = (value % BASE) as u32;
            carry = value / BASE;
        }
        while carry > 0 {
            groups.push((carry % BASE) as u32);
            carry /= BASE;
        }
    }
    let mut text = String::with_capacity(groups.len() * 9);
    for (number, group) in groups.iter().rev().enumerate() {
        let _ = if number == 0 { write!(text, "{group}") } else { write!(text, "{group:09}") };
    }
    text
}

/// The bytes four by four, the first word perhaps shorter.
fn words(bytes: &[u8]) -> impl Iterator<Item = u32> {
    let (first, rest) = bytes.split_at(bytes.len() % 4);
    let word = |bytes: &[u8]| bytes.iter().fold(0, |word, byte| word << 8 | u32::from(*byte));
    std::iter::once(word(first)).chain(rest.chunks_exact(4).map(word))
}

/// The big-endian bytes of a number of binary (`bits` 1) or hexadecimal (4) digits.
pub(super) fn magnitude(digits: &[u8], bits: usize) -> Option<Vec<u8>> {
    digits
        .rchunks(8 / bits)
        .rev()
        .map(|digits| {
            digits.iter().try_fold(0, |byte, digit| {
                let digit = char::from(*digit).to_digit(1 << bits)?;
                Some(byte << bits | digit as u8)
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(negative: bool, magnitude: &[u8]) -> String {
        let mut out = String::new();
        integer(&mut out, negative, magnitude);
        out
    }

    #[test]
    fn integers_of_any_size_keep_their_digits() {
        assert_eq!(written(false, &[]), "0");
        assert_eq!(written(true, &[0, 0, 5]), "-5");
        let mut power = vec![0; 40];
        power[0] = 1;
        let expected = "8343699359066055009355553539724812947666814540455674882605631280555545\
                        803830627148527195652096";
        assert_eq!(written(false, &power), expected);
        let round = digits(&[0xff; 32]);
        let expected = "1157920892373161954235709850086879078532699846656405640394575840079131\
                        29639935";
        assert_eq!(round, expected);
    }

    #[test]
    fn an_integer_too_long_for_anything_costs_nothing() {
        let long = vec![0xff; 16 << 20];
        assert_eq!(written(true, &long), "-1e40265318");
        let mut out = String::new();
        decimal(&mut out, false, &long, -1);
        assert_eq!(out, "1e40265317");
    }

    #[test]
    fn digits_of_other_bases_become_bytes() {
        assert_eq!(magnitude(b"1Ff", 4), Some(vec![1, 0xff]));
        assert_eq!(magnitude(b"100000001", 1), Some(vec![1, 1]));
        assert_eq!(magnitude(b"102", 1), None);
        assert_eq!(magnitude(b"0g", 4), None);
    }

    proptest! {
        #[test]
        fn long_numbers_are_worked_out_as_short_ones_are(value in any::<u128>(), shift in 0_usize..9) {
            // Times 1000^shift, by hand.
            let mut bytes = value.to_be_bytes().to_vec();
            bytes.splice(0..0, vec![0; 16]);
            for _ in 0..shift {
                let mut carry = 0;
                for byte in bytes.iter_mut().rev() {
                    let product = u32::from(*byte) * 1000 + carry;
                    *byte = product as u8;
                    carry = product >> 8;
                }
            }
            let expected = if value == 0 { "0".into() } else { format!("{value}{}", "000".repeat(shift)) };
            prop_assert_eq!(written(false, &bytes), expected);
        }
    }
}
