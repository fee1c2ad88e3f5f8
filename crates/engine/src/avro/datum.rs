//! Decodes one datum: the wanted values of it, or all of it as JSON.
//!
//! Source: Avro specification 1.12, "Binary encoding". Every length is checked against the bytes at
//! hand, every count against what its elements take at least.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::rc::Rc;

use super::schema::{Schema, Type, TypeId, Width};
use crate::json::write;
use crate::projection::{NodeId, Projection};
use crate::row::{Held, Row, bytes, float, push_decimal, push_integer, push_uuid, text};
use crate::time::{Time, push_time_of_day};
use crate::value::Value;
use crate::values::MAX_OBJECT;

/// Data may be nested this deep.
const MAX_DEPTH: usize = 256;
/// Elements that take no bytes may be so many in a block.
const MAX_EMPTY_ELEMENTS: u64 = 1 << 20;
/// So may values that take none, wherever they are, and so many more for each byte of the block.
const MAX_EMPTY_VALUES: u64 = 1 << 24;
const MAX_EMPTY_VALUES_PER_BYTE: u64 = 64;
/// Bytes of a decimal whose digits are worked out. The work grows with the square of the length, and
/// Personalize takes nothing near that long.
const MAX_DECIMAL: usize = 2048;

/// Why bytes are no datum of the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DatumFault {
    #[error("the bytes end inside it")]
    End,
    #[error("it has a number of more than 64 bits")]
    Number,
    #[error("it has a negative length")]
    Length,
    #[error("it has a branch or symbol that its schema does not have")]
    Branch,
    #[error("it has a string that is no UTF-8")]
    NotUtf8,
    #[error("it has a truth value other than 0 and 1")]
    Boolean,
    #[error("it is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    #[error("it has more values than its bytes can hold")]
    TooMany,
    #[error("it is longer than 64 MiB as JSON")]
    TooLong,
}

type Decoded<T = ()> = Result<T, DatumFault>;

/// Bytes that are being decoded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'b> {
    rest: &'b [u8],
    empty_elements: u64,
    /// How many values without bytes there may still be
    empty_values: u64,
}

impl<'b> Cursor<'b> {
    pub(crate) fn new(bytes: &'b [u8]) -> Self {
        let empty_values = MAX_EMPTY_VALUES + MAX_EMPTY_VALUES_PER_BYTE * bytes.len() as u64;
        Self { rest: bytes, empty_elements: 0, empty_values }
    }

    /// How many bytes are left.
    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }

    fn take(&mut self, count: usize) -> Decoded<&'b [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(DatumFault::End)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Decoded<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| DatumFault::End)
    }

    /// Counts a value that takes no bytes: of a schema that names its types often, a few of them make
    /// as many as one likes.
    fn empty_value(&mut self) -> Decoded {
        self.empty_values = self.empty_values.checked_sub(1).ok_or(DatumFault::TooMany)?;
        Ok(())
    }

    /// A zigzag varint.
    pub(crate) fn long(&mut self) -> Decoded<i64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            if shift == 63 && byte > 1 {
                return Err(DatumFault::Number);
            }
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed());
            }
        }
        Err(DatumFault::Number)
    }

    fn number(&mut self, width: Width) -> Decoded<i64> {
        let number = self.long()?;
        match width {
            Width::Int if i32::try_from(number).is_err() => Err(DatumFault::Number),
            _ => Ok(number),
        }
    }

    /// So many bytes.
    fn fixed(&mut self, size: usize) -> Decoded<&'b [u8]> {
        if size == 0 {
            self.empty_value()?;
        }
        self.take(size)
    }

    /// Bytes behind their length.
    fn bytes(&mut self) -> Decoded<&'b [u8]> {
        let length = usize::try_from(self.long()?).map_err(|_| DatumFault::Length)?;
        self.take(length)
    }

    fn string(&mut self) -> Decoded<&'b str> {
        simdutf8::basic::from_utf8(self.bytes()?).map_err(|_| DatumFault::NotUtf8)
    }

    /// Elements of an array or a map, block by block.
    fn elements(&mut self, mut element: impl FnMut(&mut Self) -> Decoded) -> Decoded {
        loop {
            let mut count = self.long()?;
            if count < 0 {
                // The block's size in bytes, which need not be known.
                self.long()?;
                count = count.checked_neg().ok_or(DatumFault::Number)?;
            }
            if count == 0 {
                return Ok(());
            }
            for _ in 0..count {
                let before = self.left();
                element(self)?;
                self.empty_elements += u64::from(self.left() == before);
                if self.empty_elements > MAX_EMPTY_ELEMENTS {
                    return Err(DatumFault::TooMany);
                }
            }
        }
    }
}

