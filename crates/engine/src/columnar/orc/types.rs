//! The types of a file's columns: a tree.
//!
//! Source: ORC specification v1, "Type Information": types are in the order of a walk over their
//! tree, each before those it holds.

use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields, TimeUnit, UnionFields, UnionMode};

use super::fault::Fault;
use super::protobuf::{Message, Value};

/// Types may be nested this deep.
const MAX_NESTING: usize = 256;
/// A union has no more kinds: Arrow counts them in a byte with a sign.
const MAX_KINDS: usize = 127;

// Fields of a type.
const KIND: u64 = 1;
const SUBTYPES: u64 = 2;
const NAMES: u64 = 3;
const PRECISION: u64 = 5;
const SCALE: u64 = 6;

/// A column's type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Type {
    /// The column's number in the file
    pub(super) column: u64,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Boolean,
    Byte,
    Short,
    Int,
    Long,
    Float,
    Double,
    Text,
    Binary,
    Date,
    /// As clocks showed it where it was written
    Timestamp,
    Instant,
    Decimal {
        precision: u64,
        scale: u64,
    },
    Struct(Vec<Member>),
    List(Box<Type>),
    Map(Box<[Type; 2]>),
    Union(Vec<Type>),
    /// Of a number that is not known
    Other(u64),
}

/// A column of a struct.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) member_type: Type,
}

/// A type as it is stored.
#[derive(Debug, Default)]
pub(super) struct StoredType {
    kind: u64,
    subtypes: Vec<u64>,
    names: Vec<String>,
    precision: u64,
    scale: u64,
}

impl StoredType {
    /// Nothing if that is no type, or if it holds more than that.
    pub(super) fn new(bytes: &[u8], most_held: usize) -> Option<Self> {
        let mut found = Self::default();
        let mut message = Message::new(bytes);
        while let Some((field, value)) = message.next()? {
            if found.subtypes.len().max(found.names.len()) > most_held {
                return None;
            }
            match (field, value) {
                (KIND, Value::Number(kind)) => found.kind = kind,
                (SUBTYPES, Value::Number(held)) => found.subtypes.push(held),
                (SUBTYPES, Value::Bytes(packed)) => {
                    let mut packed = Message::new(packed);
                    while let Some(held) = packed.varint()
                        && found.subtypes.len() <= most_held
                    {
                        found.subtypes.push(held);
                    }
                }
                (NAMES, Value::Bytes(name)) => {
                    found.names.push(str::from_utf8(name).ok()?.to_owned());
                }
                (PRECISION, Value::Number(precision)) => found.precision = precision,
                (SCALE, Value::Number(scale)) => found.scale = scale,
                _ => {}
            }
        }
        Some(found)
    }
}

/// The columns at the top.
pub(super) fn root(types: &[StoredType]) -> Result<Vec<Member>, Fault> {
    let mut tree = Tree { types, is_held: vec![false; types.len()] };
    match tree.build(0, 1)?.kind {
        Kind::Struct(members) => Ok(members),
        _ => Err(Fault::Root),
    }
}

struct Tree<'t> {
    types: &'t [StoredType],
    is_held: Vec<bool>,
}

impl Tree<'_> {
    fn build(&mut self, at: usize, depth: usize) -> Result<Type, Fault> {
        let stored = self.types.get(at).ok_or(Fault::Type(at))?;
        if depth > MAX_NESTING {
            return Err(Fault::Nesting);
        }
        let mut held = Vec::with_capacity(stored.subtypes.len());
        for subtype in &stored.subtypes {
            let subtype = usize::try_from(*subtype).map_err(|_| Fault::Type(at))?;
            let is_held = self.is_held.get_mut(subtype).ok_or(Fault::Type(at))?;
            if subtype <= at || std::mem::replace(is_held, true) {
                return Err(Fault::NoTree(subtype, at));
            }
            held.push(self.build(subtype, depth + 1)?);
        }
        let kind = match (stored.kind, held.len()) {
            (0, 0) => Kind::Boolean,
            (1, 0) => Kind::Byte,
            (2, 0) => Kind::Short,
            (3, 0) => Kind::Int,
            (4, 0) => Kind::Long,
            (5, 0) => Kind::Float,
            (6, 0) => Kind::Double,
            // Of characters, variable and fixed lengths are texts as others.
            (7 | 16 | 17, 0) => Kind::Text,
            (8, 0) => Kind::Binary,
            (9, 0) => Kind::Timestamp,
            (10, 1) => Kind::List(Box::new(held.remove(0))),
            (11, 2) => {
                let pair = held.try_into().map_err(|_| Fault::Type(at))?;
                Kind::Map(Box::new(pair))
            }
            (12, count) if count == stored.names.len() => {
                let names = stored.names.iter().cloned();
                let member = |(name, member_type)| Member { name, member_type };
                Kind::Struct(names.zip(held).map(member).collect())
            }
            (13, 1..=MAX_KINDS) => Kind::Union(held),
            (14, 0) => Kind::Decimal { precision: stored.precision, scale: stored.scale },
            (15, 0) => Kind::Date,
            (18, 0) => Kind::Instant,
            (19.., _) => Kind::Other(stored.kind),
            _ => return Err(Fault::Type(at)),
        };
        Ok(Type { column: at as u64, kind })
    }
}

impl Type {
    /// The numbers of the column and of those in it.
    pub(super) fn columns(&self, out: &mut Vec<u64>) {
        out.push(self.column);
        match &self.kind {
            Kind::Struct(members) => {
                members.iter().for_each(|member| member.member_type.columns(out));
            }
            Kind::List(element) => element.columns(out),
            Kind::Map(pair) => pair.iter().for_each(|held| held.columns(out)),
            Kind::Union(kinds) => kinds.iter().for_each(|kind| kind.columns(out)),
            _ => {}
        }
    }

