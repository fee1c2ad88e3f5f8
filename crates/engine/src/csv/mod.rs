//! Delimited text quoted as RFC 4180 says: framing into rows and cells.
//!
//! - `columns` finds the plan's columns among a file's
//! - `records` converts row after row

mod columns;
mod records;

use std::borrow::Cow;
use std::ops::Range;

use crate::fault::RecordFault;
use crate::frame::Frame;
use crate::lanes::{self, LANES};
use crate::value::{Escapes, Stretch, Text, Value, Verbatim};
pub(crate) use columns::{CsvLayout, slot_columns};
pub(crate) use records::CsvRecords;

/// Hive, Redshift and MySQL write null so.
const HIVE_NULL: &str = "\\N";

/// Frames the rows of one file and holds the cells of the last one.
#[derive(Debug, Clone)]
pub(crate) struct Rows {
    delimiter: u8,
    quote: u8,
    cells: Vec<Cell>,
}

/// A cell's text, without its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cell {
    start: u32,
    end: u32,
    has_doubled_quotes: bool,
}

/// What a cell's text is followed by.
enum After {
    Cell(usize),
    Row(usize),
}

impl Rows {
    pub(crate) fn new(delimiter: u8, quote: u8) -> Self {
        Self { delimiter, quote, cells: Vec::new() }
    }

    /// How many cells the last row has.
    pub(crate) fn cells(&self) -> usize {
        self.cells.len()
    }

    /// The last row, where `text` has the bytes that it was found in from `base` on.
    pub(crate) fn row<'a>(&'a self, text: &'a str, base: usize) -> Row<'a> {
        Row { text, base, rows: self }
    }

    /// The next row in `bytes` from `at` on, without empty lines; `last` says that nothing follows
    /// `bytes`.
    pub(crate) fn next(&mut self, bytes: &[u8], at: usize, last: bool) -> Frame {
        let start = at + bytes[at..].iter().take_while(|c| matches!(c, b'\n' | b'\r')).count();
        if start == bytes.len() {
            return if last { Frame::Done } else { Frame::More(start) };
        }
        self.cells.clear();
        let mut ends = Ends::new(self, bytes, start);
        let mut at = start;
        loop {
            if bytes.get(at) == Some(&self.quote) {
                match self.quoted_cell(bytes, at + 1, last) {
                    Ok((cell, After::Cell(next))) => {
                        self.cells.push(cell);
                        ends = Ends::new(self, bytes, next);
                        at = next;
                        continue;
                    }
                    Ok((cell, After::Row(end))) => {
                        self.cells.push(cell);
                        return Frame::Record(start..end);
                    }
                    Err(Some(fault)) => {
                        let (range, fault) = Self::first_line(bytes, start, fault);
                        return Frame::Fault(range, fault);
                    }
                    Err(None) => return Frame::More(start),
                }
            }
            let end = match ends.next(self, bytes) {
                Some(end) if bytes[end] != b'\n' => {
                    self.cells.push(Cell::plain(at, end));
                    at = end + 1;
                    continue;
                }
                Some(end) => end,
                None if last => bytes.len(),
                None => return Frame::More(start),
            };
            self.cells.push(Cell::last_of_line(bytes, at, end));
            return Frame::Record(start..end);
        }
    }

    /// Gives up the row that begins at `start` since its quote is not closed in all of `bytes`.
    pub(crate) fn give_up(bytes: &[u8], start: usize) -> (Range<usize>, RecordFault) {
        Self::first_line(bytes, start, RecordFault::Quotes("a quote that is never closed"))
    }

    /// Only the first line is set aside: what looked like the rest of a quoted cell may be rows.
    fn first_line(bytes: &[u8], start: usize, fault: RecordFault) -> (Range<usize>, RecordFault) {
        let line = memchr::memchr(b'\n', &bytes[start..]).unwrap_or(bytes.len() - start);
        (start..start + line, fault)
    }

