//! Sixteen bytes at once: which of them are of a class, as bits, the first byte's lowest.

use wide::u8x16;

/// How many bytes a block has.
pub(crate) const LANES: usize = 16;

/// How many bytes have their bits in one number.
pub(crate) const WORD: usize = 4 * LANES;

/// Bytes side by side in a buffer.
pub(crate) type Block = [u8; LANES];

/// The block that begins at `at`; none where fewer bytes are left.
#[inline(always)]
pub(crate) fn block(bytes: &[u8], at: usize) -> Option<&Block> {
    // Said so that one comparison is left of it in a loop.
    let last = bytes.len().checked_sub(LANES)?;
    if at > last { None } else { bytes[at..].first_chunk() }
}

/// Whether that holds for all blocks of at least as many bytes, the last of which may lap over the
/// one before.
pub(crate) fn all_blocks(bytes: &[u8], holds: impl FnMut(&Block) -> bool) -> bool {
    let (blocks, rest) = bytes.as_chunks();
    let last = if rest.is_empty() { None } else { bytes.last_chunk() };
    blocks.iter().chain(last).all(holds)
}

#[inline(always)]
fn are(bytes: u8x16, byte: u8) -> u8x16 {
    bytes.simd_eq(u8x16::splat(byte))
}

/// The bit in which the quote differs from what stands behind the control characters.
const FLIPPED: u8 = b'"' ^ b' ';

#[inline(always)]
fn end_a_string(bytes: u8x16) -> u8x16 {
    // Puts the quote behind the control characters, and leaves those below it.
    let flipped = bytes ^ u8x16::splat(FLIPPED);
    let are_control_or_quote = flipped.min(u8x16::splat(0x20)).simd_eq(flipped);
    are_control_or_quote | are(bytes, b'\\')
}

#[inline(always)]
fn cell_special(bytes: u8x16) -> u8x16 {
    // Puts quote and number sign behind the control characters, and what is not ASCII below them.
    let flipped = bytes ^ u8x16::splat(FLIPPED | 0x80);
    let are_below = flipped.min(u8x16::splat(0xa1)).simd_eq(flipped);
    are_below | are(bytes, b',') | are(bytes, b'\\')
}

/// Up to sixteen bytes to compare with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MaskedBlock {
    bytes: u8x16,
    mask: u8x16,
}

impl MaskedBlock {
    /// What no block is like.
    pub(crate) const NEVER: Self = Self { bytes: u8x16::ONE, mask: u8x16::ZERO };

    pub(crate) fn new(bytes: &[u8]) -> Self {
        let (mut block, mut mask) = ([0; LANES], [0; LANES]);
        let length = bytes.len().min(LANES);
        block[..length].copy_from_slice(&bytes[..length]);
        mask[..length].fill(u8::MAX);
        Self { bytes: u8x16::new(block), mask: u8x16::new(mask) }
    }

    /// Whether a block begins with these bytes.
    #[inline(always)]
    pub(crate) fn is(&self, block: &Block) -> bool {
        (u8x16::new(*block) & self.mask).simd_eq(self.bytes).all()
    }
}

/// Which bytes are `"`, `\` or a control character: what a run of plain characters in a JSON
/// string ends at.
#[inline(always)]
pub(crate) fn string_specials(block: &Block) -> u32 {
    end_a_string(u8x16::new(*block)).to_bitmask()
}

/// The same of a word's bytes.
#[inline(always)]
pub(crate) fn string_specials_of_word(word: &[u8; WORD]) -> u64 {
    let blocks = word.as_chunks().0.iter().enumerate();
    blocks.fold(0, |bits, (number, block)| {
        bits | u64::from(string_specials(block)) << (number * LANES)
    })
}

/// What the bytes of a word of a JSON string with escapes are, as bits.
pub(crate) struct StringMarks {
    pub(crate) backslashes: u64,
    /// Quotes and control characters
    pub(crate) ends: u64,
    /// What may stand behind a backslash
    pub(crate) escapable: u64,
    /// The `u` among it
    pub(crate) letters_u: u64,
    pub(crate) hexadecimal_digits: u64,
}

#[inline(always)]
pub(crate) fn string_marks(word: &[u8; WORD]) -> StringMarks {
    let mut marks =
        StringMarks { backslashes: 0, ends: 0, escapable: 0, letters_u: 0, hexadecimal_digits: 0 };
    for (number, block) in word.as_chunks().0.iter().enumerate() {
        let bits = |lanes: u8x16| u64::from(lanes.to_bitmask()) << (number * LANES);
        let bytes = u8x16::new(*block);
        let is_backslash = are(bytes, b'\\');
        let is_quote = are(bytes, b'"');
        let is_b_or_f = are(bytes | u8x16::splat(b'b' ^ b'f'), b'f');
        let is_t_or_u = are(bytes | u8x16::splat(b't' ^ b'u'), b'u');
        let is_control = bytes.min(u8x16::splat(0x1f)).simd_eq(bytes);
        marks.backslashes |= bits(is_backslash);
        marks.ends |= bits(is_quote | is_control);
        let is_other = are(bytes, b'/') | are(bytes, b'n') | are(bytes, b'r');
        marks.escapable |= bits(is_backslash | is_quote | is_b_or_f | is_t_or_u | is_other);
        marks.letters_u |= bits(are(bytes, b'u'));
        marks.hexadecimal_digits |= bits(hexadecimal_digit(bytes));
    }
    marks
}