/// Decodes data of one schema.
pub(crate) struct Decoder<'s> {
    schema: &'s Schema,
    projection: &'s Projection,
    /// Where the fields of a record lie in the projection, for each place that a record is at
    fields: HashMap<(TypeId, NodeId), Rc<[Option<NodeId>]>>,
}

impl<'s> Decoder<'s> {
    pub(crate) fn new(schema: &'s Schema, projection: &'s Projection) -> Self {
        Self { schema, projection, fields: HashMap::new() }
    }

    /// Decodes the next datum's wanted values.
    pub(crate) fn decode<'b>(&mut self, cursor: &mut Cursor<'b>, row: &mut Row<'b>) -> Decoded
    where
        's: 'b,
    {
        row.clear();
        self.value(cursor, self.schema.root, Projection::ROOT, row, 0)
    }

    fn fields_at(
        &mut self,
        id: TypeId,
        fields: &[(String, TypeId)],
        node: NodeId,
    ) -> Rc<[Option<NodeId>]> {
        let projection = self.projection;
        let found = self.fields.entry((id, node)).or_insert_with(|| {
            let node = projection.node(node);
            fields.iter().map(|(name, _)| node.find_decoded(name)).collect()
        });
        Rc::clone(found)
    }

    fn value<'b>(
        &mut self,
        cursor: &mut Cursor<'b>,
        id: TypeId,
        node: NodeId,
        row: &mut Row<'b>,
        depth: usize,
    ) -> Decoded
    where
        's: 'b,
    {
        if depth > MAX_DEPTH {
            return Err(DatumFault::TooDeep);
        }
        let (schema, projection) = (self.schema, self.projection);
        let place = projection.node(node);
        let begin = *cursor;
        match schema.get(id) {
            Type::Union(branches) => {
                let branch = branch(cursor, branches)?;
                return self.value(cursor, branch, node, row, depth + 1);
            }
            Type::Null => return cursor.empty_value(),
            Type::Record(fields) => {
                if fields.is_empty() {
                    cursor.empty_value()?;
                }
                let nodes = self.fields_at(id, fields, node);
                for ((_, field), node) in fields.iter().zip(nodes.iter()) {
                    match node {
                        Some(node) => self.value(cursor, *field, *node, row, depth + 1)?,
                        None => skip(schema, cursor, *field, depth + 1)?,
                    }
                }
            }
            Type::Map(value) => cursor.elements(|cursor| {
                let name = cursor.string()?;
                match place.find_decoded(name) {
                    Some(node) => self.value(cursor, *value, node, row, depth + 1),
                    None => skip(schema, cursor, *value, depth + 1),
                }
            })?,
            Type::Array(element) => {
                let mut number = 0;
                cursor.elements(|cursor| {
                    let begin = *cursor;
                    let by_index = place.by_index.iter().find(|(index, _)| *index == number);
                    number += 1;
                    let mut done = false;
                    if let Some(each) = place.each {
                        row.begin_element();
                        self.value(cursor, *element, each, row, depth + 1)?;
                        done = true;
                    }
                    if let Some((_, node)) = by_index {
                        *cursor = begin;
                        self.value(cursor, *element, *node, row, depth + 1)?;
                        done = true;
                    }
                    if done { Ok(()) } else { skip(schema, cursor, *element, depth + 1) }
                })?;
            }
            scalar => {
                let held = self::scalar(scalar, cursor, &mut row.arena)?;
                if let Some(slot) = place.slot {
                    row.note(slot, held);
                }
            }
        }
        let is_array = matches!(schema.get(id), Type::Array(_));
        if let Some(slot) = place.slot
            && matches!(schema.get(id), Type::Record(_) | Type::Map(_) | Type::Array(_))
        {
            let start = row.arena.len();
            write_json(schema, &mut begin.clone(), id, &mut row.arena, depth)?;
            let json = start..row.arena.len();
            row.note(slot, if is_array { Held::Array(json) } else { Held::Object(json) });
        }
        // What should be an array but is one value counts as an array of it.
        if let Some(each) = place.each.filter(|_| !is_array) {
            row.begin_element();
            self.value(&mut begin.clone(), id, each, row, depth + 1)?;
        }
        Ok(())
    }
}

