//! The formats that are recognised, and how a crawler records each.

use personalize_plan::glue::SerdeInfo;

use super::delimited::Dialect;

/// The format of the files, as the first that was recognised has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Csv(Dialect),
    Parquet,
    Orc,
    /// With its schema
    Avro(String),
    /// With the name of the elements that are the records
    Xml(String),
    Ion,
    Bson,
    /// With the classification and the pattern of its lines
    Log(&'static str, &'static str),
}

/// Hadoop's classes for a format.
pub(crate) struct Classes {
    pub(crate) input_format: &'static str,
    pub(crate) output_format: &'static str,
    serde: &'static str,
}

const TEXT: (&str, &str) = (
    "org.apache.hadoop.mapred.TextInputFormat",
    "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
);

impl Format {
    /// The classification.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv(_) => "csv",
            Self::Parquet => "parquet",
            Self::Orc => "orc",
            Self::Avro(_) => "avro",
            Self::Xml(_) => "xml",
            Self::Ion => "ion",
            Self::Bson => "bson",
            Self::Log(name, _) => name,
        }
    }

    pub(crate) fn classes(&self) -> Classes {
        let ((input_format, output_format), serde) = match self {
            Self::Json => (TEXT, "org.openx.data.jsonserde.JsonSerDe"),
            Self::Csv(_) => (TEXT, "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"),
            Self::Parquet => (
                (
                    "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
                    "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
                ),
                "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
            ),
            Self::Orc => (
                (
                    "org.apache.hadoop.hive.ql.io.orc.OrcInputFormat",
                    "org.apache.hadoop.hive.ql.io.orc.OrcOutputFormat",
                ),
                "org.apache.hadoop.hive.ql.io.orc.OrcSerde",
            ),
            Self::Avro(_) => (
                (
                    "org.apache.hadoop.hive.ql.io.avro.AvroContainerInputFormat",
                    "org.apache.hadoop.hive.ql.io.avro.AvroContainerOutputFormat",
                ),
                "org.apache.hadoop.hive.serde2.avro.AvroSerDe",
            ),
            Self::Ion => (
                (
                    "com.amazon.ionhiveserde.formats.IonInputFormat",
                    "com.amazon.ionhiveserde.formats.IonOutputFormat",
                ),
                "com.amazon.ionhiveserde.IonHiveSerDe",
            ),
            Self::Log(..) => (TEXT, "com.amazonaws.glue.serde.GrokSerDe"),
            // For these the catalog has no SerDe; Glue's own reader goes by the classification.
            Self::Xml(_) | Self::Bson => (("", ""), ""),
        };
        Classes { input_format, output_format, serde }
    }

    /// The SerDe and its parameters; `columns` are the names at the top, as the files have them.
    pub(crate) fn serde(&self, columns: &[&str]) -> SerdeInfo {
        let parameter = match self {
            Self::Json => {
                let mut names = columns.to_vec();
                names.sort_unstable();
                Some(("paths", names.join(",")))
            }
            Self::Csv(dialect) => Some(("field.delim", char::from(dialect.delimiter).to_string())),
            Self::Avro(schema) => Some(("avro.schema.literal", schema.clone())),
            Self::Xml(row_tag) => Some(("rowTag", row_tag.clone())),
            Self::Log(_, pattern) => Some(("input.format", (*pattern).to_owned())),
            Self::Parquet | Self::Orc => Some(("serialization.format", "1".to_owned())),
            Self::Ion | Self::Bson => None,
        };
        SerdeInfo {
            serialization_library: self.classes().serde.into(),
            parameters: parameter
                .map(|(name, value)| (name.to_owned(), value))
                .into_iter()
                .collect(),
        }
    }

    /// What the table says of the format beside its classification.
    pub(crate) fn parameters(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Csv(dialect) => {
                let mut parameters = vec![
                    ("delimiter", char::from(dialect.delimiter).to_string()),
                    ("columnsOrdered", "true".to_owned()),
                ];
                if dialect.header {
                    parameters.push(("skip.header.line.count", "1".to_owned()));
                }
                parameters
            }
            Self::Avro(schema) => vec![("avro.schema.literal", schema.clone())],
            Self::Xml(row_tag) => vec![("rowTag", row_tag.clone())],
            Self::Log(_, pattern) => vec![("grokPattern", (*pattern).to_owned())],
            _ => Vec::new(),
        }
    }

    /// Whether numbers and times are told from text by what they look like.
    pub(crate) fn is_untyped(&self) -> bool {
        matches!(self, Self::Csv(_) | Self::Xml(_))
    }

    /// Whether files of both formats are one table. CSV files agree if their delimiters do, and
    /// their headers name the same columns, or neither has one.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Csv(a), Self::Csv(b)) => a.delimiter == b.delimiter && a.header == b.header,
            (Self::Avro(_), Self::Avro(_)) => true,
            _ => self == other,
        }
    }

    /// How files of the other format differ from those of this one.
    pub(crate) fn difference(&self, other: &Self) -> String {
        match (self, other) {
            (Self::Csv(a), Self::Csv(b)) if a.delimiter != b.delimiter => {
                "has another delimiter than the files before it".into()
            }
            (Self::Csv(a), Self::Csv(_)) if a.header => {
                "has no header, unlike the files before it".into()
            }
            (Self::Csv(_), Self::Csv(_)) => {
                "has a header, unlike the files before it; it would be read as a row".into()
            }
            (Self::Xml(tag), Self::Xml(_)) => format!("has no <{tag}>, unlike the files before it"),
            (_, other) => format!("is {}, unlike the files before it", other.name()),
        }
    }
}
