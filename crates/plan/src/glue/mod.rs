//! The Glue Data Catalog's view of a source: a table and the types of its columns.

mod column_type;
mod table;

pub use column_type::{ColumnType, StructField, TypeError};
pub(crate) use table::same_name;
pub use table::{Column, SerdeInfo, StorageDescriptor, Table, TableError};