fn branch(cursor: &mut Cursor<'_>, branches: &[TypeId]) -> Decoded<TypeId> {
    let at = usize::try_from(cursor.long()?).map_err(|_| DatumFault::Branch)?;
    branches.get(at).copied().ok_or(DatumFault::Branch)
}

/// A single value.
fn scalar<'b>(scalar: &'b Type, cursor: &mut Cursor<'b>, arena: &mut String) -> Decoded<Held<'b>> {
    let start = arena.len();
    Ok(match scalar {
        Type::Boolean => match cursor.array()? {
            [0] => Held::Borrowed(Value::Bool(false)),
            [1] => Held::Borrowed(Value::Bool(true)),
            _ => return Err(DatumFault::Boolean),
        },
        Type::Int | Type::Long => {
            let width = if matches!(scalar, Type::Int) { Width::Int } else { Width::Long };
            push_integer(arena, cursor.number(width)?);
            Held::Number(start..arena.len())
        }
        Type::Float => float(arena, f32::from_le_bytes(cursor.array()?)),
        Type::Double => float(arena, f64::from_le_bytes(cursor.array()?)),
        Type::Bytes => bytes(cursor.bytes()?),
        Type::String => text(cursor.string()?),
        Type::Fixed(size) => bytes(cursor.fixed(*size)?),
        Type::Enum(symbols) => {
            let at = usize::try_from(cursor.long()?).map_err(|_| DatumFault::Branch)?;
            text(symbols.get(at).ok_or(DatumFault::Branch)?)
        }
        Type::Date => Held::Borrowed(Value::Time(Time::from_days(cursor.number(Width::Int)?))),
        Type::Timestamp(width, per_second) => {
            Held::Borrowed(Value::Time(Time::from_units(cursor.number(*width)?, *per_second)))
        }
        Type::TimeOfDay(width, per_second) => {
            push_time_of_day(arena, cursor.number(*width)?, *per_second);
            Held::Text(start..arena.len())
        }
        Type::Decimal { size, scale, .. } => {
            let bytes = match size {
                Some(size) => cursor.fixed(*size)?,
                None => cursor.bytes()?,
            };
            if bytes.len() <= MAX_DECIMAL {
                push_decimal(arena, Unscaled(bytes), *scale);
            } else {
                // Out of the range of every type, as the number itself is: a byte is 2.4 digits.
                let _ = write!(arena, "1e{}", bytes.len() as u64 * 24 / 10);
            }
            Held::Number(start..arena.len())
        }
        Type::Uuid => {
            push_uuid(arena, cursor.take(16)?);
            Held::Text(start..arena.len())
        }
        Type::Null | Type::Array(_) | Type::Map(_) | Type::Record(_) | Type::Union(_) => {
            Held::Missing
        }
    })
}

/// A big-endian two's complement number of any size.
struct Unscaled<'b>(&'b [u8]);

