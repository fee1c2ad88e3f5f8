//! The plan's values in the rows of a batch.

use std::ops::Range;

use arrow_array::cast::AsArray as _;
use arrow_array::{Array, ListArray, MapArray, StructArray, UnionArray};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Field, FieldRef};

use super::direct::Direct;
use super::scalar::Scalars;
use crate::convert::{ReadyCell, ReadyField};
use crate::json::write;
use crate::projection::{NodeId, Projection};
use crate::row::{Held, Row, push_integer};
use crate::value::{Record, Slot, Value, Verbatim};

/// A place of the projection in a batch's arrays.
struct Place<'b> {
    field: &'b Field,
    array: &'b dyn Array,
    nulls: Option<&'b NullBuffer>,
    slot: Option<Slot>,
    inside: Inside<'b>,
}

/// What an array holds, as far as the projection goes into it.
enum Inside<'b> {
    /// One value in each row
    Scalars(Scalars<'b>, Option<Box<Place<'b>>>),
    /// Members of a struct, or nothing of it but itself
    Members(Vec<Place<'b>>, Option<Box<Place<'b>>>),
    /// Keys of a map, the names that are wanted of them, and their values
    Entries(&'b MapArray, Vec<(String, Place<'b>)>),
    /// Elements of a list: each of them, and some by their index
    Elements(Lists<'b>, Option<Box<Place<'b>>>, Vec<(usize, Place<'b>)>),
    /// One of several types in each row
    Union(&'b UnionArray, Vec<(i8, Place<'b>)>),
}

/// Where each row's elements are.
enum Lists<'b> {
    Small(&'b ListArray),
    Large(&'b arrow_array::LargeListArray),
    Fixed(usize),
}

impl Lists<'_> {
    fn elements(&self, row: usize) -> Range<usize> {
        match self {
            Self::Small(list) => {
                let offsets = list.value_offsets();
                offsets[row] as usize..offsets[row + 1] as usize
            }
            Self::Large(list) => {
                let offsets = list.value_offsets();
                offsets[row] as usize..offsets[row + 1] as usize
            }
            Self::Fixed(size) => row * size..(row + 1) * size,
        }
    }
}

impl<'b> Place<'b> {
    /// The place `node` of the projection, which the array of that field is at.
    fn new(field: &'b Field, array: &'b dyn Array, projection: &Projection, node: NodeId) -> Self {
        let wanted = projection.node(node);
        // What should be an array but is one value counts as an array of it.
        let as_element =
            || wanted.each.map(|each| Box::new(Self::new(field, array, projection, each)));
        let inside = match array.data_type() {
            DataType::Struct(_) => {
                let members = members(array.as_struct(), projection, node);
                Inside::Members(members, as_element())
            }
            DataType::Map(_, _) => {
                let map = array.as_map();
                let (_, values) = map.entries_fields();
                let value = |(name, node): (&str, NodeId)| {
                    (name.to_owned(), Self::new(values, map.values(), projection, node))
                };
                Inside::Entries(map, wanted.names().map(value).collect())
            }
            DataType::List(element)
            | DataType::LargeList(element)
            | DataType::FixedSizeList(element, _) => {
                let (lists, values) = lists(array);
                let place = |node| Self::new(element, values, projection, node);
                let by_index = wanted.by_index.iter().map(|(index, node)| (*index, place(*node)));
                let by_index = by_index.collect();
                Inside::Elements(lists, wanted.each.map(|each| Box::new(place(each))), by_index)
            }
            DataType::Union(fields, _) => {
                let union = array.as_union();
                let kind = |(id, field): (i8, &'b FieldRef)| {
                    (id, Self::new(field, union.child(id), projection, node))
                };
                Inside::Union(union, fields.iter().map(kind).collect())
            }
            _ => Inside::Scalars(Scalars::of(field, array), as_element()),
        };
        let slot = match inside {
            // Its kinds have the slot.
            Inside::Union(..) => None,
            _ => wanted.slot,
        };
        Self { field, array, nulls: array.nulls(), slot, inside }
    }

    /// The row's value as JSON in the arena.
    fn json(&self, row: usize, found: &mut Row<'b>) -> Range<usize> {
        let start = found.arena.len();
        write_json(self.field, self.array, row, &mut found.arena);
        start..found.arena.len()
    }

