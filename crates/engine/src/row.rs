//! A decoded row: the plan's values, borrowed from where they were decoded or written to an arena.

use std::fmt::Write as _;
use std::ops::Range;

use crate::projection::Projection;
use crate::value::{Escapes, Record, Slot, Text, Value, Verbatim};

/// A value: borrowed from its block, or written to the arena.
#[derive(Debug, Clone, Default)]
pub(crate) enum Held<'b> {
    #[default]
    Missing,
    Borrowed(Value<'b>),
    Number(Range<usize>),
    Text(Range<usize>),
    Array(Range<usize>),
    Object(Range<usize>),
}

impl<'b> Held<'b> {
    /// The value, whose text may be in the arena.
    pub(crate) fn value<'a>(&self, arena: &'a str) -> Value<'a>
    where
        'b: 'a,
    {
        let text = |range: &Range<usize>| &arena[range.clone()];
        match self {
            Self::Missing => Value::Missing,
            Self::Borrowed(value) => *value,
            Self::Number(range) => Value::Number(text(range)),
            Self::Text(range) => Value::Text(Text::new(text(range), Escapes::None)),
            Self::Array(range) => Value::Array(text(range)),
            Self::Object(range) => Value::Object(text(range)),
        }
    }
}

/// What was found in a row.
#[derive(Debug, Default)]
pub(crate) struct Row<'b> {
    fixed: Vec<Held<'b>>,
    elements: Vec<Held<'b>>,
    /// How many slots an element has
    width: usize,
    element_count: usize,
    element_start: usize,
    pub(crate) arena: String,
}

impl<'b> Row<'b> {
    pub(crate) fn new(projection: &Projection) -> Self {
        let (fixed, width) = projection.slots();
        Self { fixed: vec![Held::Missing; fixed], width, ..Self::default() }
    }

    /// Forgets the row before.
    pub(crate) fn clear(&mut self) {
        self.fixed.fill(Held::Missing);
        self.elements.clear();
        self.element_count = 0;
        self.arena.clear();
    }

    /// Begins an element of the exploded array.
    pub(crate) fn begin_element(&mut self) {
        self.element_start = self.elements.len();
        self.element_count += 1;
        self.elements.resize(self.element_start + self.width, Held::Missing);
    }

    /// Keeps a value.
    pub(crate) fn note(&mut self, slot: Slot, held: Held<'b>) {
        let place = match slot {
            Slot::Fixed(at) => self.fixed.get_mut(at),
            Slot::Element(at) => self.elements.get_mut(self.element_start + at),
            Slot::Partition(_) => None,
        };
        if let Some(place) = place {
            *place = held;
        }
    }
}

impl Record for Row<'_> {
    #[inline(always)]
    fn verbatim(&self, slot: usize) -> Option<Verbatim<'_>> {
        match self.fixed.get(slot)? {
            Held::Borrowed(Value::Integer(number)) => Verbatim::integer(*number),
            Held::Borrowed(Value::Text(text)) => text.verbatim(),
            _ => None,
        }
    }

    fn elements(&self) -> usize {
        self.element_count
    }

    fn value(&self, slot: Slot, element: usize) -> Value<'_> {
        let held = match slot {
            Slot::Fixed(at) => self.fixed.get(at),
            Slot::Element(at) => self.elements.get(element * self.width + at),
            Slot::Partition(_) => None,
        };
        held.map_or(Value::Missing, |held| held.value(&self.arena))
    }
}

/// Text without escapes.
pub(crate) fn text(text: &str) -> Held<'_> {
    Held::Borrowed(Value::Text(Text::new(text, Escapes::None)))
}

/// Bytes: as text if they are UTF-8, for many writers call their texts bytes.
pub(crate) fn bytes(bytes: &[u8]) -> Held<'_> {
    simdutf8::basic::from_utf8(bytes).map_or(Held::Borrowed(Value::NotText), text)
}

/// Appends a whole number.
pub(crate) fn push_integer(arena: &mut String, value: impl itoa::Integer) {
    arena.push_str(itoa::Buffer::new().format(value));
}

/// The shortest digits that read back as the same number; what is none is text.
pub(crate) fn float<'b>(
    arena: &mut String,
    value: impl Into<f64> + Copy + std::fmt::Display,
) -> Held<'b> {
    let start = arena.len();
    let number: f64 = value.into();
    if number.is_finite() {
        let _ = write!(arena, "{value}");
        return Held::Number(start..arena.len());
    }
    Held::Borrowed(Value::Text(Text::new(
        match number {
            f64::INFINITY => "Infinity",
            f64::NEG_INFINITY => "-Infinity",
            _ => "NaN",
        },
        Escapes::None,
    )))
}

/// Appends 16 bytes as `00112233-4455-6677-8899-aabbccddeeff`.
pub(crate) fn push_uuid(arena: &mut String, bytes: &[u8]) {
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            arena.push('-');
        }
        let _ = write!(arena, "{byte:02x}");
    }
}

/// Appends a decimal number, of whose digits `scale` lie behind the point.
pub(crate) fn push_decimal(arena: &mut String, unscaled: impl std::fmt::Display, scale: i8) {
    let start = arena.len();
    let _ = write!(arena, "{unscaled}");
    let first = start + usize::from(arena[start..].starts_with('-'));
    let places = usize::from(scale.unsigned_abs());
    if scale < 0 {
        arena.extend(std::iter::repeat_n('0', places));
        return;
    }
    if places == 0 {
        return;
    }
    let digits = arena.len() - first;
    if digits <= places {
        arena.insert_str(first, &"0".repeat(places + 1 - digits));
    }
    arena.insert(arena.len() - places, '.');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_keep_every_digit() {
        for (unscaled, scale, expected) in [
            (710, 2, "7.10"),
            (-5, 2, "-0.05"),
            (5, 0, "5"),
            (12, -3, "12000"),
            (0, 3, "0.000"),
            (-12345, 5, "-0.12345"),
        ] {
            let mut out = "x".to_owned();
            push_decimal(&mut out, unscaled, scale);
            assert_eq!(out, format!("x{expected}"));
        }
    }

    #[test]
    fn floats_are_their_shortest_digits() {
        let written = |held: Held<'_>, arena: &str| match held.value(arena) {
            Value::Number(text) => text.to_owned(),
            Value::Text(text) => text.decode(&mut String::new()).unwrap().to_owned(),
            other => panic!("{other:?}"),
        };
        for (value, expected) in [(0.1_f32, "0.1"), (35.0, "35"), (f32::NAN, "NaN")] {
            let mut arena = String::new();
            let held = float(&mut arena, value);
            assert_eq!(written(held, &arena), expected);
        }
        let mut arena = String::new();
        let held = float(&mut arena, 1e-7_f64);
        assert_eq!(written(held, &arena), "0.0000001");
    }
}