impl std::fmt::Display for Unscaled<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let negative = self.0.first().is_some_and(|byte| byte & 0x80 != 0);
        let mut magnitude = self.0.to_vec();
        if negative {
            let mut carry = true;
            for byte in magnitude.iter_mut().rev() {
                let (flipped, carried) = (!*byte).overflowing_add(u8::from(carry));
                (*byte, carry) = (flipped, carried);
            }
        }
        // Nine digits at a time, the lowest first.
        let mut groups: Vec<u32> = Vec::new();
        while magnitude.iter().any(|byte| *byte != 0) {
            let mut rest = 0_u64;
            for byte in &mut magnitude {
                rest = rest << 8 | u64::from(*byte);
                *byte = u8::try_from(rest / 1_000_000_000).unwrap_or(0);
                rest %= 1_000_000_000;
            }
            groups.push(u32::try_from(rest).unwrap_or(0));
        }
        let sign = if negative { "-" } else { "" };
        write!(f, "{sign}{}", groups.last().unwrap_or(&0))?;
        groups.iter().rev().skip(1).try_for_each(|group| write!(f, "{group:09}"))
    }
}

/// Passes over a value.
fn skip(schema: &Schema, cursor: &mut Cursor<'_>, id: TypeId, depth: usize) -> Decoded {
    if depth > MAX_DEPTH {
        return Err(DatumFault::TooDeep);
    }
    match schema.get(id) {
        Type::Null => cursor.empty_value()?,
        Type::Boolean => _ = cursor.take(1)?,
        Type::Int
        | Type::Long
        | Type::Enum(_)
        | Type::Date
        | Type::Timestamp(..)
        | Type::TimeOfDay(..) => _ = cursor.long()?,
        Type::Float => _ = cursor.take(4)?,
        Type::Double => _ = cursor.take(8)?,
        Type::Bytes | Type::String | Type::Decimal { size: None, .. } => _ = cursor.bytes()?,
        Type::Fixed(size) | Type::Decimal { size: Some(size), .. } => _ = cursor.fixed(*size)?,
        Type::Uuid => _ = cursor.take(16)?,
        Type::Array(element) => {
            cursor.elements(|cursor| skip(schema, cursor, *element, depth + 1))?;
        }
        Type::Map(value) => cursor.elements(|cursor| {
            cursor.bytes()?;
            skip(schema, cursor, *value, depth + 1)
        })?,
        Type::Record(fields) => {
            if fields.is_empty() {
                cursor.empty_value()?;
            }
            for (_, field) in fields {
                skip(schema, cursor, *field, depth + 1)?;
            }
        }
        Type::Union(branches) => {
            let branch = branch(cursor, branches)?;
            skip(schema, cursor, branch, depth + 1)?;
        }
    }
    Ok(())
}

/// Appends a value as JSON.
pub(crate) fn write_json(
    schema: &Schema,
    cursor: &mut Cursor<'_>,
    id: TypeId,
    out: &mut String,
    depth: usize,
) -> Decoded {
    if depth > MAX_DEPTH {
        return Err(DatumFault::TooDeep);
    }
    if out.len() > MAX_OBJECT {
        return Err(DatumFault::TooLong);
    }
    match schema.get(id) {
        Type::Null => {
            cursor.empty_value()?;
            out.push_str("null");
        }
        Type::Union(branches) => {
            let branch = branch(cursor, branches)?;
            write_json(schema, cursor, branch, out, depth + 1)?;
        }
        Type::Record(fields) => {
            if fields.is_empty() {
                cursor.empty_value()?;
            }
            out.push('{');
            for (name, field) in fields {
                write::name(out, name);
                write_json(schema, cursor, *field, out, depth + 1)?;
            }
            out.push('}');
        }
        Type::Map(value) => {
            out.push('{');
            cursor.elements(|cursor| {
                write::name(out, cursor.string()?);
                write_json(schema, cursor, *value, out, depth + 1)
            })?;
            out.push('}');
        }
        Type::Array(element) => {
            out.push('[');
            cursor.elements(|cursor| {
                write::separate(out);
                write_json(schema, cursor, *element, out, depth + 1)
            })?;
            out.push(']');
        }
        other => write_scalar(other, cursor, out)?,
    }
    Ok(())
}

