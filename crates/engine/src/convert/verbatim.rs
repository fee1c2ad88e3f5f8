//! Which values are cells as they stand in the source, or nearly.

use personalize_plan::{Conversion, EpochUnit, TimestampFormat};

use super::timestamp::common_iso_8601;
use crate::digits::{Digits, MANY_DIGITS};
use crate::lanes::{self, Block, LANES};
use crate::row_buffer::Room;
use crate::value::{Record, Slot, Stretch, Verbatim};

/// Digits that are fewer than any number's range and any text's length allow.
const ANY_DIGITS: usize = 9;
/// Seconds of ten digits are the years 2001 to 2286; any unit is taken for seconds there.
const EPOCH_DIGITS: usize = 10;
/// Of so many digits, the units are told apart by their size, and these are milliseconds.
const MILLISECOND_DIGITS: usize = EPOCH_DIGITS + 3;

/// What of a field's values is copied: a shortcut for what converting would write as well.
#[derive(Debug, Clone)]
pub(super) struct VerbatimRule {
    /// The slot; none that there is, if it is not a fixed one
    pub(super) slot: usize,
    /// Whole numbers of at least and at most so many digits
    pub(super) digits: (usize, usize),
    /// Plain text of at most so many bytes; none if only numbers are copied
    pub(super) text: Option<usize>,
    /// Whether times in ISO 8601 and in milliseconds are written as seconds
    is_time: bool,
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
        let is_time = conversion == Conversion::EpochSeconds && *format == TimestampFormat::Auto;
        Self { slot, digits, text, is_time }
    }

    /// Appends the field's cell in a record and what follows it, if there is a shortcut to it.
    #[inline(always)]
    pub(super) fn append(&self, record: &impl Record, separator: u8, room: &mut Room<'_>) -> bool {
        match record.verbatim(self.slot) {
            Some(Verbatim::FewDigits(stretch)) => match stretch.block() {
                Some(block) if self.fits(stretch.length) => {
                    room.append(block, stretch.length, separator)
                }
                _ => self.append_time(stretch.own(), separator, room),
            },
            Some(Verbatim::Text(stretch)) => self.append_text(stretch, separator, room),
            Some(Verbatim::Integer(number)) => {
                let digits = self.number(number);
                digits.is_some_and(|digits| room.append_digits(&digits, separator))
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
        let text = text.own();
        if self.text.is_none() {
            return self.append_time(text, separator, room);
        }
        room.append_apart(|room| self.is_long_copied(text) && room.append_long(text, separator))
    }

    /// Appends a time as seconds since 1970, if it is in one of the most common forms.
    #[inline(always)]
    fn append_time(&self, text: &[u8], separator: u8, room: &mut Room<'_>) -> bool {
        self.is_time
            && room.append_apart(|room| {
                let seconds = match text {
                    [b'1'..=b'9', digits @ ..]
                        if text.len() == MILLISECOND_DIGITS
                            && digits.iter().all(u8::is_ascii_digit) =>
                    {
                        return room.append_long(&text[..EPOCH_DIGITS], separator);
                    }
                    _ => common_iso_8601(text),
                };
                let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok());
                seconds.is_some_and(|seconds| room.append_digits(&Digits::of(seconds), separator))
            })
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

    /// The digits that are a whole number's cell, if there is a shortcut to them.
    #[inline(always)]
    pub(super) fn digits(&self, number: i64) -> Option<Digits> {
        self.number(u64::try_from(number).ok().filter(|number| *number < MANY_DIGITS)?)
    }

    #[inline(always)]
    fn number(&self, number: u64) -> Option<Digits> {
        let digits = Digits::of(number);
        if self.fits(digits.length()) {
            return Some(digits);
        }
        let is_milliseconds = self.is_time && digits.length() == MILLISECOND_DIGITS;
        is_milliseconds.then(|| Digits::of(number / 1000))
    }

    /// Whether text that is no shorter than a block is copied.
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::convert::Scratch;
    use crate::row_buffer::RowBuffer;
    use crate::value::{Escapes, Text, Value};

    const CONVERSIONS: [Conversion; 12] = [
        Conversion::EpochSeconds,
        Conversion::Identifier,
        Conversion::EventType,
        Conversion::Text,
        Conversion::List,
        Conversion::Categorical,
        Conversion::Textual,
        Conversion::Boolean,
        Conversion::Int,
        Conversion::Long,
        Conversion::Float,
        Conversion::Double,
    ];

    /// A record of one value.
    struct One<'a>(Verbatim<'a>);

    impl Record for One<'_> {
        fn elements(&self) -> usize {
            0
        }

        fn verbatim(&self, _: usize) -> Option<Verbatim<'_>> {
            Some(self.0)
        }

        fn value(&self, _: Slot, _: usize) -> Value<'_> {
            Value::Missing
        }
    }

    /// The cell that the shortcut gives, and the one that it is to be.
    fn cells(
        verbatim: Verbatim<'_>,
        value: Value<'_>,
        conversion: Conversion,
        format: &TimestampFormat,
    ) -> (Option<String>, Option<String>) {
        let text = |out: &RowBuffer| String::from_utf8(out.as_slice().to_vec()).unwrap();
        let mut shortcut = RowBuffer::default();
        let mut room = shortcut.room(1000);
        let rule = VerbatimRule::new(Slot::Fixed(0), conversion, format);
        let is_appended = rule.append(&One(verbatim), b'\n', &mut room);
        room.keep();
        let mut out = RowBuffer::default();
        let written = Scratch::default().write_cell(&mut out, value, conversion, format);
        out.push(b'\n');
        (is_appended.then(|| text(&shortcut)), written.is_ok().then(|| text(&out)))
    }

    fn padded(text: &str) -> Vec<u8> {
        [text.as_bytes(), b",\"padding of a block"].concat()
    }

    fn of_text(text: &str, conversion: Conversion) -> Option<String> {
        let bytes = padded(text);
        let verbatim = Verbatim::Text(Stretch::new(&bytes, text.len()));
        let value = Value::Text(Text::new(text, Escapes::None));
        cells(verbatim, value, conversion, &TimestampFormat::Auto).0
    }

    #[test]
    fn common_times_have_a_shortcut() {
        for text in
            ["1547159644", "1547159644999", "2019-01-10T22:34:04Z", "2019-01-10T22:34:04.123Z"]
        {
            let cell = of_text(text, Conversion::EpochSeconds);
            assert_eq!(cell.as_deref(), Some("1547159644\n"), "{text}");
        }
        assert_eq!(of_text("1969-12-31T23:59:59Z", Conversion::EpochSeconds), None);
        assert_eq!(of_text("2019-01-10T22:34:04Z", Conversion::Textual), None);
    }

    proptest! {
        #[test]
        fn a_shortcut_leads_to_the_same_cell(
            text in prop_oneof![
                "[0-9]{1,15}",
                "1[0-9]{9}([0-9]{3})?",
                "[12][09][0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{0,9})?Z?",
                "[ a-z|]{0,20}",
                "[a-z]{250,260}",
            ],
            number in prop_oneof![
                0..MANY_DIGITS,
                0..20_000_000_000_u64,
                999_999_999_990..=1_999_999_999_999_u64,
            ],
            format in prop::sample::select(vec!["auto", "seconds", "milliseconds", "yyyy-MM-dd"]),
        ) {
            let format: TimestampFormat = format.parse().unwrap();
            let bytes = padded(&text);
            let stretch = Stretch::new(&bytes, text.len());
            let as_text = Value::Text(Text::new(&text, Escapes::None));
            let mut values = vec![
                (Verbatim::Text(stretch), as_text),
                (Verbatim::Integer(number), Value::Integer(number as i64)),
            ];
            if text.parse::<u64>().is_ok_and(|number| number.to_string() == text) {
                values.push((Verbatim::FewDigits(stretch), Value::Number(&text)));
            }
            for (verbatim, value) in values {
                for conversion in CONVERSIONS {
                    let (shortcut, cell) = cells(verbatim, value, conversion, &format);
                    if shortcut.is_some() {
                        prop_assert_eq!(shortcut, cell, "{:?} as {:?}", verbatim, conversion);
                    }
                }
            }
        }
    }
}
