//! Where cells and rows end, found for a stretch of text at once: what is the same for all of its
//! bytes is done without a branch for each.

use std::ops::Range;

use super::Dialect;
use crate::lanes::{self, CellMarks, WORD};

/// Bytes that are marked at once.
const STRETCH: usize = 64 * WORD;
/// Ends that are written at once, whether there are so many or not.
const GROUP: usize = 8;

/// The ends of cells and rows in a text, as if nothing in it were quoted.
#[derive(Debug, Clone)]
pub(super) struct Marks {
    /// Where cells end: the delimiters and line breaks. Before those of the next row stands where
    /// the row before it ends; behind the last of them is room.
    ends: Vec<u32>,
    count: usize,
    /// Which of the ends is the first of the next row
    first: usize,
    lines: Vec<Line>,
    next_line: usize,
    /// How far the text is marked
    marked: usize,
    /// Whether a special byte stands behind the last line
    has_specials: bool,
}

/// A line of the text.
#[derive(Debug, Clone, Copy)]
struct Line {
    /// Which of the ends is its line break
    last: usize,
    has_specials: bool,
}

/// A line, and the ends of the cells that it has if nothing in it is quoted.
#[derive(Debug, Clone)]
pub(super) struct MarkedLine {
    pub(super) bytes: Range<usize>,
    /// Which of the ends are its own
    pub(super) ends: Range<usize>,
    /// Whether it has a byte that a cell cannot have as it stands, or might not
    pub(super) has_specials: bool,
}

impl Marks {
    pub(super) fn new() -> Self {
        Self {
            ends: Vec::new(),
            count: 0,
            first: 0,
            lines: Vec::new(),
            next_line: 0,
            marked: 0,
            has_specials: false,
        }
    }

    /// Begins anew at a place of a text, where a line begins.
    pub(super) fn begin(&mut self, at: usize) {
        self.ends.resize(1 + STRETCH + WORD, 0);
        // There need be no byte before the first.
        self.ends[0] = (at as u32).wrapping_sub(1);
        (self.count, self.first) = (1, 1);
        self.lines.clear();
        self.next_line = 0;
        self.marked = at;
        self.has_specials = false;
    }

    /// Where the next line begins.
    pub(super) fn start(&self) -> usize {
        self.ends[self.first - 1].wrapping_add(1) as usize
    }

    /// The next line; none where no line break is left.
    pub(super) fn next(&mut self, dialect: Dialect, bytes: &[u8]) -> Option<MarkedLine> {
        if self.next_line == self.lines.len() && !self.mark(dialect, bytes) {
            return None;
        }
        let line = self.peek()?;
        self.take(&line);
        Some(line)
    }

    /// The next line, if it was marked already.
    #[inline(always)]
    pub(super) fn peek(&self) -> Option<MarkedLine> {
        let Line { last, has_specials } = *self.lines.get(self.next_line)?;
        let bytes = self.start()..self.ends[last] as usize;
        Some(MarkedLine { bytes, ends: self.first..last + 1, has_specials })
    }

    /// Goes on behind the next line.
    #[inline(always)]
    pub(super) fn take(&mut self, line: &MarkedLine) {
        self.first = line.ends.end;
        self.next_line += 1;
    }

    /// Passes over the lines that end before `at`.
    pub(super) fn pass(&mut self, at: usize) {
        while self.start() < at {
            let Some(line) = self.lines.get(self.next_line) else {
                return self.begin(at);
            };
            self.first = line.last + 1;
            self.next_line += 1;
        }
    }

    /// These ends, and before them where what is before the first cell ends.
    #[inline(always)]
    pub(super) fn ends(&self, ends: Range<usize>) -> &[u32] {
        &self.ends[ends.start - 1..ends.end]
    }

