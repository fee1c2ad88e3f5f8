//! Columns, decoded batch by batch into Arrow's arrays.
//!
//! Source: ORC specification v1, "Column Encodings".

use std::sync::Arc;

use arrow_array::types::{ArrowPrimitiveType, Int64Type};
use arrow_array::types::{Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type};
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, ListArray, MapArray, PrimitiveArray, StringArray,
    StructArray, UnionArray,
};
use arrow_buffer::{BooleanBuffer, NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, Field, FieldRef, Fields, UnionFields};

use super::fault::Fault;
use super::integers::Integers;
use super::runs::{Bits, ByteRuns};
use super::stripe::{Stream, StreamKind, Stripe};
use super::types::{Kind, Type};
use super::values::{Decimals, Texts, Times};
use super::zone::Zone;

/// A column of a stripe.
pub(super) struct Column {
    /// Whether each value is there; all are where there is no such stream
    present: Option<Bits>,
    values: Values,
}

enum Values {
    Booleans(Bits),
    Bytes(ByteRuns),
    Shorts(Integers),
    Ints(Integers),
    Longs(Integers),
    Dates(Integers),
    Floats(Stream),
    Doubles(Stream),
    Texts(Texts),
    Binary(Texts),
    Decimals(Decimals),
    Times(Times),
    Struct(Fields, Vec<Column>),
    List(FieldRef, Integers, Box<Column>),
    Map(FieldRef, Fields, Integers, Box<[Column; 2]>),
    Union(UnionFields, ByteRuns, Vec<Column>),
}

impl Column {
    /// The column that becomes arrays of that field's type.
    pub(super) fn new(column_type: &Type, field: &Field, stripe: &Stripe) -> Result<Self, Fault> {
        let column = column_type.column;
        let version = stripe.encoding(column)?.version;
        let stream = |kind| stripe.stream(column, kind);
        let numbers = || Ok::<_, Fault>(Integers::signed(stream(StreamKind::Data)?, version));
        let lengths = || Ok::<_, Fault>(Integers::unsigned(stream(StreamKind::Length)?, version));
        let values = match (&column_type.kind, field.data_type()) {
            (Kind::Boolean, _) => Values::Booleans(Bits::new(stream(StreamKind::Data)?)),
            (Kind::Byte, _) => Values::Bytes(ByteRuns::new(stream(StreamKind::Data)?)),
            (Kind::Short, _) => Values::Shorts(numbers()?),
            (Kind::Int, _) => Values::Ints(numbers()?),
            (Kind::Long, _) => Values::Longs(numbers()?),
            (Kind::Date, _) => Values::Dates(numbers()?),
            (Kind::Float, _) => Values::Floats(stream(StreamKind::Data)?),
            (Kind::Double, _) => Values::Doubles(stream(StreamKind::Data)?),
            (Kind::Text, _) => Values::Texts(Texts::new(column, stripe)?),
            (Kind::Binary, _) => Values::Binary(Texts::new(column, stripe)?),
            (Kind::Decimal { precision, scale }, _) => {
                Values::Decimals(Decimals::new(column, *precision, *scale, stripe)?)
            }
            (Kind::Timestamp, _) => Values::Times(Times::new(column, stripe.zone()?, stripe)?),
            (Kind::Instant, _) => Values::Times(Times::new(column, Zone::UTC, stripe)?),
            (Kind::Other(number), _) => return Err(Fault::UnknownType(*number)),
            (Kind::Struct(members), DataType::Struct(fields)) => {
                let columns = members.iter().zip(fields);
                let columns =
                    columns.map(|(member, field)| Self::new(&member.member_type, field, stripe));
                Values::Struct(fields.clone(), columns.collect::<Result<_, _>>()?)
            }
            (Kind::List(element), DataType::List(field)) => {
                let elements = Self::new(element, field, stripe)?;
                Values::List(Arc::clone(field), lengths()?, Box::new(elements))
            }
            (Kind::Map(pair), DataType::Map(entries, _)) => {
                let [key, value] = pair.as_ref();
                let DataType::Struct(fields) = entries.data_type() else {
                    return Err(Fault::Type(column as usize));
                };
                let pair =
                    [Self::new(key, &fields[0], stripe)?, Self::new(value, &fields[1], stripe)?];
                Values::Map(Arc::clone(entries), fields.clone(), lengths()?, Box::new(pair))
            }
            (Kind::Union(kinds), DataType::Union(fields, _)) => {
                let columns = kinds.iter().zip(fields.iter());
                let columns = columns.map(|(kind, (_, field))| Self::new(kind, field, stripe));
                let tags = ByteRuns::new(stream(StreamKind::Data)?);
                Values::Union(fields.clone(), tags, columns.collect::<Result<_, _>>()?)
            }
            _ => return Err(Fault::Type(column as usize)),
        };
        let present = stripe.find(column, StreamKind::Present)?.map(Bits::new);
        Ok(Self { present, values })
    }