fn write_scalar(scalar: &Type, cursor: &mut Cursor<'_>, out: &mut String) -> Decoded {
    let begin = *cursor;
    let start = out.len();
    let mut behind = begin;
    let held = self::scalar(scalar, &mut behind, out)?;
    cursor.take(begin.left() - behind.left())?;
    cursor.empty_values = behind.empty_values;
    match held {
        Held::Borrowed(Value::Bool(value)) => out.push_str(if value { "true" } else { "false" }),
        Held::Borrowed(Value::Text(text)) => {
            write::string(out, text.decode(&mut String::new()).unwrap_or_default());
        }
        Held::Borrowed(Value::Time(time)) => {
            out.push('"');
            time.write(out);
            out.push('"');
        }
        Held::Borrowed(Value::NotText) => {
            let mut begin = begin;
            let bytes = match scalar {
                Type::Fixed(size) => begin.take(*size)?,
                _ => begin.bytes()?,
            };
            write::base64(out, bytes);
        }
        Held::Text(_) => {
            out.insert(start, '"');
            out.push('"');
        }
        // Numbers are there already.
        Held::Number(_) => {}
        _ => out.push_str("null"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::avro::schema::doubling;

    #[test]
    fn numbers_are_zigzag_varints() {
        for (bytes, expected) in [
            (&[0x00][..], Ok(0)),
            (&[0x01], Ok(-1)),
            (&[0x02], Ok(1)),
            (&[0x80, 0x01], Ok(64)),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], Ok(i64::MIN)),
            (
                &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
                Err(DatumFault::Number),
            ),
            (&[0x80], Err(DatumFault::End)),
        ] {
            assert_eq!(Cursor::new(bytes).long(), expected, "{bytes:x?}");
        }
    }

    #[test]
    fn big_numbers_keep_every_digit() {
        for (bytes, expected) in [
            (&[][..], "0"),
            (&[0x7f], "127"),
            (&[0xff], "-1"),
            (&[0x80, 0x00], "-32768"),
            (&[0x00, 0x3b, 0x9a, 0xca, 0x00], "1000000000"),
            (
                &[0x01, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
                "340282366920938463463374607431768211456",
            ),
        ] {
            assert_eq!(Unscaled(bytes).to_string(), expected);
        }
    }

    #[test]
    fn elements_without_bytes_are_not_counted_for_ever() {
        let schema = Schema::parse(br#"{"type":"array","items":"null"}"#).unwrap();
        // 2^61 elements.
        let bytes = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40, 0x00];
        let skipped = skip(&schema, &mut Cursor::new(&bytes), schema.root, 0);
        assert_eq!(skipped, Err(DatumFault::TooMany));
    }

    #[test]
    fn values_without_bytes_are_not_counted_for_ever() {
        let schema = Schema::parse(doubling(40).as_bytes()).unwrap();
        let skipped = skip(&schema, &mut Cursor::new(&[]), schema.root, 0);
        assert_eq!(skipped, Err(DatumFault::TooMany));
        let mut out = String::new();
        let written = write_json(&schema, &mut Cursor::new(&[]), schema.root, &mut out, 0);
        assert_eq!(written, Err(DatumFault::TooLong));
    }

    #[test]
    fn endless_digits_are_not_worked_out() {
        let of = br#"{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}"#;
        let schema = Schema::parse(of).unwrap();
        // 10,000 bytes.
        let bytes = [&[0xa0, 0x9c, 0x01][..], &[0x7f; 10_000]].concat();
        let mut out = String::new();
        write_json(&schema, &mut Cursor::new(&bytes), schema.root, &mut out, 0).unwrap();
        assert_eq!(out, "1e24000");
    }
}
