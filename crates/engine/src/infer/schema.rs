//! Columns as the files' own schemas type them, of files that may differ.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use personalize_plan::glue::{ColumnType, StructField};

/// Takes in another file's columns: by name, ignoring case; types that differ become one that
/// holds both.
pub(crate) fn merge(columns: &mut Vec<StructField>, others: Vec<StructField>) {
    let mut places = HashMap::new();
    for (place, column) in columns.iter().enumerate() {
        places.entry(column.name.to_lowercase()).or_insert(place);
    }
    for other in others {
        match places.entry(other.name.to_lowercase()) {
            Entry::Occupied(place) => {
                let known = &mut columns[*place.get()].column_type;
                *known = widened(known, other.column_type);
            }
            Entry::Vacant(place) => {
                place.insert(columns.len());
                columns.push(other);
            }
        }
    }
}

/// The type that holds values of both.
pub(crate) fn widened(known: &ColumnType, other: ColumnType) -> ColumnType {
    use ColumnType::{Array, BigInt, Date, Decimal, Double, Float, Int, Map, Struct, Timestamp};
    match (known, other) {
        (known, other) if *known == other => other,
        (Int, BigInt) | (BigInt, Int) => BigInt,
        (Int, Float) | (Float, Int) => Float,
        (Int | BigInt | Float | Decimal(_), Double)
        | (Double, Int | BigInt | Float | Decimal(_))
        | (BigInt, Float)
        | (Float, BigInt) => Double,
        (Date, Timestamp) | (Timestamp, Date) => Timestamp,
        (Struct(fields), Struct(others)) => {
            let mut fields = fields.clone();
            merge(&mut fields, others);
            Struct(fields)
        }
        (Array(known), Array(other)) => Array(Box::new(widened(known, *other))),
        (Map(key, known), Map(_, other)) => Map(key.clone(), Box::new(widened(known, *other))),
        _ => ColumnType::String,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(known: &str, other: &str) -> String {
        let fields = |text: &str| match text.parse().unwrap() {
            ColumnType::Struct(fields) => fields,
            other => panic!("{other}"),
        };
        let mut columns = fields(known);
        merge(&mut columns, fields(other));
        ColumnType::Struct(columns).to_string()
    }

    #[test]
    fn columns_are_those_of_all_files_in_a_type_for_all() {
        assert_eq!(
            merged("struct<a:int,b:array<int>>", "struct<A:bigint,b:array<double>,c:date>"),
            "struct<a:bigint,b:array<double>,c:date>"
        );
        assert_eq!(
            merged("struct<s:struct<x:int>,t:date>", "struct<s:struct<y:string>,t:timestamp>"),
            "struct<s:struct<x:int,y:string>,t:timestamp>"
        );
        assert_eq!(merged("struct<a:int>", "struct<a:string>"), "struct<a:string>");
    }
}