#[inline(always)]
fn within(bytes: u8x16, first: u8, last: u8) -> u8x16 {
    let from_first = bytes - u8x16::splat(first);
    from_first.min(u8x16::splat(last - first)).simd_eq(from_first)
}

#[inline(always)]
fn hexadecimal_digit(bytes: u8x16) -> u8x16 {
    within(bytes, b'0', b'9') | within(bytes | u8x16::splat(b'a' ^ b'A'), b'a', b'f')
}

/// Which bytes a cell cannot have as they stand, or might not: `"`, `\`, `,`, `#`, control
/// characters, and all that is not ASCII.
#[inline(always)]
pub(crate) fn cell_specials(block: &Block) -> u32 {
    cell_special(u8x16::new(*block)).to_bitmask()
}

/// Whether that is the first byte. To ask the block itself would have it read byte by byte.
#[inline(always)]
pub(crate) fn begins_with(block: &Block, byte: u8) -> bool {
    are(u8x16::new(*block), byte).to_bitmask() & 1 != 0
}

/// Whether all bytes are printable ASCII or white space.
#[inline(always)]
pub(crate) fn is_plain_text(block: &Block) -> bool {
    let bytes = u8x16::new(*block);
    (within(bytes, b' ', b'~') | within(bytes, b'\t', b'\r')).all()
}

/// What the bytes of a word of delimited text are, as bits.
pub(crate) struct CellMarks {
    /// Delimiters and line breaks
    pub(crate) ends: u64,
    pub(crate) line_breaks: u64,
    /// What else a cell cannot have as it stands, or might not: the quote and the
    /// [`cell_specials`]
    pub(crate) specials: u64,
}

#[inline(always)]
pub(crate) fn cell_marks(word: &[u8; WORD], delimiter: u8, quote: u8) -> CellMarks {
    let mut marks = CellMarks { ends: 0, line_breaks: 0, specials: 0 };
    for (number, block) in word.as_chunks().0.iter().enumerate() {
        let bits = |lanes: u8x16| u64::from(lanes.to_bitmask()) << (number * LANES);
        let bytes = u8x16::new(*block);
        let are_line_breaks = are(bytes, b'\n');
        marks.line_breaks |= bits(are_line_breaks);
        marks.ends |= bits(are_line_breaks | are(bytes, delimiter));
        let specials = cell_special(bytes);
        // The usual quote is one of them.
        marks.specials |= bits(if quote == b'"' { specials } else { specials | are(bytes, quote) });
    }
    marks.specials &= !marks.ends;
    marks
}

/// Which bytes are no decimal digits.
#[inline(always)]
pub(crate) fn not_digits(block: &Block) -> u32 {
    let digits = u8x16::new(*block) - u8x16::splat(b'0');
    digits.max(u8x16::splat(10)).simd_eq(digits).to_bitmask()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_byte_is_left_out() {
        for length in LANES..70 {
            for place in 0..length {
                let mut bytes = vec![b'0'; length];
                let plain = |bytes: &[u8]| all_blocks(bytes, |block| not_digits(block) == 0);
                assert!(plain(&bytes));
                bytes[place] = b'x';
                assert!(!plain(&bytes), "{place} of {length}");
            }
        }
    }

    #[test]
    fn every_byte_is_of_its_classes_at_every_place() {
        for byte in 0..=255_u8 {
            for place in 0..LANES {
                let mut block = *b"0000000000000000";
                block[place] = byte;
                let bit = |is: bool| u32::from(is) << place;
                let string = matches!(byte, b'"' | b'\\' | 0..0x20);
                assert_eq!(string_specials(&block), bit(string), "{byte:x}");
                let cell = string || matches!(byte, b',' | b'#' | 0x80..);
                assert_eq!(cell_specials(&block), bit(cell), "{byte:x}");
                let printable = matches!(byte, b' '..=b'~' | b'\t'..=b'\r');
                assert_eq!(is_plain_text(&block), printable, "{byte:x}");
                assert_eq!(not_digits(&block), bit(!byte.is_ascii_digit()), "{byte:x}");
            }
        }
    }

    #[test]
    fn every_byte_of_a_string_is_of_its_classes_at_every_place() {
        for byte in 0..=255_u8 {
            for place in 0..WORD {
                let mut word = [b' '; WORD];
                word[place] = byte;
                let marks = string_marks(&word);
                let is_escapable = b"\"\\/bfnrtu".contains(&byte);
                for (bits, is) in [
                    (marks.backslashes, byte == b'\\'),
                    (marks.ends, matches!(byte, b'"' | 0..0x20)),
                    (marks.escapable, is_escapable),
                    (marks.letters_u, byte == b'u'),
                    (marks.hexadecimal_digits, byte.is_ascii_hexdigit()),
                ] {
                    assert_eq!(bits, u64::from(is) << place, "{byte:x}");
                }
            }
        }
    }
}
