//! A file's own schema, as far as reading needs it.
//!
//! Source: Avro specification 1.12, "Schema Declaration". Names are taken as they come, since
//! writers are less strict about them than the specification is.

use std::collections::BTreeMap;

use personalize_plan::glue::{ColumnType, StructField};
use serde_json::Value;

use crate::infer::widened;

/// The types of a schema.
#[derive(Debug)]
pub(crate) struct Schema {
    types: Vec<Type>,
    /// The datum's own
    pub(crate) root: TypeId,
}

/// A type by its place in the schema, so that it may hold itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TypeId(usize);

#[derive(Debug)]
pub(crate) enum Type {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Fixed(usize),
    Enum(Vec<String>),
    Array(TypeId),
    Map(TypeId),
    Record(Vec<(String, TypeId)>),
    Union(Vec<TypeId>),
    /// A whole number of days
    Date,
    /// A count of units since 1970, of which there are so many in a second
    Timestamp(Width, i64),
    /// The same since midnight
    TimeOfDay(Width, i64),
    /// Bytes, or so many bytes, that are a two's complement number
    Decimal {
        size: Option<usize>,
        precision: u64,
        scale: i8,
    },
    /// Sixteen bytes
    Uuid,
}

/// How a number is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    Int,
    Long,
}

/// Why a text is no schema.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SchemaError {
    #[error("its schema is no JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("its schema has no type named `{0}`")]
    Unknown(String),
    #[error("its schema has a type that lacks `{0}`")]
    Lacks(&'static str),
    #[error("its schema is nested too deep")]
    TooDeep,
}

/// How deep a schema may be nested.
const MAX_DEPTH: usize = 100;
/// A record that holds itself is a column's type as often in itself; what it holds beyond is text.
const MAX_REENTRIES: usize = 3;
/// The types that columns are made of, all together; what is beyond is text.
const MAX_COLUMN_TYPES: usize = 1 << 16;
/// Beyond this no number is written out.
const MAX_SCALE: u64 = 100;

impl Schema {
    pub(crate) fn parse(text: &[u8]) -> Result<Self, SchemaError> {
        let json = serde_json::from_slice(text)?;
        let mut parser = Parser { types: Vec::new(), names: BTreeMap::new() };
        let root = parser.read(&json, "", 0)?;
        Ok(Self { types: parser.types, root })
    }

    pub(crate) fn get(&self, id: TypeId) -> &Type {
        &self.types[id.0]
    }

    /// The columns that a crawler would record.
    pub(crate) fn columns(&self) -> Vec<StructField> {
        let mut typing = Typing { schema: self, inside: Vec::new(), left: MAX_COLUMN_TYPES };
        match typing.column_type(self.root) {
            ColumnType::Struct(fields) => fields,
            column_type => vec![StructField { name: "value".into(), column_type }],
        }
    }
}

/// Makes columns' types of a schema's. Where types are named often, or name each other, that would
/// have no end.
struct Typing<'s> {
    schema: &'s Schema,
    /// What the type at hand is in
    inside: Vec<TypeId>,
    left: usize,
}

impl Typing<'_> {
    fn column_type(&mut self, id: TypeId) -> ColumnType {
        let reentries = self.inside.iter().filter(|outer| **outer == id).count();
        if reentries > MAX_REENTRIES || self.inside.len() > MAX_DEPTH || self.left == 0 {
            return ColumnType::String;
        }
        self.left -= 1;
        self.inside.push(id);
        let column_type = self.inner_type(id);
        self.inside.pop();
        column_type
    }

    fn inner_type(&mut self, id: TypeId) -> ColumnType {
        let schema = self.schema;
        match schema.get(id) {
            Type::Null | Type::String | Type::Enum(_) | Type::Uuid | Type::TimeOfDay(..) => {
                ColumnType::String
            }
            Type::Boolean => ColumnType::Boolean,
            Type::Int => ColumnType::Int,
            Type::Long => ColumnType::BigInt,
            Type::Float => ColumnType::Float,
            Type::Double => ColumnType::Double,
            Type::Bytes | Type::Fixed(_) => ColumnType::Binary,
            Type::Date => ColumnType::Date,
            Type::Timestamp(..) => ColumnType::Timestamp,
            Type::Decimal { precision, scale, .. } => {
                ColumnType::Decimal(format!("decimal({precision},{scale})"))
            }
            Type::Array(element) => ColumnType::Array(Box::new(self.column_type(*element))),
            Type::Map(value) => {
                let value = self.column_type(*value);
                ColumnType::Map(Box::new(ColumnType::String), Box::new(value))
            }
            Type::Record(fields) => {
                let field = |(name, id): &(String, TypeId)| StructField {
                    name: name.clone(),
                    column_type: self.column_type(*id),
                };
                ColumnType::Struct(fields.iter().map(field).collect())
            }
            Type::Union(branches) => branches
                .iter()
                .filter(|branch| !matches!(schema.get(**branch), Type::Null))
                .map(|branch| self.column_type(*branch))
                .reduce(|known, other| widened(&known, other))
                .unwrap_or(ColumnType::String),
        }
    }
}

