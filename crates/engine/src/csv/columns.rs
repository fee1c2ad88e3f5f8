//! Which of a file's cells the plan wants.

use personalize_plan::{ConversionPlan, FieldSource};

use super::Row;
use crate::convert::{Mapping, RowCopy};
use crate::error::ConvertError;
use crate::fault::RecordFault;
use crate::value::{Record, Slot, Value, Verbatim};

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

/// Which cells a file's rows have, and which of them fill the plan's slots: none where it has no such column.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CsvLayout {
    cells: usize,
    cell_of_slot: Vec<Option<usize>>,
    copy: RowCopy,
}

impl CsvLayout {
    /// The layout of a file with columns of these names; `columns` are the [`slot_columns`].
    pub(super) fn new(
        names: Vec<String>,
        columns: &[(String, bool)],
        mapping: &Mapping,
        delimiter: u8,
    ) -> Result<Self, ConvertError> {
        let mut cell_of_slot = Vec::with_capacity(columns.len());
        for (column, required) in columns {
            let lower = column.to_lowercase();
            let cell = names.iter().position(|name| name.to_lowercase() == lower);
            if cell.is_none() && *required {
                return Err(ConvertError::MissingColumn { missing: column.clone(), found: names });
            }
            cell_of_slot.push(cell);
        }
        let copy = mapping.row_copy(&cell_of_slot, delimiter);
        Ok(Self { cells: names.len(), cell_of_slot, copy })
    }

    /// How many cells a row has.
    pub(super) fn cells(&self) -> usize {
        self.cells
    }

    /// What is copied of a row.
    pub(super) fn copy(&self) -> &RowCopy {
        &self.copy
    }

    /// A row by slots; a fault if it has too many or too few cells.
    #[inline(always)]
    pub(super) fn row<'a>(&'a self, row: Row<'a>) -> Result<MappedRow<'a>, RecordFault> {
        let (expected, found) = (self.cells, row.len());
        if expected != found {
            return Err(RecordFault::Ragged { expected, found });
        }
        Ok(MappedRow { row, layout: self })
    }
}

/// A row's cells by the plan's slots.
#[derive(Debug, Clone, Copy)]
pub(super) struct MappedRow<'a> {
    row: Row<'a>,
    layout: &'a CsvLayout,
}

impl Record for MappedRow<'_> {
    fn elements(&self) -> usize {
        0
    }

    #[inline(always)]
    fn verbatim(&self, slot: usize) -> Option<Verbatim<'_>> {
        self.row.verbatim((*self.layout.cell_of_slot.get(slot)?)?)
    }

    fn value(&self, slot: Slot, _: usize) -> Value<'_> {
        match slot {
            Slot::Fixed(at) => match self.layout.cell_of_slot.get(at) {
                Some(Some(cell)) => self.row.cell(*cell),
                _ => Value::Missing,
            },
            Slot::Element(_) | Slot::Partition(_) => Value::Missing,
        }
    }
}
