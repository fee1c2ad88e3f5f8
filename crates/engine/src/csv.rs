//! Delimited text quoted as RFC 4180 says: framing into rows and cells, and the cells by column.

use personalize_plan::{ConversionPlan, CsvFormat, FieldSource};

use crate::convert::Mapping;
use crate::error::ConvertError;
use crate::fault::RecordFault;
use crate::frame::Frame;
use crate::value::{Escapes, Record, Slot, Text, Value};

/// Hive, Redshift and MySQL write null so.
const HIVE_NULL: &str = "\\N";

/// Frames the rows of one file and holds the cells of the last one.
#[derive(Debug, Clone)]
pub(crate) struct Rows {
    delimiter: u8,
    quote: u8,
    cells: Vec<Cell>,
    row_start: usize,
}

/// A cell's text, without its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cell {
    start: usize,
    end: usize,
    has_doubled_quotes: bool,
}

/// What a cell's text is followed by.
enum After {
    Cell(usize),
    Row(usize),
}

impl Rows {
    pub(crate) fn new(delimiter: u8, quote: u8) -> Self {
        Self { delimiter, quote, cells: Vec::new(), row_start: 0 }
    }

    /// How many cells the last row has.
    pub(crate) fn cells(&self) -> usize {
        self.cells.len()
    }

    /// The last row, whose bytes are `text`.
    pub(crate) fn row<'a>(&'a self, text: &'a str) -> Row<'a> {
        Row { text, rows: self }
    }

    /// The next row in `bytes` from `at` on, without empty lines; `last` says that nothing follows
    /// `bytes`.
    pub(crate) fn next(&mut self, bytes: &[u8], at: usize, last: bool) -> Frame {
        let start = at + bytes[at..].iter().take_while(|c| matches!(c, b'\n' | b'\r')).count();
        if start == bytes.len() {
            return if last { Frame::Done } else { Frame::More(start) };
        }
        self.row_start = start;
        self.cells.clear();
        let mut at = start;
        loop {
            let (cell, after) = match self.cell(bytes, at, last) {
                Ok(found) => found,
                Err(Some(fault)) => return Self::first_line(bytes, start, fault),
                Err(None) => return Frame::More(start),
            };
            self.cells.push(cell);
            match after {
                After::Cell(next) => at = next,
                After::Row(end) => return Frame::Record(start..end),
            }
        }
    }

    /// Gives up the row that begins at `start` since its quote is not closed in all of `bytes`.
    pub(crate) fn give_up(bytes: &[u8], start: usize) -> Frame {
        Self::first_line(bytes, start, RecordFault::Quotes("a quote that is never closed"))
    }

    /// Only the first line is set aside: what looked like the rest of a quoted cell may be rows.
    fn first_line(bytes: &[u8], start: usize, fault: RecordFault) -> Frame {
        let line = memchr::memchr(b'\n', &bytes[start..]).unwrap_or(bytes.len() - start);
        Frame::Fault(start..start + line, fault)
    }

    /// The cell that begins at `at`; no fault in the error means that more bytes are needed.
    fn cell(
        &self,
        bytes: &[u8],
        at: usize,
        last: bool,
    ) -> Result<(Cell, After), Option<RecordFault>> {
        if bytes.get(at) == Some(&self.quote) {
            return self.quoted_cell(bytes, at + 1, last);
        }
        let found = memchr::memchr2(self.delimiter, b'\n', &bytes[at..]).map(|found| at + found);
        let end = found.or(last.then_some(bytes.len())).ok_or(None)?;
        let plain = |end| Cell { start: at, end, has_doubled_quotes: false };
        if bytes.get(end) == Some(&self.delimiter) {
            return Ok((plain(end), After::Cell(end + 1)));
        }
        let carriage_return = usize::from(end > at && bytes[end - 1] == b'\r');
        Ok((plain(end - carriage_return), After::Row(end)))
    }

    fn quoted_cell(
        &self,
        bytes: &[u8],
        start: usize,
        last: bool,
    ) -> Result<(Cell, After), Option<RecordFault>> {
        let unclosed = RecordFault::Quotes("a quote that is never closed");
        let mut cell = Cell { start, end: start, has_doubled_quotes: false };
        loop {
            let found = memchr::memchr(self.quote, &bytes[cell.end..]);
            cell.end += found.ok_or(last.then_some(unclosed))?;
            if bytes.get(cell.end + 1) != Some(&self.quote) {
                break;
            }
            cell.has_doubled_quotes = true;
            cell.end += 2;
        }
        match &bytes[cell.end + 1..] {
            [c, ..] if *c == self.delimiter => Ok((cell, After::Cell(cell.end + 2))),
            [b'\n', ..] | [b'\r', b'\n', ..] => Ok((cell, After::Row(cell.end + 1))),
            [] | [b'\r'] if last => Ok((cell, After::Row(cell.end + 1))),
            [] | [b'\r'] => Err(None),
            _ => Err(Some(RecordFault::Quotes("text behind a closing quote"))),
        }
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
    rows: &'a Rows,
}

impl<'a> Row<'a> {
    /// The cell at a position; an empty one is missing, and so is Hive's `\N`.
    pub(crate) fn cell(self, at: usize) -> Value<'a> {
        let Some(cell) = self.rows.cells.get(at).filter(|cell| cell.start < cell.end) else {
            return Value::Missing;
        };
        let start = self.rows.row_start;
        let text = self.text.get(cell.start - start..cell.end - start).unwrap_or_default();
        if text == HIVE_NULL {
            return Value::Missing;
        }
        let escapes = match cell.has_doubled_quotes {
            true => Escapes::DoubledQuote(self.rows.quote),
            false => Escapes::None,
        };
        Value::Text(Text::new(text, escapes))
    }

