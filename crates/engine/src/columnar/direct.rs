//! Columns whose values are handed on from where they were decoded.

use std::ops::Range;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{
    Array, ArrowPrimitiveType, GenericStringArray, LargeStringArray, OffsetSizeTrait,
    PrimitiveArray, StringArray,
};
use arrow_schema::DataType;

use crate::convert::ReadyField;
use crate::value::{Escapes, Stretch, Text, Value, Verbatim};

/// A column of the most common types, which hold numbers and texts as cells do.
#[derive(Clone, Copy)]
pub(super) enum Direct<'b> {
    Int32(&'b PrimitiveArray<Int32Type>),
    Int64(&'b PrimitiveArray<Int64Type>),
    Texts(&'b StringArray),
    LargeTexts(&'b LargeStringArray),
}

impl<'b> Direct<'b> {
    /// The column, if it is of such a type.
    pub(super) fn of(array: &'b dyn Array) -> Option<Self> {
        Some(match array.data_type() {
            DataType::Int32 => Self::Int32(array.as_primitive()),
            DataType::Int64 => Self::Int64(array.as_primitive()),
            DataType::Utf8 => Self::Texts(array.as_string()),
            DataType::LargeUtf8 => Self::LargeTexts(array.as_string()),
            _ => return None,
        })
    }

    #[inline(always)]
    fn is_null(self, row: usize) -> bool {
        let nulls = match self {
            Self::Int32(array) => array.nulls(),
            Self::Int64(array) => array.nulls(),
            Self::Texts(array) => array.nulls(),
            Self::LargeTexts(array) => array.nulls(),
        };
        nulls.is_some_and(|nulls| nulls.is_null(row))
    }

    #[inline(always)]
    pub(super) fn verbatim(self, row: usize) -> Option<Verbatim<'b>> {
        if self.is_null(row) {
            return None;
        }
        match self {
            Self::Int32(array) => Verbatim::integer(array.values()[row].into()),
            Self::Int64(array) => Verbatim::integer(array.values()[row]),
            Self::Texts(array) => {
                let [start, end] = [array.value_offsets()[row], array.value_offsets()[row + 1]];
                stretch(array.value_data(), start as usize, end as usize)
            }
            Self::LargeTexts(array) => {
                let [start, end] = [array.value_offsets()[row], array.value_offsets()[row + 1]];
                stretch(array.value_data(), start as usize, end as usize)
            }
        }
    }

    /// Makes cells ready for some rows.
    pub(super) fn make_ready(self, rows: Range<usize>, field: ReadyField<'_>) {
        match self {
            Self::Int32(array) => integers(array, rows, field),
            Self::Int64(array) => integers(array, rows, field),
            Self::Texts(array) => texts(array, rows, field),
            Self::LargeTexts(array) => texts(array, rows, field),
        }
    }

    pub(super) fn value(self, row: usize) -> Value<'b> {
        let text = |text| Value::Text(Text::new(text, Escapes::None));
        match self {
            _ if self.is_null(row) => Value::Missing,
            Self::Int32(array) => Value::Integer(array.value(row).into()),
            Self::Int64(array) => Value::Integer(array.value(row)),
            Self::Texts(array) => text(array.value(row)),
            Self::LargeTexts(array) => text(array.value(row)),
        }
    }
}

fn integers<T: ArrowPrimitiveType<Native: Into<i64>>>(
    array: &PrimitiveArray<T>,
    rows: Range<usize>,
    mut field: ReadyField<'_>,
) {
    let numbers = array.values()[rows.clone()].iter().map(|number| (*number).into());
    match array.nulls() {
        None => numbers.zip(field.cells()).for_each(|(number, cell)| cell.set_integer(number)),
        Some(nulls) => {
            for (row, (number, cell)) in rows.zip(numbers.zip(field.cells())) {
                match nulls.is_null(row) {
                    true => cell.set_missing(),
                    false => cell.set_integer(number),
                }
            }
        }
    }
}

fn texts<O: OffsetSizeTrait>(
    array: &GenericStringArray<O>,
    rows: Range<usize>,
    mut field: ReadyField<'_>,
) {
    let bytes = array.value_data();
    let offsets = array.value_offsets()[rows.start..].array_windows();
    for (row, ([start, end], cell)) in rows.zip(offsets.zip(field.cells())) {
        let (start, end) = (start.as_usize(), end.as_usize());
        match bytes.get(start..) {
            _ if array.is_null(row) => cell.set_missing(),
            Some(bytes) => cell.set_text(Stretch::new(bytes, end - start)),
            None => cell.leave(),
        }
    }
}

#[inline(always)]
fn stretch(bytes: &[u8], start: usize, end: usize) -> Option<Verbatim<'_>> {
    Some(Verbatim::Text(Stretch::new(bytes.get(start..)?, end - start)))
}