    /// The quoted cell whose text begins at `start`; no fault in the error means that more bytes are
    /// needed.
    fn quoted_cell(
        &self,
        bytes: &[u8],
        start: usize,
        last: bool,
    ) -> Result<(Cell, After), Option<RecordFault>> {
        let unclosed = RecordFault::Quotes("a quote that is never closed");
        let mut end = start;
        let mut has_doubled_quotes = false;
        loop {
            let found = memchr::memchr(self.quote, &bytes[end..]);
            end += found.ok_or(last.then_some(unclosed))?;
            if bytes.get(end + 1) != Some(&self.quote) {
                break;
            }
            has_doubled_quotes = true;
            end += 2;
        }
        let cell = Cell { has_doubled_quotes, ..Cell::plain(start, end) };
        match &bytes[end + 1..] {
            [c, ..] if *c == self.delimiter => Ok((cell, After::Cell(end + 2))),
            [b'\n', ..] | [b'\r', b'\n', ..] => Ok((cell, After::Row(end + 1))),
            [] | [b'\r'] if last => Ok((cell, After::Row(end + 1))),
            [] | [b'\r'] => Err(None),
            _ => Err(Some(RecordFault::Quotes("text behind a closing quote"))),
        }
    }
}

impl Cell {
    #[inline(always)]
    fn plain(start: usize, end: usize) -> Self {
        Self { start: start as u32, end: end as u32, has_doubled_quotes: false }
    }

    /// The cell before a line break, which may be one of two characters.
    #[inline(always)]
    fn last_of_line(bytes: &[u8], start: usize, end: usize) -> Self {
        let carriage_return = usize::from(end > start && bytes[end - 1] == b'\r');
        Self::plain(start, end - carriage_return)
    }
}

/// Where plain cells end: at the next delimiter or line break, found block by block.
struct Ends {
    /// Where the block is whose bits are left
    block_at: usize,
    bits: u32,
}

impl Ends {
    /// From `at` on.
    #[inline(always)]
    fn new(rows: &Rows, bytes: &[u8], at: usize) -> Self {
        let bits =
            lanes::block(bytes, at).map_or(0, |block| lanes::either(block, rows.delimiter, b'\n'));
        Self { block_at: at, bits }
    }

    #[inline(always)]
    fn next(&mut self, rows: &Rows, bytes: &[u8]) -> Option<usize> {
        while self.bits == 0 {
            let next = self.block_at + LANES;
            if lanes::block(bytes, next).is_none() {
                return self.next_of_the_last(rows, bytes);
            }
            *self = Self::new(rows, bytes, next);
        }
        let at = self.block_at + self.bits.trailing_zeros() as usize;
        self.bits &= self.bits - 1;
        Some(at)
    }

    /// Among the last bytes, which are no block.
    #[cold]
    fn next_of_the_last(&mut self, rows: &Rows, bytes: &[u8]) -> Option<usize> {
        let from = match lanes::block(bytes, self.block_at) {
            Some(_) => self.block_at + LANES,
            None => self.block_at,
        };
        let found = memchr::memchr2(rows.delimiter, b'\n', &bytes[from..])?;
        self.block_at = from + found + 1;
        Some(from + found)
    }
}

/// The columns that a header names. A cell that is blank, or names a column again, is called by its
/// position, as crawlers call columns without a header: `col3`.
pub(crate) fn column_names(header: &[String]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (at, name) in header.iter().enumerate() {
        let name = name.trim();
        let lower = name.to_lowercase();
        let known = names.iter().any(|known| known.to_lowercase() == lower);
        names.push(if name.is_empty() || known { position_name(at) } else { name.to_owned() });
    }
    names
}

/// What crawlers call a column without a name.
pub(crate) fn position_name(at: usize) -> String {
    format!("col{at}")
}

/// A row's cells by position.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a> {
    text: &'a str,
    base: usize,
    rows: &'a Rows,
}

