//! Columns whose values are handed on from where they were decoded.

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, LargeStringArray, PrimitiveArray, StringArray};
use arrow_schema::DataType;

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

#[inline(always)]
fn stretch(bytes: &[u8], start: usize, end: usize) -> Option<Verbatim<'_>> {
    Some(Verbatim::Text(Stretch::new(bytes.get(start..)?, end - start)))
}
