//! Delimited text quoted as RFC 4180 says: framing into rows and cells.
//!
//! - `marks` finds where cells and rows end
//! - `columns` finds the plan's columns among a file's
//! - `records` converts row after row

mod columns;
mod marks;
mod records;

use std::borrow::Cow;
use std::ops::Range;

use crate::convert::PlainRow;
use crate::fault::RecordFault;
use crate::frame::Frame;
use crate::value::{Escapes, Stretch, Text, Value, Verbatim};
pub(crate) use columns::{CsvLayout, slot_columns};
use marks::{MarkedLine, Marks, RegularLines};
pub(crate) use records::CsvRecords;

/// Hive, Redshift and MySQL write null so.
const HIVE_NULL: &str = "\\N";

/// The bytes that tell cells from each other.
#[derive(Debug, Clone, Copy)]
struct Dialect {
    delimiter: u8,
    quote: u8,
}

/// Frames the rows of one file and holds the cells of the last one.
#[derive(Debug, Clone)]
pub(crate) struct Rows {
    dialect: Dialect,
    marks: Marks,
    /// Where the marks go on, if more rows of the same bytes are asked for
    marked_from: Option<usize>,
    /// Which of the marks the last row's cells end at, if all of it is plain
    plain: Range<usize>,
    /// The last row's cells otherwise
    cells: Vec<Cell>,
}

/// A cell's text, without its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cell {
    start: u32,
    end: u32,
    has_doubled_quotes: bool,
}

/// Rows that are plain.
struct PlainRows<'a> {
    bytes: &'a [u8],
    lines: RegularLines<'a>,
}

impl<'a> Iterator for PlainRows<'a> {
    type Item = PlainRow<'a>;

    #[inline(always)]
    fn next(&mut self) -> Option<PlainRow<'a>> {
        Some(PlainRow { bytes: self.bytes, ends: self.lines.next()? })
    }
}

/// What a cell's text is followed by.
enum After {
    Cell(usize),
    Row(usize),
}

impl Rows {
    pub(crate) fn new(delimiter: u8, quote: u8) -> Self {
        Self {
            dialect: Dialect { delimiter, quote },
            marks: Marks::new(),
            marked_from: None,
            plain: 0..0,
            cells: Vec::new(),
        }
    }

    /// The last row, where `text` has the bytes that it was found in from `base` on.
    #[inline(always)]
    pub(crate) fn row<'a>(&'a self, text: &'a str, base: usize) -> Row<'a> {
        let ends = if self.plain.is_empty() { &[] } else { self.marks.ends(self.plain.clone()) };
        Row { text, base, ends, cells: &self.cells, quote: self.dialect.quote }
    }

    /// The next row in `bytes` from `at` on, without empty lines; `last` says that nothing follows
    /// `bytes`. They are the same bytes from call to call until no whole row is left in them.
    #[inline(always)]
    pub(crate) fn next(&mut self, bytes: &[u8], at: usize, last: bool) -> Frame {
        if self.marked_from != Some(at) {
            self.marks.begin(at);
        }
        loop {
            let Some(line) = self.marks.next(self.dialect, bytes) else {
                self.marked_from = None;
                return self.last_row(bytes, last);
            };
            if line.bytes.is_empty() {
                continue;
            }
            if !line.has_specials {
                self.marked_from = Some(line.bytes.end);
                self.plain = line.ends;
                return Frame::Record(line.bytes);
            }
            if let Some(frame) = self.special_row(bytes, line, last) {
                return frame;
            }
        }
    }

    /// The rows in `bytes` from `at` on that are found already and plain, as long as they have that
    /// many cells; see [`Rows::next`].
    #[inline(always)]
    fn plain_rows<'a>(&'a self, bytes: &'a [u8], at: usize, cells: usize) -> Option<PlainRows<'a>> {
        let is_found = self.marked_from == Some(at);
        is_found.then(|| PlainRows { bytes, lines: self.marks.regular(cells) })
    }

    /// Goes on behind so many plain rows, and gives the place behind them.
    #[inline(always)]
    fn pass_plain_rows(&mut self, count: usize, cells: usize) -> usize {
        let at = self.marks.take_regular(count, cells);
        self.marked_from = Some(at);
        at
    }

    /// The row in a line that has more than plain cells; none if the line is empty.
    #[inline(never)]
    fn special_row(&mut self, bytes: &[u8], line: MarkedLine, last: bool) -> Option<Frame> {
        let start = line.bytes.start + carriage_returns(&bytes[line.bytes.clone()]);
        let end = line.bytes.end;
        if start == end {
            return None;
        }
        if memchr::memchr(self.dialect.quote, &bytes[start..end]).is_none() {
            self.plain = 0..0;
            self.cells.clear();
            let mut at = start as u32;
            for end in &self.marks.ends(line.ends)[1..] {
                self.cells.push(Cell { start: at, end: *end, has_doubled_quotes: false });
                at = end + 1;
            }
            if let Some(cell) = self.cells.last_mut() {
                cell.drop_carriage_return(bytes);
            }
            self.marked_from = Some(end);
            return Some(Frame::Record(start..end));
        }
        let frame = self.quoted_row(bytes, start, last);
        self.marked_from = match &frame {
            Frame::Record(range) | Frame::Fault(range, _) => {
                self.marks.pass(range.end);
                Some(range.end)
            }
            _ => None,
        };
        Some(frame)
    }

