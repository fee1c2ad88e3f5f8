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
    /// Where its line break is
    end: u32,
    has_specials: bool,
}

/// The lines that are marked already, as long as each has the same number of cells, none of them
/// special, and is not empty.
#[derive(Debug, Clone)]
pub(super) struct RegularLines<'a> {
    lines: &'a [Line],
    /// Their ends, and before them where what is before the first line ends
    ends: &'a [u32],
    cells: usize,
}

impl RegularLines<'_> {
    /// How many bytes all lines have, whether they are regular or not.
    pub(super) fn length(&self) -> usize {
        let end = self.lines.last().map_or(0, |line| line.end);
        end.saturating_sub(self.ends[0].wrapping_add(1)) as usize
    }
}

impl<'a> Iterator for RegularLines<'a> {
    type Item = &'a [u32];

    #[inline(always)]
    fn next(&mut self) -> Option<&'a [u32]> {
        let (line, lines) = self.lines.split_first()?;
        let ends = self.ends.get(..=self.cells)?;
        let is_empty = ends[0].wrapping_add(1) == line.end;
        // With more cells the line's end comes later, and with fewer earlier.
        if line.has_specials || is_empty || ends[self.cells] != line.end {
            return None;
        }
        self.lines = lines;
        self.ends = &self.ends[self.cells..];
        Some(ends)
    }
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
        let Line { end, has_specials } = *self.lines.get(self.next_line)?;
        let bytes = self.start()..end as usize;
        let first = self.first;
        self.take(end);
        Some(MarkedLine { bytes, ends: first..self.first, has_specials })
    }

    /// Goes on behind the next line, which ends there.
    fn take(&mut self, end: u32) {
        let own = self.ends[self.first..self.count].iter().take_while(|place| **place <= end);
        self.first += own.count();
        self.next_line += 1;
    }

    /// The lines that are marked, as long as they have so many cells and so on.
    #[inline(always)]
    pub(super) fn regular(&self, cells: usize) -> RegularLines<'_> {
        let lines = &self.lines[self.next_line..];
        RegularLines { lines, ends: &self.ends[self.first - 1..self.count], cells }
    }

    /// Goes on behind so many of the regular lines, and gives where the last of them ends.
    #[inline(always)]
    pub(super) fn take_regular(&mut self, count: usize, cells: usize) -> usize {
        self.next_line += count;
        self.first += count * cells;
        self.ends[self.first - 1] as usize
    }

    /// Passes over the lines that end before `at`.
    pub(super) fn pass(&mut self, at: usize) {
        while self.start() < at {
            let Some(line) = self.lines.get(self.next_line).copied() else {
                return self.begin(at);
            };
            self.take(line.end);
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
            let stretch = &rest[..rest.len().min(STRETCH)];
            match dialect {
                // For constants there is less to do.
                Dialect { delimiter: b',', quote: b'"' } => {
                    self.mark_stretch(stretch, |word| lanes::cell_marks(word, b',', b'"'));
                }
                Dialect { delimiter, quote } => {
                    self.mark_stretch(stretch, |word| lanes::cell_marks(word, delimiter, quote));
                }
            }
        }
        true
    }

    #[inline(always)]
    fn mark_stretch(&mut self, stretch: &[u8], marks: impl Fn(&[u8; WORD]) -> CellMarks) {
        self.ends.resize(self.count + STRETCH + WORD, 0);
        let (words, last) = stretch.as_chunks();
        for word in words {
            self.mark_word(marks(word));
        }
        if !last.is_empty() {
            let mut word = [0; WORD];
            word[..last.len()].copy_from_slice(last);
            self.mark_word(marks(&word));
            self.marked -= WORD - last.len();
        }
    }

    #[inline(always)]
    fn mark_word(&mut self, CellMarks { mut ends, line_breaks, mut specials }: CellMarks) {
        let at = self.marked as u32;
        self.marked += WORD;
        let mut breaks_left = line_breaks;
        while breaks_left != 0 {
            let before = breaks_left ^ (breaks_left - 1);
            let end = at + breaks_left.trailing_zeros();
            let has_specials = self.has_specials || specials & before != 0;
            self.lines.push(Line { end, has_specials });
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
