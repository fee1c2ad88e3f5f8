//! Rows of delimited text that are plain: no byte in them has to be decoded or quoted, so that most
//! cells are copied, those that stand side by side at once.

use super::verbatim::is_number;
use super::{FieldMapping, Mapping, Scratch, partition_value};
use crate::lanes;
use crate::row_buffer::{Room, RowBuffer};
use crate::value::{Escapes, Slot, Stretch, Text, Value};

/// A row, by where its cells end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlainRow<'a> {
    /// The bytes that it lies in
    pub(crate) bytes: &'a [u8],
    /// Where each cell ends, and before them where what is before the first does
    pub(crate) ends: &'a [u32],
}

/// Which cells of a file's rows are copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RowCopy {
    cells: Vec<CellCopy>,
    /// The cell of the first field, if those of all fields stand side by side
    whole: Option<usize>,
    /// The cell that the filter looks at
    filter: Option<usize>,
}

/// When a field's cell is copied, and which of a file's cells it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct CellCopy {
    cell: Option<usize>,
    /// How many fields from this one on have cells that stand side by side, just as they are
    /// written; none if this one's is never copied
    run: usize,
    /// How many bytes it has, and how many more it may have
    least: u32,
    more: u32,
    is_number: bool,
    separator: u8,
}

/// What became of a plain row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CopyOutcome {
    Written,
    Filtered,
    /// Nothing: it is to be converted as any other
    Left,
}

/// How many plain rows were written, and how many filtered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct CopiedRows {
    pub(crate) written: u64,
    pub(crate) filtered: u64,
}

impl PlainRow<'_> {
    fn value(&self, cell: Option<usize>) -> Value<'_> {
        let text = cell.and_then(|cell| std::str::from_utf8(self.cell(cell)?.own()).ok());
        match text {
            None | Some("") => Value::Missing,
            Some(text) => Value::Text(Text::new(text, Escapes::None)),
        }
    }

    fn cell(&self, cell: usize) -> Option<Stretch<'_>> {
        let [before, end] = self.ends.get(cell..cell + 2)? else {
            return None;
        };
        let begin = before.wrapping_add(1) as usize;
        Some(Stretch::new(self.bytes.get(begin..)?, (*end as usize).checked_sub(begin)?))
    }
}

impl Mapping {
    /// What is copied of a file's rows where cells fill the slots so.
    pub(crate) fn row_copy(&self, cell_of_slot: &[Option<usize>], delimiter: u8) -> RowCopy {
        let cell = |slot: Slot| match slot {
            Slot::Fixed(slot) => cell_of_slot.get(slot).copied().flatten(),
            _ => None,
        };
        let mut cells: Vec<CellCopy> = Vec::with_capacity(self.fields.len());
        for field in self.fields.iter().rev() {
            let copy = CellCopy::new(field, cell(field.slot), delimiter, cells.last());
            cells.push(copy);
        }
        cells.reverse();
        let whole = cells.first().filter(|first| first.run == cells.len());
        let whole = whole.and_then(|first| first.cell);
        RowCopy { whole, cells, filter: self.filter.as_ref().and_then(|filter| cell(filter.slot)) }
    }

    /// Appends rows of so many bytes as [`Mapping::convert`] does, up to one that it would reject.
    #[inline(always)]
    pub(crate) fn copy_rows<'a>(
        &self,
        mut rows: impl Iterator<Item = PlainRow<'a>>,
        bytes: usize,
        copy: &RowCopy,
        partition_values: &[Option<String>],
        scratch: &mut Scratch,
        out: &mut RowBuffer,
    ) -> CopiedRows {
        let mut copied = CopiedRows::default();
        loop {
            let row = match copy.whole.filter(|_| self.filter.is_none()) {
                None => rows.next(),
                Some(first) => {
                    let mut room = out.room(bytes + 1);
                    let other = loop {
                        match rows.next() {
                            Some(row) if copy_whole(row, first, &copy.cells, &mut room) => {
                                copied.written += 1;
                            }
                            other => break other,
                        }
                    };
                    room.keep();
                    other
                }
            };
            let Some(row) = row else {
                return copied;
            };
            match self.copy_row(row, copy, partition_values, scratch, out) {
                CopyOutcome::Written => copied.written += 1,
                CopyOutcome::Filtered => copied.filtered += 1,
                CopyOutcome::Left => return copied,
            }
        }
    }

    /// Appends a row, if it is not rejected.
    fn copy_row(
        &self,
        row: PlainRow<'_>,
        copy: &RowCopy,
        partition_values: &[Option<String>],
        scratch: &mut Scratch,
        out: &mut RowBuffer,
    ) -> CopyOutcome {
        if let Some(filter) = &self.filter {
            let is_kept = match filter.slot {
                Slot::Partition(at) => {
                    Some(filter.keeps_value(partition_value(partition_values, at), scratch))
                }
                _ => copy.filter.and_then(|cell| row.cell(cell)).map(|cell| filter.is_kept(cell)),
            };
            match is_kept {
                Some(true) => {}
                Some(false) => return CopyOutcome::Filtered,
                None => return CopyOutcome::Left,
            }
        }
        let before = out.len();
        let copied = copy_cells(row, &copy.cells, out);
        if copied < copy.cells.len()
            && !self.convert_cells(copied, row, copy, partition_values, scratch, out)
        {
            out.truncate(before);
            return CopyOutcome::Left;
        }
        CopyOutcome::Written
    }

    /// Appends the cells from one on that is not copied; false if that cannot be.
    #[inline(never)]
    fn convert_cells(
        &self,
        mut field: usize,
        row: PlainRow<'_>,
        copy: &RowCopy,
        partition_values: &[Option<String>],
        scratch: &mut Scratch,
        out: &mut RowBuffer,
    ) -> bool {
        while let Some(mapping) = self.fields.get(field) {
            let value = match mapping.slot {
                Slot::Partition(at) => partition_value(partition_values, at),
                _ => row.value(copy.cells[field].cell),
            };
            if self.write_cell(field, value, scratch, out).is_err() {
                return false;
            }
            field += 1;
            field += copy_cells(row, &copy.cells[field..], out);
        }
        true
    }
}

