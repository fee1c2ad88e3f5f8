//! The decimal digits of whole numbers, all of them at once.

use crate::lanes::Block;

/// Numbers from here on have more digits than [`Digits`] holds.
pub(crate) const MANY_DIGITS: u64 = 1_000_000_000_000_000;

const EIGHT: u64 = 100_000_000;

/// The digits of a whole number: some, of which there may be less than eight, and then perhaps
/// eight more.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Digits {
    head: [u8; 8],
    head_length: usize,
    tail: Option<[u8; 8]>,
}

impl Digits {
    /// Those of a number below [`MANY_DIGITS`].
    #[inline(always)]
    pub(crate) fn of(number: u64) -> Self {
        let (head, tail) = match number {
            0..EIGHT => (number, None),
            _ => (number / EIGHT, Some(number % EIGHT)),
        };
        let digits = eight_digits(head);
        // Zero has one digit.
        let zeros = (digits | 1 << 56).trailing_zeros() / 8;
        Self {
            head: ascii(digits >> (8 * zeros)),
            head_length: 8 - zeros as usize,
            tail: tail.map(|tail| ascii(eight_digits(tail))),
        }
    }

    #[inline(always)]
    pub(crate) fn length(&self) -> usize {
        self.head_length + if self.tail.is_some() { 8 } else { 0 }
    }

    /// Writes them to a block from its first byte on; what stands behind them is of no meaning.
    #[inline(always)]
    pub(crate) fn write(&self, block: &mut Block) {
        let length = self.head_length.min(8);
        block[..8].copy_from_slice(&self.head);
        if let Some(tail) = &self.tail {
            block[length..length + 8].copy_from_slice(tail);
        }
    }
}

#[inline(always)]
fn ascii(digits: u64) -> [u8; 8] {
    (digits | 0x3030_3030_3030_3030).to_le_bytes()
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
    use crate::lanes::LANES;

    fn text(number: u64) -> String {
        let digits = Digits::of(number);
        let mut block = [0; LANES];
        digits.write(&mut block);
        String::from_utf8(block[..digits.length()].to_vec()).unwrap()
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