    fn data_type(&self) -> DataType {
        match &self.kind {
            Kind::Boolean => DataType::Boolean,
            Kind::Byte => DataType::Int8,
            Kind::Short => DataType::Int16,
            Kind::Int => DataType::Int32,
            Kind::Long => DataType::Int64,
            Kind::Float => DataType::Float32,
            Kind::Double => DataType::Float64,
            Kind::Text => DataType::Utf8,
            Kind::Binary => DataType::Binary,
            Kind::Date => DataType::Date32,
            Kind::Timestamp => DataType::Timestamp(TimeUnit::Nanosecond, None),
            Kind::Instant => DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
            // Decoding refuses what does not fit.
            Kind::Decimal { precision, scale } => DataType::Decimal128(
                u8::try_from(*precision).unwrap_or(u8::MAX),
                i8::try_from(*scale).unwrap_or(i8::MAX),
            ),
            Kind::Struct(members) => DataType::Struct(fields(members)),
            Kind::List(element) => DataType::List(element.field("item", true)),
            Kind::Map(pair) => {
                let [key, value] = pair.as_ref();
                let entries = [key.field("keys", false), value.field("values", true)];
                let entries = DataType::Struct(entries.into_iter().collect());
                DataType::Map(Arc::new(Field::new("entries", entries, false)), false)
            }
            Kind::Union(kinds) => {
                let field = |(id, kind): (i8, &Self)| (id, kind.field(&format!("kind_{id}"), true));
                let fields = (0..=i8::MAX).zip(kinds).map(field).collect::<UnionFields>();
                DataType::Union(fields, UnionMode::Sparse)
            }
            Kind::Other(_) => DataType::Null,
        }
    }

    fn field(&self, name: &str, is_nullable: bool) -> FieldRef {
        Arc::new(Field::new(name, self.data_type(), is_nullable))
    }
}

/// The same columns as Arrow knows them.
pub(super) fn fields(members: &[Member]) -> Fields {
    members.iter().map(|member| member.member_type.field(&member.name, true)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Structs that hold these.
    fn structs(held: &[&[u64]]) -> Vec<StoredType> {
        let stored = |held: &&[u64]| StoredType {
            kind: 12,
            subtypes: held.to_vec(),
            names: vec![String::new(); held.len()],
            ..StoredType::default()
        };
        held.iter().map(stored).collect()
    }

    fn refusal(held: &[&[u64]]) -> String {
        root(&structs(held)).map_or_else(|fault| fault.to_string(), |_| String::new())
    }

    #[test]
    fn types_are_a_tree() {
        assert_eq!(refusal(&[&[1, 3], &[2], &[], &[]]), "");
        assert!(refusal(&[&[0]]).starts_with("its type 0 is held by its type 0,"));
        assert!(refusal(&[&[1], &[1]]).starts_with("its type 1 is held by its type 1,"));
        assert!(refusal(&[&[1], &[2], &[1]]).starts_with("its type 1 is held by its type 2,"));
        assert!(refusal(&[&[1, 1], &[]]).starts_with("its type 1 is held by its type 0,"));
        assert_eq!(refusal(&[&[u64::MAX]]), "its type 0 is damaged");
        assert_eq!(refusal(&[]), "its type 0 is damaged");
    }

    #[test]
    fn types_are_nested_so_deep_and_no_deeper() {
        let nested = |depth: u64| {
            let held: Vec<[u64; 1]> = (1..depth).map(|held| [held]).collect();
            let mut held: Vec<&[u64]> = held.iter().map(|held| &held[..]).collect();
            held.push(&[]);
            refusal(&held)
        };
        assert_eq!(nested(MAX_NESTING as u64), "");
        assert_eq!(nested(MAX_NESTING as u64 + 1), "its types are nested deeper than 256 levels");
    }

    #[test]
    fn what_a_type_holds_is_of_its_kind() {
        let of = |kind, held: &[u64]| StoredType {
            kind,
            subtypes: held.to_vec(),
            ..StoredType::default()
        };
        let long = || of(4, &[]);
        let refusal = |types: &[StoredType]| root(types).map_err(|fault| fault.to_string());
        assert_eq!(refusal(&[long()]), Err("its root is no struct, so it has no columns".into()));
        let mut root = of(12, &[1]);
        root.names = vec!["a".into()];
        let types = [root, of(11, &[2]), long()];
        assert_eq!(refusal(&types), Err("its type 1 is damaged".into()), "a map without values");
        assert_eq!(
            refusal(&[of(12, &[1]), long()]),
            Err("its type 0 is damaged".into()),
            "no name"
        );
    }

    #[test]
    fn types_that_are_not_known_are_no_hindrance() {
        let mut types = structs(&[&[1], &[]]);
        types[1].kind = 20;
        let root = root(&types).unwrap();
        assert_eq!(root[0].member_type.kind, Kind::Other(20));
        assert_eq!(fields(&root)[0].data_type(), &DataType::Null);
    }

    #[test]
    fn a_type_holds_so_many_and_no_more() {
        let held = |packed: &[u8]| StoredType::new(packed, 2).map(|stored| stored.subtypes.len());
        assert_eq!(held(&[0x12, 2, 1, 2]), Some(2));
        assert_eq!(held(&[0x12, 3, 1, 2, 3, 0x08, 12]), None);
        assert_eq!(held(&[0x10, 1, 0x10, 2, 0x10, 3, 0x08, 12]), None);
        assert_eq!(held(&[0x1a, 0, 0x1a, 0, 0x1a, 0, 0x08, 12]), None);
    }
}
