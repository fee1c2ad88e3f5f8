//! What a walk noted of a record, and the record as it is read by that.

use crate::value::{Escapes, Record, Slot, Stretch, Text, Value, Verbatim};

/// Where a value lies in the bytes that were walked over.
// Of a size by which places are found without a multiplication.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(align(16))]
struct Span {
    kind: Kind,
    start: u32,
    end: u32,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(u64)]
pub(super) enum Kind {
    #[default]
    Missing,
    True,
    False,
    Number,
    /// A whole number of few digits
    FewDigits,
    String,
    EscapedString,
    Array,
    Object,
}

/// Where the values of the record walked last lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Notes {
    /// The last one is that of [`Notes::UNREAD`]
    fixed: Vec<Span>,
    elements: Vec<Span>,
    /// How many spans an element has
    width: usize,
    /// Elements of the exploded array so far
    element_count: usize,
    /// The first span of the element that is being walked
    element_start: usize,
}

impl Notes {
    /// The slot of values that nobody reads, which may be noted, too.
    pub(super) const UNREAD: u32 = u32::MAX;

    /// Of so many slots, and so many for each element of an exploded array.
    pub(super) fn new(fixed: usize, width: usize) -> Self {
        Self {
            fixed: vec![Span::default(); fixed + 1],
            elements: Vec::new(),
            width,
            element_count: 0,
            element_start: 0,
        }
    }

    #[inline(always)]
    pub(super) fn clear(&mut self) {
        self.fixed.fill(Span::default());
        self.clear_elements();
    }

    #[inline(always)]
    pub(super) fn clear_elements(&mut self) {
        self.elements.clear();
        self.element_count = 0;
        self.element_start = 0;
    }

    pub(super) fn begin_element(&mut self) {
        self.element_start = self.elements.len();
        self.element_count += 1;
        self.elements.resize(self.element_start + self.width, Span::default());
    }

    /// Notes a value; a string without its quotes.
    pub(super) fn note_whole(&mut self, slot: Slot, kind: Kind, start: usize, end: usize) {
        let quote = usize::from(matches!(kind, Kind::String | Kind::EscapedString));
        self.note(slot, kind, start + quote, end - quote);
    }

    #[inline(always)]
    fn note(&mut self, slot: Slot, kind: Kind, start: usize, end: usize) {
        let place = match slot {
            Slot::Fixed(at) => self.fixed.get_mut(at),
            Slot::Element(at) => self.elements.get_mut(self.element_start + at),
            Slot::Partition(_) => None,
        };
        if let Some(place) = place {
            *place = Span { kind, start: start as u32, end: end as u32 };
        }
    }

    /// Notes a value in a fixed slot, a string without its quotes, without a branch on whether it is
    /// read.
    #[inline(always)]
    pub(super) fn note_fixed(&mut self, slot: u32, kind: Kind, start: usize, end: usize) {
        let unread = self.fixed.len().wrapping_sub(1);
        if let Some(place) = self.fixed.get_mut(unread.min(slot as usize)) {
            *place = Span { kind, start: start as u32, end: end as u32 };
        }
    }

    /// Without what nobody reads, where so many slots are read.
    #[cfg(test)]
    pub(super) fn without_unread(mut self, fixed: usize) -> Self {
        self.fixed.truncate(fixed);
        self
    }

    pub(super) fn forget(&mut self, slot: Slot) {
        self.note(slot, Kind::Missing, 0, 0);
    }

    /// The record, where `text` has the bytes that it was walked in from `base` on.
    #[inline(always)]
    pub(super) fn record<'a>(&'a self, text: &'a str, base: usize) -> JsonRecord<'a> {
        JsonRecord { text, base, notes: self }
    }
}

/// A record's values, read out of its text by the places that the walker noted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JsonRecord<'a> {
    text: &'a str,
    base: usize,
    notes: &'a Notes,
}

impl Record for JsonRecord<'_> {
    fn elements(&self) -> usize {
        self.notes.element_count
    }

    #[inline(always)]
    fn verbatim(&self, slot: usize) -> Option<Verbatim<'_>> {
        let Span { kind, start, end } = self.notes.fixed.get(slot)?;
        let bytes = self.text.as_bytes().get((*start as usize).wrapping_sub(self.base)..)?;
        let stretch = Stretch::new(bytes, (end - start) as usize);
        match kind {
            Kind::FewDigits => Some(Verbatim::FewDigits(stretch)),
            Kind::String => Some(Verbatim::Text(stretch)),
            _ => None,
        }
    }

    fn value(&self, slot: Slot, element: usize) -> Value<'_> {
        let span = match slot {
            Slot::Fixed(at) => self.notes.fixed.get(at),
            Slot::Element(at) if element < self.notes.element_count => {
                self.notes.elements.get(element * self.notes.width + at)
            }
            Slot::Element(_) | Slot::Partition(_) => None,
        };
        let Some(Span { kind, start, end }) = span else {
            return Value::Missing;
        };
        // What is missing has no place.
        let range =
            (*start as usize).wrapping_sub(self.base)..(*end as usize).wrapping_sub(self.base);
        let text = self.text.get(range).unwrap_or_default();
        match kind {
            Kind::Missing => Value::Missing,
            Kind::True => Value::Bool(true),
            Kind::False => Value::Bool(false),
            Kind::Number | Kind::FewDigits => Value::Number(text),
            Kind::String => Value::Text(Text::new(text, Escapes::None)),
            Kind::EscapedString => Value::Text(Text::new(text, Escapes::Json)),
            Kind::Array => Value::Array(text),
            Kind::Object => Value::Object(text),
        }
    }
}
