//! Which values are cells as they stand in the source.

use personalize_plan::{Conversion, EpochUnit, TimestampFormat};

use crate::digits::{Digits, MANY_DIGITS};
use crate::lanes::{self, Block, LANES};
use crate::row_buffer::Room;
use crate::value::{Record, Slot, Stretch, Verbatim};

/// Digits that are fewer than any number's range and any text's length allow.
const ANY_DIGITS: usize = 9;
/// Seconds of ten digits are the years 2001 to 2286; any unit is taken for seconds there.
const EPOCH_DIGITS: usize = 10;

/// What of a field's values is copied: a shortcut for what converting would write as well.
#[derive(Debug, Clone)]
pub(super) struct VerbatimRule {
    /// The slot; none that there is, if it is not a fixed one
    pub(super) slot: usize,
    /// Whole numbers of at least and at most so many digits
    pub(super) digits: (usize, usize),
    /// Plain text of at most so many bytes; none if only numbers are copied
    pub(super) text: Option<usize>,
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
    pub(super) fn append(&self, record: &impl Record, separator: u8, room: &mut Room<'_>) -> bool {
        match record.verbatim(self.slot) {
            Some(Verbatim::FewDigits(stretch)) => match stretch.block() {
                Some(block) => {
                    self.fits(stretch.length) && room.append(block, stretch.length, separator)
                }
                None => false,
            },
            Some(Verbatim::Text(stretch)) => self.append_text(stretch, separator, room),
            Some(Verbatim::Integer(number)) => {
                let digits = Digits::of(number);
                self.fits(digits.length()) && room.append_digits(&digits, separator)
            }
            None => false,
        }
    }

    #[inline(always)]
    fn append_text(&self, text: Stretch<'_>, separator: u8, room: &mut Room<'_>) -> bool {
        if text.length < LANES
            && let Some(block) = self.short_text(text)
        {
            return room.append(block, text.length, separator);
        }
        self.is_long_copied(text.own()) && room.append_rare(text.own(), separator)
    }

    /// The block that a text begins, if it is shorter and one to copy.
    #[inline(always)]
    pub(super) fn short_text<'a>(&self, text: Stretch<'a>) -> Option<&'a Block> {
        let length = text.length;
        let block = text.block()?;
        let is_copied = match self.text {
            // Text of spaces alone is blank.
            Some(most) => {
                lanes::cell_specials(block) & first(length) == 0
                    && 0 < length
                    && length <= most
                    && !lanes::begins_with(block, b' ')
            }
            None => self.fits(length) && is_number(block, length),
        };
        is_copied.then_some(block)
    }

    /// A whole number's digits, if they are to be copied.
    #[inline(always)]
    pub(super) fn digits(&self, number: i64) -> Option<Digits> {
        let number = u64::try_from(number).ok().filter(|number| *number < MANY_DIGITS)?;
        Some(Digits::of(number)).filter(|digits| self.fits(digits.length()))
    }

    /// Whether text that is no shorter than a block is copied.
    #[inline(never)]
    fn is_long_copied(&self, text: &[u8]) -> bool {
        LANES <= text.len()
            && self.text.is_some_and(|most| text.len() <= most)
            && text[0] != b' '
            && lanes::all_blocks(text, |block| lanes::cell_specials(block) == 0)
    }

    #[inline(always)]
    fn fits(&self, digits: usize) -> bool {
        let (least, most) = self.digits;
        least <= digits && digits <= most
    }
}

/// Whether the block begins with that many digits, as JSON would write the number.
#[inline(always)]
pub(super) fn is_number(block: &Block, length: usize) -> bool {
    lanes::not_digits(block) & first(length) == 0 && (length == 1 || block[0] != b'0')
}

/// The lowest bits, as many as that.
#[inline(always)]
fn first(count: usize) -> u32 {
    (1 << count) - 1
}