struct Parser {
    types: Vec<Type>,
    /// Named types by their full names
    names: BTreeMap<String, TypeId>,
}

impl Parser {
    fn add(&mut self, new: Type) -> TypeId {
        self.types.push(new);
        TypeId(self.types.len() - 1)
    }

    fn read(&mut self, json: &Value, namespace: &str, depth: usize) -> Result<TypeId, SchemaError> {
        if depth > MAX_DEPTH {
            return Err(SchemaError::TooDeep);
        }
        match json {
            Value::String(name) => self.named(name, namespace),
            Value::Array(branches) => {
                let branches =
                    branches.iter().map(|branch| self.read(branch, namespace, depth + 1));
                let branches = branches.collect::<Result<_, _>>()?;
                Ok(self.add(Type::Union(branches)))
            }
            Value::Object(object) => match object.get("type") {
                Some(Value::String(name)) => self.complex(name, json, namespace, depth),
                // `{"type": {"type": ...}}`
                Some(inner) => self.read(inner, namespace, depth + 1),
                None => Err(SchemaError::Lacks("type")),
            },
            _ => Err(SchemaError::Lacks("type")),
        }
    }

    fn named(&mut self, name: &str, namespace: &str) -> Result<TypeId, SchemaError> {
        let primitive = match name {
            "null" => Type::Null,
            "boolean" => Type::Boolean,
            "int" => Type::Int,
            "long" => Type::Long,
            "float" => Type::Float,
            "double" => Type::Double,
            "bytes" => Type::Bytes,
            "string" => Type::String,
            _ => {
                let full = full_name(name, namespace);
                let known = self.names.get(&full).or_else(|| self.names.get(name));
                return known.copied().ok_or(SchemaError::Unknown(full));
            }
        };
        Ok(self.add(primitive))
    }

    fn complex(
        &mut self,
        name: &str,
        json: &Value,
        namespace: &str,
        depth: usize,
    ) -> Result<TypeId, SchemaError> {
        let inner = |key: &'static str| json.get(key).ok_or(SchemaError::Lacks(key));
        match name {
            "array" => {
                let element = self.read(inner("items")?, namespace, depth + 1)?;
                Ok(self.add(Type::Array(element)))
            }
            "map" => {
                let value = self.read(inner("values")?, namespace, depth + 1)?;
                Ok(self.add(Type::Map(value)))
            }
            "record" | "error" => self.record(json, namespace, depth),
            "enum" => {
                let symbols = inner("symbols")?.as_array().ok_or(SchemaError::Lacks("symbols"))?;
                let symbol = |symbol: &Value| symbol.as_str().unwrap_or_default().to_owned();
                let id = self.add(Type::Enum(symbols.iter().map(symbol).collect()));
                self.name(json, namespace, id);
                Ok(id)
            }
            "fixed" => {
                let size = inner("size")?.as_u64().and_then(|size| usize::try_from(size).ok());
                let size = size.ok_or(SchemaError::Lacks("size"))?;
                let logical = logical(json, &Type::Fixed(size));
                let id = self.add(logical.unwrap_or(Type::Fixed(size)));
                self.name(json, namespace, id);
                Ok(id)
            }
            _ => {
                let id = self.named(name, namespace)?;
                match logical(json, &self.types[id.0]) {
                    Some(logical) => Ok(self.add(logical)),
                    None => Ok(id),
                }
            }
        }
    }

    fn record(
        &mut self,
        json: &Value,
        namespace: &str,
        depth: usize,
    ) -> Result<TypeId, SchemaError> {
        // Known before its fields are, since they may hold it.
        let id = self.add(Type::Null);
        let namespace = self.name(json, namespace, id);
        let fields = json.get("fields").and_then(Value::as_array);
        let fields = fields.ok_or(SchemaError::Lacks("fields"))?.iter().map(|field| {
            let name = field.get("name").and_then(Value::as_str);
            let field_type = field.get("type").ok_or(SchemaError::Lacks("type"))?;
            let name = name.ok_or(SchemaError::Lacks("name"))?.to_owned();
            // A logical type may stand beside the name of its type.
            let json = if field_type.is_string() && field.get("logicalType").is_some() {
                field
            } else {
                field_type
            };
            Ok((name, self.read(json, &namespace, depth + 1)?))
        });
        let fields = fields.collect::<Result<_, SchemaError>>()?;
        self.types[id.0] = Type::Record(fields);
        Ok(id)
    }

    /// Makes a type known by its name, and gives the namespace that holds inside it.
    fn name(&mut self, json: &Value, outer: &str, id: TypeId) -> String {
        let text = |key| json.get(key).and_then(Value::as_str);
        let name = text("name").unwrap_or_default();
        let namespace = text("namespace").unwrap_or(outer);
        let full = full_name(name, namespace);
        let namespace = full.rsplit_once('.').map_or("", |(namespace, _)| namespace).to_owned();
        self.names.insert(full, id);
        namespace
    }
}