    /// The next values; `around` says in which rows there is something that the column is in.
    pub(super) fn next(
        &mut self,
        rows: usize,
        around: Option<&NullBuffer>,
    ) -> Result<ArrayRef, Fault> {
        let nulls = self.nulls(rows, around)?;
        let count = count(rows, nulls.as_ref());
        Ok(match &mut self.values {
            Values::Booleans(bits) => {
                let values = bits.next(count)?;
                let values = match &nulls {
                    None => values,
                    Some(nulls) => spaced(values.iter().collect(), nulls).into(),
                };
                Arc::new(BooleanArray::new(values, nulls))
            }
            Values::Bytes(bytes) => {
                let mut values = vec![0; count];
                bytes.fill(&mut values)?;
                primitive::<Int8Type>(values.into_iter().map(|byte| byte as i8).collect(), nulls)
            }
            Values::Shorts(numbers) => primitive::<Int16Type>(narrow(numbers.next(count)?)?, nulls),
            Values::Ints(numbers) => primitive::<Int32Type>(narrow(numbers.next(count)?)?, nulls),
            Values::Longs(numbers) => primitive::<Int64Type>(numbers.next(count)?, nulls),
            Values::Dates(days) => primitive::<Date32Type>(narrow(days.next(count)?)?, nulls),
            Values::Floats(stream) => {
                primitive::<Float32Type>(little_endian(stream, count, f32::from_le_bytes)?, nulls)
            }
            Values::Doubles(stream) => {
                primitive::<Float64Type>(little_endian(stream, count, f64::from_le_bytes)?, nulls)
            }
            Values::Texts(texts) => {
                let (offsets, bytes) = texts.next(rows, nulls.as_ref())?;
                Arc::new(StringArray::try_new(offsets, bytes.into(), nulls)?)
            }
            Values::Binary(texts) => {
                let (offsets, bytes) = texts.next(rows, nulls.as_ref())?;
                Arc::new(BinaryArray::try_new(offsets, bytes.into(), nulls)?)
            }
            Values::Decimals(decimals) => {
                let values = all(decimals.next(count)?, nulls.as_ref());
                Arc::new(decimals.array(values, nulls)?)
            }
            Values::Times(times) => {
                let values = all(times.next(count)?, nulls.as_ref());
                Arc::new(Times::array(values, nulls)?)
            }
            Values::Struct(fields, columns) => {
                let arrays = columns.iter_mut().map(|column| column.next(rows, nulls.as_ref()));
                let arrays = arrays.collect::<Result<_, _>>()?;
                Arc::new(StructArray::try_new_with_length(fields.clone(), arrays, nulls, rows)?)
            }
            Values::List(field, lengths, elements) => {
                let (offsets, total) = lists(lengths.next(count)?, nulls.as_ref())?;
                let elements = elements.next(total, None)?;
                Arc::new(ListArray::try_new(Arc::clone(field), offsets, elements, nulls)?)
            }
            Values::Map(field, fields, lengths, pair) => {
                let (offsets, total) = lists(lengths.next(count)?, nulls.as_ref())?;
                let [keys, values] = pair.as_mut();
                let arrays = vec![keys.next(total, None)?, values.next(total, None)?];
                let entries = StructArray::try_new(fields.clone(), arrays, None)?;
                Arc::new(MapArray::try_new(Arc::clone(field), offsets, entries, nulls, false)?)
            }
            Values::Union(fields, tags, columns) => {
                let mut values = vec![0; count];
                tags.fill(&mut values)?;
                if let Some(tag) = values.iter().find(|tag| usize::from(**tag) >= columns.len()) {
                    return Err(Fault::Union(*tag));
                }
                let tags: Vec<i8> = values.into_iter().map(|tag| tag as i8).collect();
                // An array of a union has no nulls but those of its kinds.
                let tags = all(tags, nulls.as_ref());
                let is_null = |row| nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
                let arrays = (0..=i8::MAX).zip(columns).map(|(kind, column)| {
                    let is_there = |row: usize| tags[row] == kind && !is_null(row);
                    let around = NullBuffer::new(BooleanBuffer::collect_bool(rows, is_there));
                    column.next(rows, Some(&around))
                });
                let arrays = arrays.collect::<Result<_, _>>()?;
                Arc::new(UnionArray::try_new(fields.clone(), tags.into(), None, arrays)?)
            }
        })
    }

