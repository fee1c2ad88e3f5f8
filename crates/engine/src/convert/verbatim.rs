//! Which values are cells as they stand in the source.

use personalize_plan::{Conversion, EpochUnit, TimestampFormat};

use crate::digits::few_digits;
use crate::lanes::{self, Block, LANES};
use crate::value::{Record, Slot, Verbatim};

/// Digits that are fewer than any number's range and any text's length allow.
const ANY_DIGITS: usize = 9;
/// Seconds of ten digits are the years 2001 to 2286; any unit is taken for seconds there.
const EPOCH_DIGITS: usize = 10;

/// What of a field's values is copied: a shortcut for what converting would write as well.
#[derive(Debug, Clone)]
pub(super) struct VerbatimRule {
    /// The slot; none that there is, if it is not a fixed one
    slot: usize,
    /// Whole numbers of at least and at most so many digits
    digits: (usize, usize),
    /// Plain text of at most so many bytes; none if only numbers are copied
    text: Option<usize>,
}

impl VerbatimRule {
    pub(super) fn new(slot: Slot, conversion: Conversion, format: &TimestampFormat) -> Self {
        const NONE: (usize, usize) = (1, 0);
        let digits = match conversion {
            Conversion::EpochSeconds => match format {
                TimestampFormat::Auto | TimestampFormat::Epoch(EpochUnit::Seconds) => {
                    (EPOCH_DIGITS, EPOCH_DIGITS)
                }
                _ => NONE,
            },
            Conversion::Boolean | Conversion::Textual => NONE,
            _ => (1, ANY_DIGITS),
        };
        let text = match conversion {
            Conversion::Identifier
            | Conversion::EventType
            | Conversion::Text
            | Conversion::List
            | Conversion::Categorical => Some(conversion.max_characters().unwrap_or(usize::MAX)),
            _ => None,
        };
        let slot = if let Slot::Fixed(slot) = slot { slot } else { usize::MAX };
        Self { slot, digits, text }
    }

    /// Appends the field's value in a record and what follows the cell, if it is one to copy.
    #[inline(always)]
    pub(super) fn append(&self, record: &impl Record, separator: u8, out: &mut Vec<u8>) -> bool {
        let (least, most) = self.digits;
        let fits = |length: usize| least <= length && length <= most;
        let own = |length: usize| (1 << length) - 1;
        let (block, length) = match record.verbatim(self.slot) {
            Some(Verbatim::FewDigits(stretch)) => match stretch.block() {
                Some(block) if fits(stretch.length) => (block, stretch.length),
                _ => return false,
            },
            Some(Verbatim::Text(stretch)) => {
                let length = stretch.length;
                let Some(block) = stretch.block() else {
                    let most = self.text.unwrap_or_default();
                    return append_long(stretch.own(), most, separator, out);
                };
                let is_copied = match self.text {
                    // Text of spaces alone is blank.
                    Some(most) => {
                        lanes::cell_specials(block) & own(length) == 0
                            && 0 < length
                            && length <= most
                            && stretch.own()[0] != b' '
                    }
                    None => {
                        lanes::not_digits(block) & own(length) == 0
                            && fits(length)
                            && (length == 1 || stretch.own()[0] != b'0')
                    }
                };
                if !is_copied {
                    return false;
                }
                (block, length)
            }
            Some(Verbatim::Integer(number)) => {
                let (block, length) = few_digits(number);
                if fits(length) {
                    append(&block, length, separator, out);
                }
                return fits(length);
            }
            None => return false,
        };
        append(block, length, separator, out);
        true
    }
}

#[inline(always)]
fn append(block: &Block, length: usize, separator: u8, out: &mut Vec<u8>) {
    let end = out.len() + length;
    out.extend_from_slice(block);
    out[end] = separator;
    out.truncate(end + 1);
}

/// Appends text that is no shorter than a block.
fn append_long(text: &[u8], most: usize, separator: u8, out: &mut Vec<u8>) -> bool {
    let is_copied = LANES <= text.len()
        && text.len() <= most
        && text.first().is_some_and(|first| *first != b' ')
        && lanes::all_blocks(text, |block| lanes::cell_specials(block) == 0);
    if is_copied {
        out.extend_from_slice(text);
        out.push(separator);
    }
    is_copied
}