impl<'a> Row<'a> {
    /// The cell at a position; an empty one is missing, and so is Hive's `\N`.
    pub(crate) fn cell(self, at: usize) -> Value<'a> {
        let Some(cell) = self.rows.cells.get(at).filter(|cell| cell.start < cell.end) else {
            return Value::Missing;
        };
        let range = cell.start as usize - self.base..cell.end as usize - self.base;
        let text = self.text.get(range).unwrap_or_default();
        if text == HIVE_NULL {
            return Value::Missing;
        }
        let escapes = match cell.has_doubled_quotes {
            true => Escapes::DoubledQuote(self.rows.quote),
            false => Escapes::None,
        };
        Value::Text(Text::new(text, escapes))
    }

    /// The text of a cell that has no doubled quotes, empty or not.
    #[inline(always)]
    fn verbatim(self, at: usize) -> Option<Verbatim<'a>> {
        let cell = self.rows.cells.get(at).filter(|cell| !cell.has_doubled_quotes)?;
        let bytes = self.text.as_bytes().get(cell.start as usize - self.base..)?;
        Some(Verbatim::Text(Stretch::new(bytes, (cell.end - cell.start) as usize)))
    }

    /// Every cell's text.
    pub(crate) fn texts(self) -> impl Iterator<Item = Cow<'a, str>> + use<'a> {
        (0..self.rows.cells()).map(move |at| match self.cell(at) {
            Value::Text(text) => text.into_decoded().unwrap_or_default(),
            _ => Cow::Borrowed(""),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of a text, cells joined by `|`; `!` and the bytes for what is no row.
    fn rows(text: &str) -> Vec<String> {
        let mut rows = Rows::new(b',', b'"');
        let mut at = 0;
        let mut found = Vec::new();
        loop {
            match rows.next(text.as_bytes(), at, true) {
                Frame::Record(range) => {
                    at = range.end;
                    let cells: Vec<_> = rows.row(text, 0).texts().collect();
                    found.push(cells.join("|"));
                }
                Frame::Fault(range, _) => {
                    at = range.end;
                    found.push(format!("!{}", &text[range]));
                }
                Frame::More(_) => panic!("nothing follows"),
                Frame::Done => return found,
            }
        }
    }

    #[test]
    fn cells_are_read_as_rfc_4180_writes_them() {
        assert_eq!(rows("a,b\r\n1,2\n\n,\n"), ["a|b", "1|2", "|"]);
        assert_eq!(
            rows("\"x, y\",\"say \"\"hi\"\"\",\"two\nlines\""),
            ["x, y|say \"hi\"|two\nlines"]
        );
        assert_eq!(rows("\"\",\"\"\"\"\r\nlast,"), ["|\"", "last|"]);
        assert_eq!(rows("5\" pipe, \"x\""), ["5\" pipe| \"x\""]);
    }

    #[test]
    fn empty_cells_and_hives_null_are_missing() {
        let text = "\\N,,\"\",\\NN";
        let mut rows = Rows::new(b',', b'"');
        assert!(matches!(rows.next(text.as_bytes(), 0, true), Frame::Record(_)));
        let row = rows.row(text, 0);
        let missing: Vec<bool> = (0..4).map(|at| row.cell(at) == Value::Missing).collect();
        assert_eq!(missing, [true, true, true, false]);
    }

    #[test]
    fn a_broken_quote_costs_its_line_only() {
        assert_eq!(rows("\"a\"x,1\nb,2\n"), ["!\"a\"x,1", "b|2"]);
        assert_eq!(rows("\"a,1\nb,2\n"), ["!\"a,1", "b|2"]);
    }

    #[test]
    fn a_row_cut_anywhere_is_asked_for_again() {
        let text = "\"x\"\"y\",b\r\n";
        for end in 0..text.len() - 1 {
            let frame = Rows::new(b',', b'"').next(&text.as_bytes()[..end], 0, false);
            assert!(matches!(frame, Frame::More(_)), "{end} {frame:?}");
        }
    }
}
