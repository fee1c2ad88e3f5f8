//! Column types as the Data Catalog writes them: `bigint`, `struct<sku:string,price:double>`.

use std::fmt;
use std::str::FromStr;

/// How deep types may be nested; a crawler's own limit is lower.
const MAX_DEPTH: usize = 100;

/// The type of a column, in Hive's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnType {
    /// `boolean`
    Boolean,
    /// `tinyint`, `smallint` or `int`
    Int,
    /// `bigint`
    BigInt,
    /// `float`
    Float,
    /// `double`
    Double,
    /// `decimal(precision,scale)`, kept as written
    Decimal(String),
    /// `string`, `char(n)` or `varchar(n)`
    String,
    /// `binary`
    Binary,
    /// `date`
    Date,
    /// `timestamp`
    Timestamp,
    /// `array<element>`
    Array(Box<ColumnType>),
    /// `map<key,value>`
    Map(Box<ColumnType>, Box<ColumnType>),
    /// `struct<name:type,...>`
    Struct(Vec<StructField>),
    /// Anything else, such as a crawler's `uniontype<...>`, kept as written
    Other(String),
}

/// One member of a struct.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StructField {
    /// The member's name, in the case that the catalog has it.
    pub name: String,
    /// The member's type.
    pub column_type: ColumnType,
}

/// Why a text is no [`ColumnType`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no Glue column type: {fault} at `{rest}`")]
pub struct TypeError {
    text: String,
    rest: String,
    fault: &'static str,
}

impl ColumnType {
    /// Whether a value of this type fits in one cell without joining.
    pub fn is_scalar(&self) -> bool {
        !matches!(self, Self::Array(_) | Self::Map(..) | Self::Struct(_) | Self::Other(_))
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean => f.write_str("boolean"),
            Self::Int => f.write_str("int"),
            Self::BigInt => f.write_str("bigint"),
            Self::Float => f.write_str("float"),
            Self::Double => f.write_str("double"),
            Self::String => f.write_str("string"),
            Self::Binary => f.write_str("binary"),
            Self::Date => f.write_str("date"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::Decimal(text) | Self::Other(text) => f.write_str(text),
            Self::Array(element) => write!(f, "array<{element}>"),
            Self::Map(key, value) => write!(f, "map<{key},{value}>"),
            Self::Struct(fields) => {
                f.write_str("struct<")?;
                for (at, field) in fields.iter().enumerate() {
                    let comma = if at > 0 { "," } else { "" };
                    write!(f, "{comma}{}:{}", field.name, field.column_type)?;
                }
                f.write_str(">")
            }
        }
    }
}

impl FromStr for ColumnType {
    type Err = TypeError;

    fn from_str(text: &str) -> Result<Self, TypeError> {
        let mut parser = Parser { rest: text.trim() };
        let fail = |rest: &str, fault| TypeError {
            text: text.to_owned(),
            rest: rest.chars().take(40).collect(),
            fault,
        };
        match parser.column_type(0) {
            Ok(column_type) if parser.rest.is_empty() => Ok(column_type),
            Ok(_) => Err(fail(parser.rest, "nothing more was expected")),
            Err(fault) => Err(fail(parser.rest, fault)),
        }
    }
}

struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn column_type(&mut self, depth: usize) -> Result<ColumnType, &'static str> {
        if depth > MAX_DEPTH {
            return Err("types are nested too deep");
        }
        let start = self.rest;
        let word = self.take_until(['<', '(', ',', '>', ':']).trim();
        if word.is_empty() {
            return Err("a type is missing");
        }
        Ok(match word.to_ascii_lowercase().as_str() {
            "boolean" => ColumnType::Boolean,
            "tinyint" | "smallint" | "int" | "integer" | "short" | "byte" => ColumnType::Int,
            "bigint" | "long" => ColumnType::BigInt,
            "float" => ColumnType::Float,
            "double" => ColumnType::Double,
            "string" => ColumnType::String,
            "binary" => ColumnType::Binary,
            "date" => ColumnType::Date,
            "timestamp" => ColumnType::Timestamp,
            "char" | "varchar" => {
                self.parentheses()?;
                ColumnType::String
            }
            "decimal" => {
                self.parentheses()?;
                ColumnType::Decimal(start[..start.len() - self.rest.len()].trim().to_owned())
            }
            "array" => {
                self.expect('<')?;
                let element = self.column_type(depth + 1)?;
                self.expect('>')?;
                ColumnType::Array(Box::new(element))
            }
            "map" => {
                self.expect('<')?;
                let key = self.column_type(depth + 1)?;
                self.expect(',')?;
                let value = self.column_type(depth + 1)?;
                self.expect('>')?;
                ColumnType::Map(Box::new(key), Box::new(value))
            }
            "struct" => ColumnType::Struct(self.struct_fields(depth)?),
            _ => {
                self.skip_brackets()?;
                ColumnType::Other(start[..start.len() - self.rest.len()].trim().to_owned())
            }
        })
    }

    fn struct_fields(&mut self, depth: usize) -> Result<Vec<StructField>, &'static str> {
        self.expect('<')?;
        let mut fields = Vec::new();
        if self.rest.starts_with('>') {
            self.expect('>')?;
            return Ok(fields);
        }
        loop {
            let name = self.take_until([':']).trim().to_owned();
            self.expect(':')?;
            fields.push(StructField { name, column_type: self.column_type(depth + 1)? });
            if self.expect(',').is_err() {
                self.expect('>')?;
                return Ok(fields);
            }
        }
    }

    fn take_until<const N: usize>(&mut self, ends: [char; N]) -> &'a str {
        let end = self.rest.find(ends).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn expect(&mut self, c: char) -> Result<(), &'static str> {
        match self.rest.trim_start().strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                Ok(())
            }
            None => Err(match c {
                '<' => "`<` is missing",
                '>' => "`>` is missing",
                ',' => "`,` is missing",
                _ => "`:` is missing",
            }),
        }
    }

    fn parentheses(&mut self) -> Result<(), &'static str> {
        if let Some(inner) = self.rest.strip_prefix('(') {
            self.rest = inner.split_once(')').ok_or("`)` is missing")?.1;
        }
        Ok(())
    }

    fn skip_brackets(&mut self) -> Result<(), &'static str> {
        if !self.rest.starts_with('<') {
            return Ok(());
        }
        let mut depth = 0_usize;
        for (at, c) in self.rest.char_indices() {
            match c {
                '<' => depth += 1,
                '>' if depth == 1 => {
                    self.rest = &self.rest[at + 1..];
                    return Ok(());
                }
                '>' => depth -= 1,
                _ => {}
            }
        }
        Err("`>` is missing")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_read_back_as_they_are_written() {
        for text in [
            "bigint",
            "decimal(38,9)",
            "array<struct<name:string,position:array<double>>>",
            "map<string,array<int>>",
            "struct<sku:string,First Name:string,inner:struct<a:boolean>>",
            "uniontype<int,struct<a:string>>",
            "struct<>",
        ] {
            assert_eq!(text.parse::<ColumnType>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn names_of_one_kind_become_one_type() {
        for (text, expected) in [
            ("smallint", ColumnType::Int),
            ("varchar(20)", ColumnType::String),
            ("char(1)", ColumnType::String),
            ("LONG", ColumnType::BigInt),
        ] {
            assert_eq!(text.parse::<ColumnType>().unwrap(), expected);
        }
    }

    #[test]
    fn broken_types_are_refused_with_the_place() {
        for text in ["", "array<", "array<int", "struct<a>", "struct<a:int", "int>", "map<int>"] {
            assert!(text.parse::<ColumnType>().is_err(), "{text}");
        }
        let deep = "array<".repeat(5000);
        assert!(deep.parse::<ColumnType>().unwrap_err().to_string().contains("too deep"));
    }
}
