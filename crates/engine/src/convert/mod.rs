//! From a record's values to rows of the output: the plan's fields, filter and rules.

mod cell;
mod number;
mod plain;
mod ready;
mod text;
mod timestamp;
mod verbatim;

use personalize_plan::{Conversion, ConversionPlan, TimestampFormat};

use crate::fault::{CellFault, RecordFault};
use crate::lanes::{LANES, MaskedBlock};
use crate::projection::Projection;
use crate::row_buffer::RowBuffer;
use crate::value::{Escapes, Record, Slot, Stretch, Text, Value, Verbatim};

pub(crate) use cell::Scratch;
pub(crate) use number::Decimal;
pub(crate) use plain::{CopiedRows, PlainRow, RowCopy};
pub(crate) use ready::{READY_ROWS, ReadyCell, ReadyField, ReadyRows};
pub(crate) use timestamp::{days_since_epoch, epoch_seconds};
use verbatim::VerbatimRule;

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was written as that many rows.
    Written { rows: u64 },
    /// Its event type is none of those kept.
    Filtered,
    /// Nothing of it was written.
    Rejected(RecordFault),
}

/// A plan made ready for converting.
#[derive(Debug, Clone)]
pub(crate) struct Mapping {
    pub(crate) projection: Projection,
    pub(crate) field_names: Vec<String>,
    fields: Vec<FieldMapping>,
    filter: Option<Filter>,
    explodes: bool,
    timestamp_format: TimestampFormat,
}

#[derive(Debug, Clone)]
struct FieldMapping {
    slot: Slot,
    conversion: Conversion,
    nullable: bool,
    verbatim: VerbatimRule,
    /// What follows the cell
    separator: u8,
}

#[derive(Debug, Clone)]
struct Filter {
    slot: Slot,
    event_types: Vec<EventType>,
}

#[derive(Debug, Clone)]
struct EventType {
    text: String,
    /// Its first bytes
    begin: MaskedBlock,
}

impl Mapping {
    pub(crate) fn new(plan: &ConversionPlan) -> Self {
        let mut projection = Projection::empty();
        let keys = &plan.source.partition_keys;
        let last = plan.fields.len().saturating_sub(1);
        let fields = plan.fields.iter().enumerate().map(|(number, field)| {
            let slot = projection.add_source(&field.source, keys);
            FieldMapping {
                slot,
                conversion: field.conversion,
                nullable: field.nullable,
                verbatim: VerbatimRule::new(slot, field.conversion, &plan.timestamp_format),
                separator: if number == last { b'\n' } else { b',' },
            }
        });
        let fields = fields.collect();
        let filter = plan.filter.as_ref().map(|filter| Filter {
            slot: projection.add_source(&filter.source, keys),
            event_types: filter.event_types.iter().map(|text| EventType::new(text)).collect(),
        });
        Self {
            projection,
            field_names: plan.fields.iter().map(|field| field.name.clone()).collect(),
            fields,
            filter,
            explodes: plan.exploded_array().is_some(),
            timestamp_format: plan.timestamp_format.clone(),
        }
    }

    /// Appends the record's rows to `out`, or nothing if it is filtered or rejected.
    ///
    /// A record that explodes is kept whole or rejected whole, so that its rows can be written
    /// again from the rejects without any being doubled.
    pub(crate) fn convert(
        &self,
        record: &impl Record,
        partition_values: &[Option<String>],
        scratch: &mut Scratch,
        out: &mut RowBuffer,
    ) -> Outcome {
        if self.explodes {
            return self.convert_elements(record, partition_values, scratch, out);
        }
        self.convert_row(&RowSource { record, element: 0, partition_values }, scratch, out)
    }

    /// Appends a row for each element of the exploded array.
    #[inline(never)]
    fn convert_elements(
        &self,
        record: &impl Record,
        partition_values: &[Option<String>],
        scratch: &mut Scratch,
        out: &mut RowBuffer,
    ) -> Outcome {
        let before = out.len();
        let mut rows = 0;
        for element in 0..record.elements().max(1) {
            let source = RowSource { record, element, partition_values };
            match self.convert_row(&source, scratch, out) {
                Outcome::Written { .. } => rows += 1,
                Outcome::Filtered => {}
                rejected @ Outcome::Rejected(_) => {
                    out.truncate(before);
                    return rejected;
                }
            }
        }
        if rows > 0 { Outcome::Written { rows } } else { Outcome::Filtered }
    }