fn full_name(name: &str, namespace: &str) -> String {
    if name.contains('.') || namespace.is_empty() {
        name.to_owned()
    } else {
        format!("{namespace}.{name}")
    }
}

/// What a logical type makes of the type below it; nothing where it does not fit, as the
/// specification wants it.
fn logical(json: &Value, below: &Type) -> Option<Type> {
    let number = |key: &str| json.get(key).and_then(Value::as_u64);
    let decimal = |size| {
        let scale = number("scale").unwrap_or(0);
        (scale <= MAX_SCALE).then(|| Type::Decimal {
            size,
            precision: number("precision").unwrap_or(38),
            scale: i8::try_from(scale).unwrap_or(i8::MAX),
        })
    };
    match (json.get("logicalType")?.as_str()?, below) {
        ("date", Type::Int) => Some(Type::Date),
        ("timestamp-millis" | "local-timestamp-millis", Type::Long) => {
            Some(Type::Timestamp(Width::Long, 1000))
        }
        ("timestamp-micros" | "local-timestamp-micros", Type::Long) => {
            Some(Type::Timestamp(Width::Long, 1_000_000))
        }
        ("timestamp-nanos" | "local-timestamp-nanos", Type::Long) => {
            Some(Type::Timestamp(Width::Long, 1_000_000_000))
        }
        ("time-millis", Type::Int) => Some(Type::TimeOfDay(Width::Int, 1000)),
        ("time-micros", Type::Long) => Some(Type::TimeOfDay(Width::Long, 1_000_000)),
        ("decimal", Type::Bytes) => decimal(None),
        ("decimal", Type::Fixed(size)) => decimal(Some(*size)),
        ("uuid", Type::Fixed(16)) => Some(Type::Uuid),
        _ => None,
    }
}

/// A schema of a record of two of a record of two, and so on, so many times; data of it take no bytes.
#[cfg(test)]
pub(super) fn doubling(times: usize) -> String {
    let record = |at: usize| {
        let fields = format!(r#"{{"name":"a","type":"r{at}"}},{{"name":"b","type":"r{at}"}}"#);
        let name = at + 1;
        format!(
            r#",{{"name":"f{name}","type":{{"type":"record","name":"r{name}","fields":[{fields}]}}}}"#
        )
    };
    let records: String = (0..times).map(record).collect();
    format!(
        r#"{{"type":"record","name":"all","fields":[
            {{"name":"f0","type":{{"type":"record","name":"r0","fields":[]}}}}{records}]}}"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(schema: &str) -> String {
        ColumnType::Struct(Schema::parse(schema.as_bytes()).unwrap().columns()).to_string()
    }

    #[test]
    fn columns_are_typed_as_crawlers_type_them() {
        let schema = r#"{"type":"record","name":"r","namespace":"a.b","fields":[
            {"name":"id","type":["null","long"],"default":null},
            {"name":"kind","type":{"type":"enum","name":"kind","symbols":["x"]}},
            {"name":"again","type":"kind"},
            {"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},
            {"name":"day","type":"int","logicalType":"date"},
            {"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},
            {"name":"tags","type":{"type":"array","items":"string"}},
            {"name":"more","type":{"type":"map","values":["int","double"]}},
            {"name":"either","type":["string","int"]}]}"#;
        assert_eq!(
            columns(schema),
            "struct<id:bigint,kind:string,again:string,at:timestamp,day:date,price:decimal(9,2),\
             tags:array<string>,more:map<string,double>,either:string>"
        );
    }

    #[test]
    fn a_type_may_hold_itself() {
        let schema = r#"{"type":"record","name":"list","fields":[
            {"name":"value","type":"int"},{"name":"next","type":["null","list"]}]}"#;
        assert!(columns(schema).starts_with("struct<value:int,next:struct<value:int,"));
    }

    #[test]
    fn types_that_hold_themselves_often_end_somewhere() {
        let tree = r#"{"type":"record","name":"tree","fields":[
            {"name":"left","type":["null","tree"]},{"name":"right","type":["null","tree"]}]}"#;
        let side = |inner: &str| format!("struct<left:{inner},right:{inner}>");
        let whole = (0..=MAX_REENTRIES).fold("string".to_owned(), |inner, _| side(&inner));
        assert_eq!(columns(tree), whole);

        assert!(columns(&doubling(40)).len() < 100 * MAX_COLUMN_TYPES);
    }

    #[test]
    fn what_is_no_schema_is_refused() {
        for text in ["", "{}", "[1]", r#""unknown""#, r#"{"type":"array"}"#, r#"{"type":"fixed"}"#]
        {
            assert!(Schema::parse(text.as_bytes()).is_err(), "{text}");
        }
        let deep = format!("{}\"int\"{}", "[".repeat(127), "]".repeat(127));
        assert!(Schema::parse(deep.as_bytes()).is_err());
    }
}