    /// What is left where no line break is.
    #[inline(never)]
    fn last_row(&mut self, bytes: &[u8], last: bool) -> Frame {
        let start = self.marks.start();
        let start = start + carriage_returns(&bytes[start..]);
        if !last {
            return Frame::More(start);
        }
        if start == bytes.len() { Frame::Done } else { self.quoted_row(bytes, start, last) }
    }

    /// The row that begins at `start`, whatever is quoted in it.
    fn quoted_row(&mut self, bytes: &[u8], start: usize, last: bool) -> Frame {
        self.plain = 0..0;
        self.cells.clear();
        let mut at = start;
        loop {
            if bytes.get(at) == Some(&self.dialect.quote) {
                match self.quoted_cell(bytes, at + 1, last) {
                    Ok((cell, After::Cell(next))) => {
                        self.cells.push(cell);
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
            let end = match memchr::memchr2(self.dialect.delimiter, b'\n', &bytes[at..]) {
                Some(length) => at + length,
                None if last => bytes.len(),
                None => return Frame::More(start),
            };
            let mut cell = Cell::new(at, end);
            if bytes.get(end) == Some(&self.dialect.delimiter) {
                self.cells.push(cell);
                at = end + 1;
                continue;
            }
            cell.drop_carriage_return(bytes);
            self.cells.push(cell);
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
            let found = memchr::memchr(self.dialect.quote, &bytes[end..]);
            end += found.ok_or(last.then_some(unclosed))?;
            if bytes.get(end + 1) != Some(&self.dialect.quote) {
                break;
            }
            has_doubled_quotes = true;
            end += 2;
        }
        let cell = Cell { has_doubled_quotes, ..Cell::new(start, end) };
        match &bytes[end + 1..] {
            [c, ..] if *c == self.dialect.delimiter => Ok((cell, After::Cell(end + 2))),
            [b'\n', ..] | [b'\r', b'\n', ..] => Ok((cell, After::Row(end + 1))),
            [] | [b'\r'] if last => Ok((cell, After::Row(end + 1))),
            [] | [b'\r'] => Err(None),
            _ => Err(Some(RecordFault::Quotes("text behind a closing quote"))),
        }
    }
}

impl Cell {
    fn new(start: usize, end: usize) -> Self {
        Self { start: start as u32, end: end as u32, has_doubled_quotes: false }
    }

    /// A line break may be one of two characters.
    fn drop_carriage_return(&mut self, bytes: &[u8]) {
        let is_one = self.end > self.start && bytes[self.end as usize - 1] == b'\r';
        self.end -= u32::from(is_one);
    }
}

/// How many bytes at the beginning are carriage returns.
fn carriage_returns(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| **byte == b'\r').count()
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
    /// Where the cells end, and before them where what is before the row does, if all of it is plain
    ends: &'a [u32],
    /// The cells otherwise
    cells: &'a [Cell],
    quote: u8,
}

impl<'a> Row<'a> {
    /// How many cells the row has.
    #[inline(always)]
    pub(crate) fn len(self) -> usize {
        if self.ends.is_empty() { self.cells.len() } else { self.ends.len() - 1 }
    }

    /// The cell at a position; an empty one is missing, and so is Hive's `\N`.
    pub(crate) fn cell(self, at: usize) -> Value<'a> {
        let Some(cell) = self.place(at).filter(|cell| cell.start < cell.end) else {
            return Value::Missing;
        };
        let range = cell.start as usize - self.base..cell.end as usize - self.base;
        let text = self.text.get(range).unwrap_or_default();
        if text == HIVE_NULL {
            return Value::Missing;
        }
        let escapes = match cell.has_doubled_quotes {
            true => Escapes::DoubledQuote(self.quote),
            false => Escapes::None,
        };
        Value::Text(Text::new(text, escapes))
    }

    /// The text of a cell that has no doubled quotes, empty or not.
    #[inline(always)]
    fn verbatim(self, at: usize) -> Option<Verbatim<'a>> {
        let cell = self.place(at).filter(|cell| !cell.has_doubled_quotes)?;
        let bytes = self.text.as_bytes().get(cell.start as usize - self.base..)?;
        Some(Verbatim::Text(Stretch::new(bytes, (cell.end - cell.start) as usize)))
    }

    #[inline(always)]
    fn place(self, at: usize) -> Option<Cell> {
        if self.ends.is_empty() {
            return self.cells.get(at).copied();
        }
        let [before, end] = self.ends.get(at..at + 2)? else {
            return None;
        };
        Some(Cell { start: before.wrapping_add(1), end: *end, has_doubled_quotes: false })
    }

    /// Every cell's text.
    pub(crate) fn texts(self) -> impl Iterator<Item = Cow<'a, str>> + use<'a> {
        (0..self.len()).map(move |at| match self.cell(at) {
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