    /// Every cell's text.
    pub(crate) fn texts(self) -> impl Iterator<Item = String> + use<'a> {
        (0..self.rows.cells()).map(move |at| match self.cell(at) {
            Value::Text(text) => {
                text.decode(&mut String::new()).map(str::to_owned).unwrap_or_default()
            }
            _ => String::new(),
        })
    }
}

/// The source column of each of the mapping's fixed slots, and whether a record must have it.
pub(crate) fn slot_columns(plan: &ConversionPlan, mapping: &Mapping) -> Vec<(String, bool)> {
    let (fixed, _) = mapping.projection.slots();
    let mut columns = vec![(String::new(), false); fixed];
    let required = plan.fields.iter().map(|field| (&field.source, !field.nullable));
    let filter = plan.filter.iter().map(|filter| (&filter.source, true));
    let mut projection = mapping.projection.clone();
    for (source, required) in required.chain(filter) {
        if let FieldSource::Path(path) = source
            && let Slot::Fixed(slot) = projection.add(path)
        {
            columns[slot].0 = path.first_name().to_owned();
            columns[slot].1 |= required;
        }
    }
    columns
}

/// How a file's cells fill the plan's slots, once its header is read.
pub(crate) struct Header<'a> {
    format: &'a CsvFormat,
    columns: &'a [(String, bool)],
    layout: Option<Layout>,
}

/// Which cells a file's rows have.
pub(crate) struct Layout {
    cells: usize,
    cell_of_slot: Vec<Option<usize>>,
}

impl<'a> Header<'a> {
    /// A header to be read; `columns` are the [`slot_columns`].
    pub(crate) fn new(format: &'a CsvFormat, columns: &'a [(String, bool)]) -> Self {
        Self { format, columns, layout: None }
    }

    /// What was read.
    pub(crate) fn layout(&self) -> Option<&Layout> {
        self.layout.as_ref()
    }

    /// Takes the first row for the header, if the format has one, else the table's columns; true
    /// if the row is done with.
    pub(crate) fn read(&mut self, rows: &Rows, first_row: &str) -> Result<bool, ConvertError> {
        let names: Vec<String> = if self.format.header {
            column_names(&rows.row(first_row).texts().collect::<Vec<_>>())
        } else {
            self.format.columns.clone()
        };
        let mut cell_of_slot = Vec::with_capacity(self.columns.len());
        for (column, required) in self.columns {
            let lower = column.to_lowercase();
            let cell = names.iter().position(|name| name.to_lowercase() == lower);
            if cell.is_none() && *required {
                return Err(ConvertError::MissingColumn { missing: column.clone(), found: names });
            }
            cell_of_slot.push(cell);
        }
        self.layout = Some(Layout { cells: names.len(), cell_of_slot });
        Ok(self.format.header)
    }
}

impl Layout {
    /// The last row, whose bytes are `text`, by slots; a fault if it has too many or too few cells.
    pub(crate) fn row<'a>(
        &'a self,
        rows: &'a Rows,
        text: &'a str,
    ) -> Result<MappedRow<'a>, RecordFault> {
        let (expected, found) = (self.cells, rows.cells());
        if expected != found {
            return Err(RecordFault::Ragged { expected, found });
        }
        Ok(MappedRow { row: rows.row(text), cell_of_slot: &self.cell_of_slot })
    }
}

/// A row's cells by the plan's slots.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MappedRow<'a> {
    row: Row<'a>,
    /// Which cell fills each slot; none where the file has no such column.
    cell_of_slot: &'a [Option<usize>],
}

impl Record for MappedRow<'_> {
    fn elements(&self) -> usize {
        0
    }

    fn value(&self, slot: Slot, _: usize) -> Value<'_> {
        match slot {
            Slot::Fixed(at) => match self.cell_of_slot.get(at) {
                Some(Some(cell)) => self.row.cell(*cell),
                _ => Value::Missing,
            },
            Slot::Element(_) | Slot::Partition(_) => Value::Missing,
        }
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
                    let cells: Vec<String> = rows.row(&text[range]).texts().collect();
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
        let row = rows.row(text);
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