    /// Marks on until there is a line; false if there are no more.
    #[inline(never)]
    fn mark(&mut self, dialect: Dialect, bytes: &[u8]) -> bool {
        self.ends.copy_within(self.first - 1..self.count, 0);
        self.count -= self.first - 1;
        self.first = 1;
        self.lines.clear();
        self.next_line = 0;
        while self.lines.is_empty() {
            let Some(rest) = bytes.get(self.marked..).filter(|rest| !rest.is_empty()) else {
                return false;
            };
            self.ends.resize(self.count + STRETCH + WORD, 0);
            let (words, last) = rest[..rest.len().min(STRETCH)].as_chunks();
            for word in words {
                self.mark_word(lanes::cell_marks(word, dialect.delimiter, dialect.quote));
            }
            if !last.is_empty() {
                let mut word = [0; WORD];
                word[..last.len()].copy_from_slice(last);
                self.mark_word(lanes::cell_marks(&word, dialect.delimiter, dialect.quote));
                self.marked -= WORD - last.len();
            }
        }
        true
    }

    #[inline(always)]
    fn mark_word(&mut self, CellMarks { mut ends, line_breaks, mut specials }: CellMarks) {
        let at = self.marked as u32;
        self.marked += WORD;
        let mut breaks_left = line_breaks;
        while breaks_left != 0 {
            let before = breaks_left ^ (breaks_left - 1);
            let last = self.count + (ends & before).count_ones() as usize - 1;
            let has_specials = self.has_specials || specials & before != 0;
            self.lines.push(Line { last, has_specials });
            self.has_specials = false;
            specials &= !before;
            breaks_left &= breaks_left - 1;
        }
        self.has_specials |= specials != 0;
        let places = &mut self.ends[self.count..][..WORD];
        self.count += ends.count_ones() as usize;
        for group in places.as_chunks_mut::<GROUP>().0 {
            for place in group {
                // What is written where no end is left is of no meaning.
                *place = at + (ends | 1 << 63).trailing_zeros();
                ends &= ends.wrapping_sub(1);
            }
            if ends == 0 {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DIALECT: Dialect = Dialect { delimiter: b';', quote: b'\'' };

    type Found = Vec<(Range<usize>, Vec<u32>, bool)>;

    fn found(bytes: &[u8], from: usize) -> Found {
        let mut marks = Marks::new();
        marks.begin(from);
        let mut found = Found::new();
        while let Some(line) = marks.next(DIALECT, bytes) {
            found.push((line.bytes, marks.ends(line.ends)[1..].to_vec(), line.has_specials));
        }
        found
    }

    fn expected(bytes: &[u8], from: usize) -> Found {
        let mut at = from;
        let mut found = Found::new();
        for line in bytes[from..].split_inclusive(|byte| *byte == b'\n') {
            let Some(cells) = line.strip_suffix(b"\n") else {
                break;
            };
            let is_special =
                |c: &u8| matches!(c, b'"' | b'\'' | b'\\' | b',' | b'#' | ..0x20 | 0x80..);
            let ends = (at..).zip(line).filter(|(_, c)| matches!(c, b';' | b'\n'));
            found.push((
                at..at + cells.len(),
                ends.map(|(at, _)| at as u32).collect(),
                cells.iter().any(is_special),
            ));
            at += line.len();
        }
        found
    }

    proptest! {
        #[test]
        fn every_line_is_found_and_the_ends_in_it(
            text in prop::collection::vec("[a-z0-9 ]{0,40}|[;\n]{1,70}|[\"'\\\\,#\r\té]", 0..200),
            from in any::<prop::sample::Index>(),
        ) {
            let text = text.join(";");
            let from = from.index(text.len() + 1);
            prop_assert_eq!(found(text.as_bytes(), from), expected(text.as_bytes(), from));
        }
    }

    #[test]
    fn lines_are_found_across_stretches() {
        for text in ["x;y\n".repeat(STRETCH), ";".repeat(3 * STRETCH) + "\n;\n;", "x;\n".into()] {
            assert_eq!(found(text.as_bytes(), 1), expected(text.as_bytes(), 1));
        }
    }

    #[test]
    fn lines_can_be_passed_over() {
        let text = b"a;b\nc;d\ne;f\ng;h\n";
        let mut marks = Marks::new();
        marks.begin(0);
        for (at, expected) in [(0, 0..3), (4, 4..7), (9, 12..15)] {
            marks.pass(at);
            assert_eq!(marks.next(DIALECT, text).unwrap().bytes, expected);
        }
        marks.pass(16);
        assert!(marks.next(DIALECT, text).is_none());
    }
}
