//! A table of the Data Catalog in the shape that `aws glue get-table` prints.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ColumnType;

/// A table: what lies where, in which format, with which columns.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Table {
    /// The table's name.
    pub name: String,
    /// The database that holds the table.
    pub database_name: String,
    /// Columns and format.
    pub storage_descriptor: StorageDescriptor,
    /// Columns whose values come from the folders.
    pub partition_keys: Vec<Column>,
    /// `EXTERNAL_TABLE` for a crawled one.
    pub table_type: String,
    /// Among others `classification`, `compressionType`, `skip.header.line.count`.
    pub parameters: BTreeMap<String, String>,
}

/// Where and how a table's rows are stored.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct StorageDescriptor {
    /// The columns in file order, without the partition keys. A crawler writes names in lower case.
    pub columns: Vec<Column>,
    /// The folder, for a crawled table an `s3://` URL.
    pub location: String,
    /// Hadoop's input format class.
    pub input_format: String,
    /// Hadoop's output format class.
    pub output_format: String,
    /// Whether the files are compressed.
    pub compressed: bool,
    /// `-1`: not bucketed.
    pub number_of_buckets: i64,
    /// The SerDe and its settings.
    pub serde_info: SerdeInfo,
    /// The table's parameters again, as crawlers write them.
    pub parameters: BTreeMap<String, String>,
    /// Hive's `STORED AS DIRECTORIES`.
    pub stored_as_sub_directories: bool,
}

/// The SerDe that reads a table's files.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SerdeInfo {
    /// The SerDe's class.
    pub serialization_library: String,
    /// For JSON `paths`, the top-level names in their original case; for CSV the delimiter.
    pub parameters: BTreeMap<String, String>,
}

/// A column or a partition key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Column {
    /// The column's name.
    pub name: String,
    /// The column's type, see [`ColumnType`].
    #[serde(rename = "Type")]
    pub type_name: String,
}

/// Why a text holds no usable [`Table`].
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The text is no JSON, or JSON of another shape.
    #[error(
        "this is not the JSON that `aws glue get-table` or `crawl --json` prints \
         (an object with `Table`, `StorageDescriptor` and `Columns`): {0}"
    )]
    Shape(#[from] serde_json::Error),
    /// The table has no columns at all.
    #[error("table `{0}` has no columns; has the crawler run over the source?")]
    NoColumns(String),
}

/// The response of GetTable: the table in an envelope.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetTable {
    table: Table,
}

impl Table {
    /// Reads what `aws glue get-table` prints, or the bare table inside it.
    ///
    /// # Errors
    ///
    /// [`TableError`] if the text is something else or the table has no columns.
    pub fn from_json(text: &str) -> Result<Self, TableError> {
        let value: serde_json::Value = serde_json::from_str(text)?;
        let table: Self = match value.get("Table") {
            Some(_) => serde_json::from_value::<GetTable>(value)?.table,
            None => serde_json::from_value(value)?,
        };
        if table.storage_descriptor.columns.is_empty() {
            return Err(TableError::NoColumns(table.name));
        }
        Ok(table)
    }

    /// The text that [`Table::from_json`] reads, indented.
    pub fn to_json(&self) -> String {
        let envelope = GetTable { table: self.clone() };
        serde_json::to_string_pretty(&envelope).unwrap_or_default()
    }

    /// What the crawler found the files to be: `json`, `csv`, `parquet` and so on.
    pub fn classification(&self) -> Option<&str> {
        self.parameter("classification")
    }

    /// A parameter of the table, of its storage descriptor or of its SerDe, whichever has it.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters
            .get(name)
            .or_else(|| self.storage_descriptor.parameters.get(name))
            .or_else(|| self.storage_descriptor.serde_info.parameters.get(name))
            .map(String::as_str)
    }

    /// The column of that name, ignoring case.
    pub fn column(&self, name: &str) -> Option<&Column> {
        find(&self.storage_descriptor.columns, name)
    }

    /// The partition key of that name, ignoring case.
    pub fn partition_key(&self, name: &str) -> Option<&Column> {
        find(&self.partition_keys, name)
    }

    /// The column's name in the case the source has it, which crawlers keep for JSON in `paths`.
    pub fn original_name<'a>(&'a self, column: &'a str) -> &'a str {
        self.storage_descriptor
            .serde_info
            .parameters
            .get("paths")
            .and_then(|paths| paths.split(',').find(|path| same_name(path, column)))
            .unwrap_or(column)
    }
}

impl Column {
    /// A column of that name and type.
    pub fn new(name: impl Into<String>, column_type: &ColumnType) -> Self {
        Self { name: name.into(), type_name: column_type.to_string() }
    }

    /// The column's type; one that cannot be read is [`ColumnType::Other`].
    pub fn column_type(&self) -> ColumnType {
        self.type_name.parse().unwrap_or_else(|_| ColumnType::Other(self.type_name.clone()))
    }
}

fn find<'a>(columns: &'a [Column], name: &str) -> Option<&'a Column> {
    columns.iter().find(|column| same_name(&column.name, name))
}

/// Names match as the Data Catalog compares them: ignoring case.
pub(crate) fn same_name(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b) || (!a.is_ascii() && a.to_lowercase() == b.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CRAWLED: &str = r#"{"Table": {"Name": "logs", "DatabaseName": "db", "Owner": "owner",
        "CreateTime": 1547159644.0, "Retention": 0, "PartitionKeys": [{"Name": "year", "Type": "string"}],
        "StorageDescriptor": {"Columns": [{"Name": "userid", "Type": "string", "Comment": ""}],
          "Location": "s3://b/logs/", "Compressed": false, "NumberOfBuckets": -1,
          "SerdeInfo": {"SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe",
                        "Parameters": {"paths": "event,userId"}},
          "BucketColumns": [], "SortColumns": [], "Parameters": {"classification": "json"}}}}"#;

    #[test]
    fn the_output_of_get_table_is_read() {
        let table = Table::from_json(CRAWLED).unwrap();
        assert_eq!(table.classification(), Some("json"));
        assert_eq!(table.original_name("userid"), "userId");
        assert_eq!(table.column("USERID").unwrap().column_type(), ColumnType::String);
        assert!(table.partition_key("Year").is_some());
        assert_eq!(Table::from_json(&table.to_json()).unwrap(), table);
    }

    #[test]
    fn another_shape_is_refused_with_what_was_expected() {
        let fault = Table::from_json(r#"{"Table": [1]}"#).unwrap_err().to_string();
        assert!(fault.contains("aws glue get-table"), "{fault}");
        let fault = Table::from_json(r#"{"Name": "t"}"#).unwrap_err().to_string();
        assert!(fault.contains("no columns"), "{fault}");
    }
}