    fn visit(&self, row: usize, found: &mut Row<'b>) {
        if self.nulls.is_some_and(|nulls| nulls.is_null(row)) {
            return;
        }
        match &self.inside {
            Inside::Scalars(scalars, as_element) => {
                if let Some(slot) = self.slot {
                    let held = scalars.get(row, &mut found.arena);
                    found.note(slot, held);
                }
                visit_single(as_element.as_deref(), row, found);
            }
            Inside::Members(members, as_element) => {
                if let Some(slot) = self.slot {
                    let object = self.json(row, found);
                    found.note(slot, Held::Object(object));
                }
                members.iter().for_each(|member| member.visit(row, found));
                visit_single(as_element.as_deref(), row, found);
            }
            Inside::Entries(map, wanted) => {
                if let Some(slot) = self.slot {
                    let object = self.json(row, found);
                    found.note(slot, Held::Object(object));
                }
                let offsets = map.value_offsets();
                let keys = Scalars::of(map.entries_fields().0, map.keys());
                for entry in offsets[row] as usize..offsets[row + 1] as usize {
                    let Some(key) = key(&keys, map, entry) else { continue };
                    if let Some((_, value)) = wanted.iter().find(|(name, _)| *name == key) {
                        value.visit(entry, found);
                    }
                }
            }
            Inside::Elements(lists, each, by_index) => {
                if let Some(slot) = self.slot {
                    let array = self.json(row, found);
                    found.note(slot, Held::Array(array));
                }
                let elements = lists.elements(row);
                if let Some(each) = each {
                    for element in elements.clone() {
                        found.begin_element();
                        each.visit(element, found);
                    }
                }
                for (index, place) in by_index {
                    if let Some(element) = elements.clone().nth(*index) {
                        place.visit(element, found);
                    }
                }
            }
            Inside::Union(union, kinds) => {
                let kind = union.type_id(row);
                if let Some((_, place)) = kinds.iter().find(|(id, _)| *id == kind) {
                    place.visit(union.value_offset(row), found);
                }
            }
        }
    }
}

/// The wanted members of a struct.
fn members<'b>(array: &'b StructArray, projection: &Projection, node: NodeId) -> Vec<Place<'b>> {
    let node = projection.node(node);
    let columns = array.fields().iter().zip(array.columns());
    let places = columns.filter_map(|(field, column)| {
        let member = node.find_decoded(field.name())?;
        Some(Place::new(field, column.as_ref(), projection, member))
    });
    places.collect()
}

fn lists(array: &dyn Array) -> (Lists<'_>, &dyn Array) {
    match array.data_type() {
        DataType::LargeList(_) => {
            let list = array.as_list::<i64>();
            (Lists::Large(list), list.values().as_ref())
        }
        DataType::FixedSizeList(_, size) => {
            let list = array.as_fixed_size_list();
            (Lists::Fixed(usize::try_from(*size).unwrap_or_default()), list.values().as_ref())
        }
        _ => {
            let list = array.as_list::<i32>();
            (Lists::Small(list), list.values().as_ref())
        }
    }
}

/// A map's key as text in lower case, as names are compared.
fn key(keys: &Scalars<'_>, map: &MapArray, entry: usize) -> Option<String> {
    if map.keys().is_null(entry) {
        return None;
    }
    let mut arena = String::new();
    let held = keys.get(entry, &mut arena);
    match held.value(&arena) {
        Value::Text(text) => Some(text.decode(&mut String::new()).ok()?.to_lowercase()),
        Value::Number(text) => Some(text.to_owned()),
        Value::Integer(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A batch's rows, one after the other.
pub(crate) struct Rows<'b> {
    batch: &'b StructArray,
    /// The columns that fill a slot as they are
    direct: Vec<Option<Direct<'b>>>,
    /// The other places
    places: Vec<Place<'b>>,
    found: Row<'b>,
    row: usize,
}

impl<'b> Rows<'b> {
    pub(crate) fn new(batch: &'b StructArray, projection: &Projection) -> Self {
        let (fixed, _) = projection.slots();
        let mut direct = vec![None; fixed];
        let mut places = members(batch, projection, Projection::ROOT);
        // Of columns whose names differ in their case alone, the last that is not null counts.
        let names: Vec<String> =
            places.iter().map(|place| place.field.name().to_lowercase()).collect();
        let is_alone = |name: &String| names.iter().filter(|other| *other == name).count() == 1;
        let mut alone = names.iter().map(is_alone);
        places.retain(|place| match (&place.inside, place.slot) {
            _ if !alone.next().unwrap_or_default() => true,
            (Inside::Scalars(_, None), Some(Slot::Fixed(slot))) => {
                direct[slot] = Direct::of(place.array);
                direct[slot].is_none()
            }
            _ => true,
        });
        Self { batch, direct, places, found: Row::new(projection), row: 0 }
    }

    /// Makes cells ready for some rows, from the values of a slot.
    pub(crate) fn make_ready(&self, slot: usize, rows: Range<usize>, mut field: ReadyField<'_>) {
        match self.direct.get(slot) {
            Some(Some(column)) => column.make_ready(rows, field),
            _ => field.cells().for_each(ReadyCell::leave),
        }
    }

    /// Moves on to a row.
    pub(crate) fn read(&mut self, row: usize) -> &Self {
        self.row = row;
        if !self.places.is_empty() {
            self.found.clear();
        }
        for place in &self.places {
            place.visit(row, &mut self.found);
        }
        self
    }

    /// The columns of a row that were read, as a JSON object.
    pub(crate) fn json(&self, row: usize) -> String {
        let mut out = String::new();
        write_object(self.batch, row, &mut out);
        out
    }
}

/// The wanted values of the row that was read.
impl Record for Rows<'_> {
    fn elements(&self) -> usize {
        self.found.elements()
    }

    #[inline(always)]
    fn verbatim(&self, slot: usize) -> Option<Verbatim<'_>> {
        match self.direct.get(slot)? {
            Some(column) => column.verbatim(self.row),
            None => self.found.verbatim(slot),
        }
    }

    fn value(&self, slot: Slot, element: usize) -> Value<'_> {
        match slot {
            Slot::Fixed(at) => match self.direct.get(at) {
                Some(Some(column)) => column.value(self.row),
                _ => self.found.value(slot, element),
            },
            _ => self.found.value(slot, element),
        }
    }
}