impl CellCopy {
    fn new(field: &FieldMapping, cell: Option<usize>, delimiter: u8, next: Option<&Self>) -> Self {
        let rule = &field.verbatim;
        let (least, most) = match rule.text {
            Some(most) => (1, most),
            None => rule.digits,
        };
        let is_joined = |next: &&Self| {
            next.run > 0
                && field.separator == delimiter
                && cell.is_some_and(|cell| next.cell == Some(cell + 1))
        };
        let run = match cell {
            Some(_) if least <= most => 1 + next.filter(is_joined).map_or(0, |next| next.run),
            _ => 0,
        };
        // An empty cell is a missing value, and written as one.
        let least = if field.nullable && least == 1 { 0 } else { least };
        Self {
            cell,
            run,
            least: least as u32,
            more: u32::try_from(most.saturating_sub(least)).unwrap_or(u32::MAX),
            is_number: rule.text.is_none(),
            separator: field.separator,
        }
    }

    /// Whether the cell that lies there is copied.
    #[inline(always)]
    fn takes(&self, bytes: &[u8], at: u32, length: u32) -> bool {
        if length.wrapping_sub(self.least) > self.more {
            return false;
        }
        let at = at as usize;
        match self.is_number {
            true => lanes::block(bytes, at).is_some_and(|block| is_number(block, length as usize)),
            // Text of spaces alone is blank.
            false => bytes.get(at) != Some(&b' '),
        }
    }
}

/// Appends a row, all cells of which stand side by side from that one on; false if some are not
/// copied.
#[inline(always)]
fn copy_whole(row: PlainRow<'_>, first: usize, cells: &[CellCopy], room: &mut Room<'_>) -> bool {
    let Some([before, ends @ ..]) = row.ends.get(first..=first + cells.len()) else {
        return false;
    };
    let begin = before.wrapping_add(1);
    let mut start = begin;
    for (copy, end) in cells.iter().zip(ends) {
        if !copy.takes(row.bytes, start, end - start) {
            return false;
        }
        start = end + 1;
    }
    let separator = cells.last().map_or(b'\n', |last| last.separator);
    let text = row.bytes.get(begin as usize..(start - 1) as usize);
    text.is_some_and(|text| room.append_long(text, separator))
}

/// Appends cells from the first on as long as they are copied, and gives their number.
#[inline(always)]
fn copy_cells(row: PlainRow<'_>, cells: &[CellCopy], out: &mut RowBuffer) -> usize {
    let mut copied = 0;
    while let Some(first) = cells.get(copied)
        && let Some(cell) = first.cell
        && first.run > 0
    {
        let run = &cells[copied..][..first.run];
        let Some(ends) = row.ends.get(cell..) else {
            break;
        };
        let mut taken = 0;
        for (copy, [before, end]) in run.iter().zip(ends.array_windows()) {
            let start = before.wrapping_add(1);
            if !copy.takes(row.bytes, start, end - start) {
                break;
            }
            taken += 1;
        }
        if taken == 0 {
            break;
        }
        let text = ends[0].wrapping_add(1) as usize..ends[taken] as usize;
        out.push_cell(&row.bytes[text], run[taken - 1].separator);
        copied += taken;
        if taken < run.len() {
            break;
        }
    }
    copied
}