    /// Which rows have no value; none if all have.
    fn nulls(
        &mut self,
        rows: usize,
        around: Option<&NullBuffer>,
    ) -> Result<Option<NullBuffer>, Fault> {
        let nulls = match (&mut self.present, around) {
            (None, None) => return Ok(None),
            (None, Some(around)) => around.clone(),
            (Some(present), None) => NullBuffer::new(present.next(rows)?),
            (Some(present), Some(around)) => {
                let own = present.next(rows - around.null_count())?;
                NullBuffer::new(spaced(own.iter().collect(), around).into())
            }
        };
        Ok(Some(nulls).filter(|nulls| nulls.null_count() > 0))
    }
}

fn count(rows: usize, nulls: Option<&NullBuffer>) -> usize {
    rows - nulls.map_or(0, NullBuffer::null_count)
}

/// The values in their rows, and something in the others.
fn spaced<T: Copy + Default>(values: Vec<T>, nulls: &NullBuffer) -> Vec<T> {
    let mut all = vec![T::default(); nulls.len()];
    nulls.valid_indices().zip(values).for_each(|(row, value)| all[row] = value);
    all
}

pub(super) fn all<T: Copy + Default>(values: Vec<T>, nulls: Option<&NullBuffer>) -> Vec<T> {
    match nulls {
        Some(nulls) => spaced(values, nulls),
        None => values,
    }
}

fn primitive<T: ArrowPrimitiveType>(values: Vec<T::Native>, nulls: Option<NullBuffer>) -> ArrayRef {
    let values = all(values, nulls.as_ref());
    Arc::new(PrimitiveArray::<T>::new(values.into(), nulls))
}

fn narrow<T: TryFrom<i64>>(numbers: Vec<i64>) -> Result<Vec<T>, Fault> {
    let narrowed = numbers.into_iter().map(|number| T::try_from(number).map_err(|_| Fault::Range));
    narrowed.collect()
}

fn little_endian<const SIZE: usize, T>(
    stream: &mut Stream,
    count: usize,
    number: fn([u8; SIZE]) -> T,
) -> Result<Vec<T>, Fault> {
    let mut bytes = Vec::new();
    stream.append(&mut bytes, count * SIZE)?;
    Ok(bytes.as_chunks().0.iter().map(|bytes| number(*bytes)).collect())
}

/// Elements of a batch's lists, at most: a few bytes can say that there are as many as one likes.
const MOST_ELEMENTS: i32 = 1 << 24;

/// Where lists of these lengths begin and end, and how many elements they have.
fn lists(
    lengths: Vec<i64>,
    nulls: Option<&NullBuffer>,
) -> Result<(OffsetBuffer<i32>, usize), Fault> {
    let offsets = offsets(all(lengths, nulls))?;
    match offsets.last() {
        Some(total @ 0..=MOST_ELEMENTS) => Ok((offsets.clone(), *total as usize)),
        _ => Err(Fault::ManyElements(MOST_ELEMENTS)),
    }
}

/// Where what has these lengths begins and ends.
pub(super) fn offsets(lengths: Vec<i64>) -> Result<OffsetBuffer<i32>, Fault> {
    let mut end = 0_i32;
    let mut offsets = Vec::with_capacity(lengths.len() + 1);
    offsets.push(end);
    for length in lengths {
        let length = u32::try_from(length).map_err(|_| Fault::Lengths)?;
        end = end.checked_add_unsigned(length).ok_or(Fault::Lengths)?;
        offsets.push(end);
    }
    Ok(OffsetBuffer::new(offsets.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_have_elements_one_behind_the_other() {
        let nulls = NullBuffer::from(vec![true, false, true]);
        let (offsets, total) = lists(vec![2, 3], Some(&nulls)).unwrap();
        assert_eq!((&offsets[..], total), (&[0, 2, 2, 5][..], 5));
        let most = i64::from(MOST_ELEMENTS);
        assert_eq!(lists(vec![most - 1, 1], None).unwrap().1, MOST_ELEMENTS as usize);
        assert!(matches!(lists(vec![most, 1], None), Err(Fault::ManyElements(_))));
        for lengths in [vec![-1], vec![1, i64::MAX], vec![i64::from(i32::MAX), 1]] {
            assert!(matches!(lists(lengths, None), Err(Fault::Lengths)));
        }
    }

    #[test]
    fn numbers_are_those_of_their_type() {
        assert_eq!(narrow::<i16>(vec![-32_768, 32_767]).unwrap(), [i16::MIN, i16::MAX]);
        assert!(matches!(narrow::<i16>(vec![32_768]), Err(Fault::Range)));
    }
}