/// Gives what should be an array but is one value as an array of it.
fn visit_single<'b>(as_element: Option<&Place<'b>>, row: usize, found: &mut Row<'b>) {
    if let Some(place) = as_element {
        found.begin_element();
        place.visit(row, found);
    }
}

fn write_object(array: &StructArray, row: usize, out: &mut String) {
    out.push('{');
    for (field, column) in array.fields().iter().zip(array.columns()) {
        write::name(out, field.name());
        write_json(field, column.as_ref(), row, out);
    }
    out.push('}');
}

fn write_map(map: &MapArray, row: usize, out: &mut String) {
    let offsets = map.value_offsets();
    let (key_field, value_field) = map.entries_fields();
    let keys = Scalars::of(key_field, map.keys());
    out.push('{');
    for entry in offsets[row] as usize..offsets[row + 1] as usize {
        let mut arena = String::new();
        let mut decoded = String::new();
        let name = match map.keys().is_null(entry) {
            true => "",
            false => match keys.get(entry, &mut arena).value(&arena) {
                Value::Integer(number) => {
                    push_integer(&mut decoded, number);
                    &decoded
                }
                Value::Text(text) => text.decode(&mut decoded).unwrap_or_default(),
                Value::Number(text) => text,
                _ => "",
            },
        };
        write::name(out, name);
        write_json(value_field, map.values().as_ref(), entry, out);
    }
    out.push('}');
}

/// Appends a row's value as JSON.
fn write_json(field: &Field, array: &dyn Array, row: usize, out: &mut String) {
    if array.is_null(row) {
        out.push_str("null");
        return;
    }
    match array.data_type() {
        DataType::Struct(_) => write_object(array.as_struct(), row, out),
        DataType::Map(_, _) => write_map(array.as_map(), row, out),
        DataType::List(element)
        | DataType::LargeList(element)
        | DataType::FixedSizeList(element, _) => {
            let (lists, values) = lists(array);
            out.push('[');
            for at in lists.elements(row) {
                write::separate(out);
                write_json(element, values, at, out);
            }
            out.push(']');
        }
        DataType::Union(kinds, _) => {
            let union = array.as_union();
            let id = union.type_id(row);
            match kinds.iter().find(|(known, _)| *known == id) {
                Some((_, kind)) => {
                    write_json(kind, union.child(id).as_ref(), union.value_offset(row), out);
                }
                None => out.push_str("null"),
            }
        }
        _ => Scalars::of(field, array).write_json(row, out),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Float64Array, Int64Array, StringArray};
    use arrow_schema::Fields;

    use super::*;

    /// The value of the column `user` in each row of a batch with these columns.
    fn users(columns: Vec<(&str, Arc<dyn Array>)>) -> Vec<String> {
        let fields =
            columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true));
        let fields = Fields::from(fields.collect::<Vec<_>>());
        let arrays = columns.into_iter().map(|(_, array)| array).collect();
        let batch = StructArray::new(fields, arrays, None);
        let mut projection = Projection::empty();
        let slot = projection.add(&"user".parse().unwrap());
        let mut rows = Rows::new(&batch, &projection);
        let shown = |value: Value<'_>| match value {
            Value::Missing => "-".to_owned(),
            Value::Integer(number) => number.to_string(),
            Value::Number(text) => text.to_owned(),
            Value::Text(text) => text.decode(&mut String::new()).unwrap().to_owned(),
            other => panic!("{other:?}"),
        };
        (0..batch.len()).map(|row| shown(rows.read(row).value(slot, 0))).collect()
    }

    #[test]
    fn of_columns_that_differ_in_case_the_last_that_is_not_null_counts() {
        let numbers = || Arc::new(Int64Array::from(vec![Some(1), Some(2), None]));
        let texts = || Arc::new(StringArray::from(vec![Some("a"), None, None]));
        let floats = || Arc::new(Float64Array::from(vec![Some(0.5), None, None]));
        assert_eq!(users(vec![("User", numbers())]), ["1", "2", "-"]);
        assert_eq!(users(vec![("user", numbers()), ("User", texts())]), ["a", "2", "-"]);
        assert_eq!(users(vec![("user", numbers()), ("USER", floats())]), ["0.5", "2", "-"]);
        assert_eq!(users(vec![("USER", floats()), ("user", numbers())]), ["1", "2", "-"]);
    }
}
