//! The Glue types of Arrow's, as crawlers record them.

use arrow_schema::{DataType, Field, FieldRef, Fields};
use personalize_plan::glue::{ColumnType, StructField};

/// The columns of a schema.
pub(crate) fn columns(fields: &Fields) -> Vec<StructField> {
    let column = |field: &FieldRef| StructField {
        name: field.name().clone(),
        column_type: field_type(field),
    };
    fields.iter().map(column).collect()
}

fn field_type(field: &Field) -> ColumnType {
    match field.extension_type_name() {
        Some("arrow.uuid") => ColumnType::String,
        _ => column_type(field.data_type()),
    }
}

fn column_type(data_type: &DataType) -> ColumnType {
    match data_type {
        DataType::Boolean => ColumnType::Boolean,
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::UInt8 | DataType::UInt16 => {
            ColumnType::Int
        }
        DataType::Int64 | DataType::UInt32 | DataType::Duration(_) => ColumnType::BigInt,
        DataType::UInt64 => ColumnType::Decimal("decimal(20,0)".into()),
        DataType::Float16 | DataType::Float32 => ColumnType::Float,
        DataType::Float64 => ColumnType::Double,
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => {
            ColumnType::Decimal(format!("decimal({precision},{scale})"))
        }
        DataType::Date32 | DataType::Date64 => ColumnType::Date,
        DataType::Timestamp(_, _) => ColumnType::Timestamp,
        DataType::Binary | DataType::LargeBinary | DataType::FixedSizeBinary(_) => {
            ColumnType::Binary
        }
        DataType::List(element)
        | DataType::LargeList(element)
        | DataType::FixedSizeList(element, _) => ColumnType::Array(Box::new(field_type(element))),
        DataType::Struct(fields) => ColumnType::Struct(columns(fields)),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) if fields.len() == 2 => {
                ColumnType::Map(Box::new(field_type(&fields[0])), Box::new(field_type(&fields[1])))
            }
            _ => ColumnType::String,
        },
        DataType::Union(fields, _) => {
            let kinds = fields.iter().map(|(_, field)| field_type(field).to_string());
            ColumnType::Other(format!("uniontype<{}>", kinds.collect::<Vec<_>>().join(",")))
        }
        _ => ColumnType::String,
    }
}
