//! The decimal digits of whole numbers, all of them at once.

use crate::lanes::Block;

/// Numbers from here on have more digits than [`few_digits`] writes.
pub(crate) const MANY_DIGITS: u64 = 1_000_000_000_000_000;

/// The digits of a number below [`MANY_DIGITS`] from a block's first byte on, and how many.
#[inline(always)]
pub(crate) fn few_digits(number: u64) -> (Block, usize) {
    const EIGHT: u64 = 100_000_000;
    let digits = if number < EIGHT {
        u128::from(eight_digits(number)) << 64
    } else {
        u128::from(eight_digits(number / EIGHT)) | (u128::from(eight_digits(number % EIGHT)) << 64)
    };
    // Zero has one digit.
    let zeros = (digits.trailing_zeros() / 8).min(15);
    let ascii = (digits >> (8 * zeros)) | u128::from_le_bytes([b'0'; 16]);
    (ascii.to_le_bytes(), 16 - zeros as usize)
}

/// Eight digits, one in each byte, the first in the lowest: the number is split into halves of four
/// digits, these into pairs and the pairs into digits, every time all of them by one
/// multiplication with the inverse of the divisor.
#[inline(always)]
fn eight_digits(number: u64) -> u64 {
    let fours = (number / 10_000) | ((number % 10_000) << 32);
    let hundreds = ((fours * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let pairs = hundreds | ((fours - 100 * hundreds) << 16);
    let tens = ((pairs * 103) >> 10) & 0x000f_000f_000f_000f;
    tens | ((pairs - 10 * tens) << 8)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(number: u64) -> String {
        let (block, length) = few_digits(number);
        String::from_utf8(block[..length].to_vec()).unwrap()
    }

    #[test]
    fn numbers_of_all_lengths_are_their_digits() {
        for exponent in 0..15 {
            let power = 10_u64.pow(exponent);
            for number in [power - 1, power, power + 1, 9 * power, 5 * power] {
                assert_eq!(text(number), number.to_string());
            }
        }
        assert_eq!(text(MANY_DIGITS - 1), "999999999999999");
        for number in 0..200_000 {
            assert_eq!(text(number), number.to_string());
        }
    }

    proptest! {
        #[test]
        fn any_number_is_its_digits(number in 0..MANY_DIGITS) {
            prop_assert_eq!(text(number), number.to_string());
        }
    }
}
