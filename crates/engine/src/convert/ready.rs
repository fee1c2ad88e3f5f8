//! Cells of columns: made ready for many rows of one column after the other, then put together row
//! by row.

use super::verbatim::VerbatimRule;
use super::{Mapping, Outcome, RowSource, Scratch};
use crate::lanes::{Block, LANES};
use crate::row_buffer::RowBuffer;
use crate::value::{Record, Stretch};

/// Rows whose cells are made ready at once: what they take stays in the fastest cache.
pub(crate) const READY_ROWS: usize = 256;

/// Instead of a length: the cell is to be converted as any other.
const LEFT: u8 = u8::MAX;

/// Each field's cells for some rows.
#[derive(Debug, Default)]
pub(crate) struct ReadyRows {
    fields: Vec<ReadyCells>,
}

#[derive(Debug, Default)]
struct ReadyCells {
    blocks: Vec<Block>,
    lengths: Vec<u8>,
}

/// A field whose cells are to be made ready.
pub(crate) struct ReadyField<'a> {
    rule: &'a VerbatimRule,
    nullable: bool,
    cells: &'a mut ReadyCells,
}

/// A cell that is to be made ready.
pub(crate) struct ReadyCell<'a> {
    rule: &'a VerbatimRule,
    nullable: bool,
    block: &'a mut Block,
    length: &'a mut u8,
}

impl ReadyField<'_> {
    /// The cell of each row.
    #[inline(always)]
    pub(crate) fn cells(&mut self) -> impl Iterator<Item = ReadyCell<'_>> {
        let Self { rule, nullable, cells } = self;
        let cells = cells.blocks.iter_mut().zip(&mut cells.lengths);
        cells.map(|(block, length)| ReadyCell { rule, nullable: *nullable, block, length })
    }
}

impl ReadyCell<'_> {
    /// To be converted as any other.
    pub(crate) fn leave(self) {
        *self.length = LEFT;
    }

    /// The value is not there.
    pub(crate) fn set_missing(self) {
        *self.length = if self.nullable { 0 } else { LEFT };
    }

    #[inline(always)]
    pub(crate) fn set_integer(self, number: i64) {
        let digits = self.rule.digits(number);
        if let Some(digits) = &digits {
            digits.write(self.block);
        }
        *self.length = digits.map_or(LEFT, |digits| digits.length() as u8);
    }

    /// A text, and what stands behind it.
    #[inline(always)]
    pub(crate) fn set_text(self, text: Stretch<'_>) {
        let block = self.rule.short_text(text);
        if let Some(block) = block {
            *self.block = *block;
        }
        *self.length = if block.is_some() { text.length as u8 } else { LEFT };
    }
}

impl Mapping {
    /// Makes some rows ready: `fill` gives each field's cells, from a slot or from none.
    pub(crate) fn make_ready(
        &self,
        rows: &mut ReadyRows,
        mut fill: impl FnMut(usize, ReadyField<'_>),
    ) {
        rows.fields.resize_with(self.fields.len(), ReadyCells::default);
        for (field, cells) in self.fields.iter().zip(&mut rows.fields) {
            cells.blocks.resize(READY_ROWS, [0; LANES]);
            cells.lengths.resize(READY_ROWS, LEFT);
            let rule = &field.verbatim;
            fill(rule.slot, ReadyField { rule, nullable: field.nullable, cells });
        }
    }

    /// Whether rows can be made ready.
    pub(crate) fn takes_ready_rows(&self) -> bool {
        !self.explodes
    }

    /// Appends a row if all of its cells are ready; false if it is to be converted with its record.
    #[inline(always)]
    pub(crate) fn copy_ready(&self, rows: &ReadyRows, row: usize, out: &mut RowBuffer) -> bool {
        if self.filter.is_some() {
            return false;
        }
        let before = out.len();
        let is_whole = self.copy_ready_cells(rows, row, 0, out) == self.fields.len();
        if !is_whole {
            out.truncate(before);
        }
        is_whole
    }

    /// Appends a row as [`Mapping::convert`] does.
    pub(crate) fn convert_ready(
        &self,
        rows: &ReadyRows,
        row: usize,
        record: &impl Record,
        partition_values: &[Option<String>],
        scratch: &mut Scratch,
        out: &mut RowBuffer,
    ) -> Outcome {
        let source = RowSource { record, element: 0, partition_values };
        if let Some(filter) = &self.filter
            && !filter.keeps(&source, scratch)
        {
            return Outcome::Filtered;
        }
        let before = out.len();
        let mut field = 0;
        loop {
            field += self.copy_ready_cells(rows, row, field, out);
            let Some(mapping) = self.fields.get(field) else {
                return Outcome::Written { rows: 1 };
            };
            if let Err(fault) = self.write_cell(field, source.value(mapping.slot), scratch, out) {
                out.truncate(before);
                return Outcome::Rejected(fault);
            }
            field += 1;
        }
    }

    /// Appends cells from a field on as long as they are ready, and gives their number.
    #[inline(always)]
    fn copy_ready_cells(
        &self,
        rows: &ReadyRows,
        row: usize,
        from: usize,
        out: &mut RowBuffer,
    ) -> usize {
        let fields = &self.fields[from..];
        let mut room = out.room(LANES * fields.len());
        let is_copied = |(field, cells): &(&super::FieldMapping, &ReadyCells)| {
            let (Some(block), Some(length)) = (cells.blocks.get(row), cells.lengths.get(row))
            else {
                return false;
            };
            room.append(block, usize::from(*length), field.separator)
        };
        let copied = fields.iter().zip(&rows.fields[from..]).take_while(is_copied).count();
        room.keep();
        copied
    }
}