    #[inline(always)]
    fn convert_row<R: Record>(
        &self,
        source: &RowSource<'_, R>,
        scratch: &mut Scratch,
        out: &mut RowBuffer,
    ) -> Outcome {
        if let Some(filter) = &self.filter
            && !filter.keeps(source, scratch)
        {
            return Outcome::Filtered;
        }
        let before = out.len();
        match self.write_row(source, scratch, out) {
            Ok(()) => Outcome::Written { rows: 1 },
            Err(fault) => {
                out.truncate(before);
                Outcome::Rejected(fault)
            }
        }
    }

    #[inline(always)]
    fn write_row<R: Record>(
        &self,
        source: &RowSource<'_, R>,
        scratch: &mut Scratch,
        out: &mut RowBuffer,
    ) -> Result<(), RecordFault> {
        let mut field = 0;
        loop {
            field += self.copy_cells(field, source.record, out);
            let Some(mapping) = self.fields.get(field) else {
                return Ok(());
            };
            self.write_cell(field, source.value(mapping.slot), scratch, out)?;
            field += 1;
        }
    }

    /// Appends a field's cell and what follows it.
    fn write_cell(
        &self,
        field: usize,
        value: Value<'_>,
        scratch: &mut Scratch,
        out: &mut RowBuffer,
    ) -> Result<(), RecordFault> {
        let FieldMapping { conversion, nullable, separator, .. } = &self.fields[field];
        let written = match scratch.write_cell(out, value, *conversion, &self.timestamp_format) {
            Ok(false) if !nullable => Err(CellFault::Missing),
            other => other,
        };
        written.map_err(|fault| RecordFault::Field { field, fault })?;
        out.push(*separator);
        Ok(())
    }

    /// Appends cells from a field on as long as they are values as they stand, and gives their
    /// number.
    #[inline(always)]
    fn copy_cells(&self, from: usize, record: &impl Record, out: &mut RowBuffer) -> usize {
        let fields = &self.fields[from..];
        let mut room = out.room(LANES * fields.len());
        let mut copied = 0;
        for field in fields {
            if !field.verbatim.append(record, field.separator, &mut room) {
                break;
            }
            copied += 1;
        }
        room.keep();
        copied
    }
}

/// Where the values of one row come from.
struct RowSource<'a, R> {
    record: &'a R,
    element: usize,
    partition_values: &'a [Option<String>],
}

impl<R: Record> RowSource<'_, R> {
    fn value(&self, slot: Slot) -> Value<'_> {
        match slot {
            Slot::Partition(at) => partition_value(self.partition_values, at),
            slot => self.record.value(slot, self.element),
        }
    }
}

impl EventType {
    fn new(text: &str) -> Self {
        Self { text: text.to_owned(), begin: MaskedBlock::new(text.as_bytes()) }
    }
}

impl Filter {
    #[inline(always)]
    fn is_kept(&self, event_type: Stretch<'_>) -> bool {
        match event_type.block() {
            Some(block) => self
                .event_types
                .iter()
                .any(|kept| kept.text.len() == event_type.length && kept.begin.is(block)),
            None => self.event_types.iter().any(|kept| kept.text.as_bytes() == event_type.own()),
        }
    }

    #[inline(always)]
    fn keeps<R: Record>(&self, source: &RowSource<'_, R>, scratch: &mut Scratch) -> bool {
        if let Slot::Fixed(slot) = self.slot
            && let Some(Verbatim::Text(text)) = source.record.verbatim(slot)
        {
            return self.is_kept(text);
        }
        self.keeps_value(source.value(self.slot), scratch)
    }

    fn keeps_value(&self, event_type: Value<'_>, scratch: &mut Scratch) -> bool {
        let event_type = scratch.plain_text(event_type);
        event_type.is_some_and(|text| self.is_kept(Stretch::new(text.as_bytes(), text.len())))
    }
}

fn partition_value(values: &[Option<String>], at: usize) -> Value<'_> {
    match values.get(at) {
        Some(Some(value)) => Value::Text(Text::new(value, Escapes::None)),
        _ => Value::Missing,
    }
}
