//! A source value, borrowed from the block it was read in.

use std::borrow::Cow;

use crate::digits::MANY_DIGITS;
use crate::json;
use crate::lanes::{self, Block, LANES};
use crate::time::Time;

/// A value as a decoder found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// Not there, or null
    Missing,
    Bool(bool),
    /// The text of a JSON number
    Number(&'a str),
    /// A whole number of a typed column
    Integer(i64),
    Text(Text<'a>),
    Time(Time),
    /// A time that cannot be read exactly
    InexactTime,
    /// Bytes that are no UTF-8, or something of a type that has no text
    NotText,
    /// The text of a valid JSON array
    Array(&'a str),
    /// The text of a valid JSON object
    Object(&'a str),
}

/// Text as it stands in the source, perhaps with escapes in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Text<'a> {
    raw: &'a str,
    escapes: Escapes,
}

/// What is escaped in a text, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Escapes {
    None,
    /// As in a JSON string
    Json,
    /// A doubled quote stands for one
    DoubledQuote(u8),
}

/// A text holds half of a surrogate pair, which UTF-8 cannot write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LoneSurrogate;

impl<'a> Text<'a> {
    pub(crate) fn new(raw: &'a str, escapes: Escapes) -> Self {
        Self { raw, escapes }
    }

    /// The text as it stands, if that is what it says.
    pub(crate) fn verbatim(self) -> Option<Verbatim<'a>> {
        match self.escapes {
            Escapes::None => {
                Some(Verbatim::Text(Stretch::new(self.raw.as_bytes(), self.raw.len())))
            }
            _ => None,
        }
    }

    /// The text itself.
    pub(crate) fn into_decoded(self) -> Result<Cow<'a, str>, LoneSurrogate> {
        if self.escapes == Escapes::None {
            return Ok(Cow::Borrowed(self.raw));
        }
        let mut scratch = String::new();
        self.decode(&mut scratch)?;
        Ok(Cow::Owned(scratch))
    }

    /// The text itself; `scratch` holds it where it differs from what stands in the source.
    pub(crate) fn decode<'b>(self, scratch: &'b mut String) -> Result<&'b str, LoneSurrogate>
    where
        'a: 'b,
    {
        match self.escapes {
            Escapes::None => Ok(self.raw),
            Escapes::Json => {
                scratch.clear();
                json::unescape_into(self.raw, scratch).ok_or(LoneSurrogate)?;
                Ok(scratch)
            }
            Escapes::DoubledQuote(quote) => {
                scratch.clear();
                let quote = char::from(quote);
                let mut pieces = self.raw.split(quote);
                scratch.push_str(pieces.next().unwrap_or_default());
                // Every second quote is the one that stands for itself.
                for (number, piece) in pieces.enumerate() {
                    if number % 2 == 0 {
                        scratch.push(quote);
                    }
                    scratch.push_str(piece);
                }
                Ok(scratch)
            }
        }
    }
}

/// A value that may be a cell as it stands in its source.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Verbatim<'a> {
    /// A number below [`crate::digits::MANY_DIGITS`]
    Integer(u64),
    /// A whole number of fifteen digits at most, as JSON would write it
    FewDigits(Stretch<'a>),
    /// Text without escapes
    Text(Stretch<'a>),
}

/// A value's bytes, and what stands behind them: that lets them be read in a block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stretch<'a> {
    bytes: &'a [u8],
    pub(crate) length: usize,
}

impl<'a> Verbatim<'a> {
    /// A number, if it has few digits.
    #[inline(always)]
    pub(crate) fn integer(number: i64) -> Option<Self> {
        let number = u64::try_from(number).ok().filter(|number| *number < MANY_DIGITS)?;
        Some(Self::Integer(number))
    }
}

impl<'a> Stretch<'a> {
    /// The first `length` bytes are the value's.
    #[inline(always)]
    pub(crate) fn new(bytes: &'a [u8], length: usize) -> Self {
        Self { bytes, length }
    }

    /// The value's own bytes.
    #[inline(always)]
    pub(crate) fn own(self) -> &'a [u8] {
        &self.bytes[..self.length]
    }

    /// The block that it begins, where it is shorter than one: one load, one store and a look at all
    /// bytes at once are far faster than those of just so many bytes.
    #[inline(always)]
    pub(crate) fn block(self) -> Option<&'a Block> {
        if self.length < LANES { lanes::block(self.bytes, 0) } else { None }
    }
}

/// A decoded record: the values that the plan asked for.
pub(crate) trait Record {
    /// How many elements the exploded array has; none if there is no such array.
    fn elements(&self) -> usize;

    /// The value of a fixed slot, if it may well be a cell as it stands.
    #[inline(always)]
    fn verbatim(&self, _: usize) -> Option<Verbatim<'_>> {
        None
    }

    /// The value of a slot; `element` says which element's, where the slot lies in the array.
    fn value(&self, slot: Slot, element: usize) -> Value<'_>;
}

/// Which of a record's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    /// One per record
    Fixed(usize),
    /// One per element of the exploded array
    Element(usize),
    /// One per file, from its folders
    Partition(usize),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubled_quotes_stand_for_one() {
        let mut scratch = String::new();
        for (raw, expected) in [("a\"\"b", "a\"b"), ("\"\"\"\"", "\"\""), ("é", "é"), ("", "")] {
            let text = Text::new(raw, Escapes::DoubledQuote(b'"'));
            assert_eq!(text.decode(&mut scratch), Ok(expected));
        }
    }
}
