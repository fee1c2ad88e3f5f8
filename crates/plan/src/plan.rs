//! The conversion plan: one document that says what becomes of a record.

use serde::{Deserialize, Serialize};

use crate::conversion::Conversion;
use crate::dataset::{Dataset, Domain};
use crate::parameters::OutputFiles;
use crate::path::SourcePath;
use crate::timestamp_format::TimestampFormat;

/// The version of the document's shape; an engine refuses any other.
pub const PLAN_VERSION: u32 = 1;

/// Everything that an engine or a rendering needs to know. Made by [`crate::resolve`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversionPlan {
    /// [`PLAN_VERSION`]
    pub plan_version: u32,
    /// The dataset to fill.
    pub dataset: Dataset,
    /// The domain of the dataset group, if it has one.
    pub domain: Option<Domain>,
    /// What is read.
    pub source: Source,
    /// Where the stack writes.
    pub destination: Destination,
    /// Which records are kept; all where there is none.
    pub filter: Option<EventFilter>,
    /// How the source writes its times.
    pub timestamp_format: TimestampFormat,
    /// The columns of the output, in order.
    pub fields: Vec<Field>,
    /// What was decided on the way and a person should know: fields left out, advice.
    pub notes: Vec<String>,
}

/// What is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The bucket; empty on one's own machine.
    pub bucket: String,
    /// The folder, without slashes around it.
    pub prefix: String,
    /// The Data Catalog database of the table.
    pub database: String,
    /// The table.
    pub table: String,
    /// How the files are written.
    pub format: SourceFormat,
    /// Columns whose values come from the folders, outermost first.
    pub partition_keys: Vec<String>,
    /// How far archives are unpacked.
    #[serde(default)]
    pub limits: Limits,
}

/// Where the unpacking of compressed files ends, so that a hostile one does no harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Content may be that many times as large as its file; what is below 256 MiB may be more.
    pub expansion: u64,
    /// Archives may hold archives to that depth.
    pub nesting: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { expansion: 250, nesting: 3 }
    }
}

/// How a source's files are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "classification", rename_all = "snake_case")]
pub enum SourceFormat {
    /// JSON objects: one per line, run together, over several lines or in an array.
    Json,
    /// Delimited text.
    Csv(CsvFormat),
    /// Apache Parquet.
    Parquet,
    /// Apache ORC.
    Orc,
    /// Avro object container files.
    Avro,
    /// The elements of one name are the records.
    Xml {
        /// The name.
        row_tag: String,
    },
    /// Amazon Ion, as text or binary: the structs at the top are the records.
    Ion,
    /// Binary JSON: documents run together.
    Bson,
    /// Log lines that a grok pattern takes apart.
    Grok(GrokFormat),
}

/// How log lines are taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrokFormat {
    /// The pattern of a line: `%{IP:client} %{WORD:verb}`.
    pub pattern: String,
    /// Patterns that it may use beside the usual ones, a line each: `NAME expression`.
    #[serde(default)]
    pub custom_patterns: String,
}

/// A dialect of delimited text, quoted as RFC 4180 says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CsvFormat {
    /// The one-byte delimiter.
    pub delimiter: char,
    /// The one-byte quote.
    pub quote: char,
    /// Whether the first row of each file names the columns.
    pub header: bool,
    /// Lines at the beginning of each file that are no rows, the header not among them.
    #[serde(default)]
    pub skipped_lines: u64,
    /// The columns in order; where there is a header, the file's own order counts.
    pub columns: Vec<String>,
}

/// Where the stack writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destination {
    /// The bucket; empty on one's own machine.
    pub bucket: String,
    /// The bulk job's folder.
    pub prefix: String,
    /// The folder of incremental CSVs.
    pub incremental_prefix: String,
    /// The folder of rejected records.
    pub rejected_prefix: String,
    /// How many files the bulk job writes.
    pub files: OutputFiles,
}

impl Destination {
    /// The URL of a folder of the bucket, which is called `DESTINATION_BUCKET` where none is known.
    pub(crate) fn url(&self, prefix: &str) -> String {
        let bucket = if self.bucket.is_empty() { "DESTINATION_BUCKET" } else { &self.bucket };
        let slash = if prefix.is_empty() { "" } else { "/" };
        format!("s3://{bucket}/{prefix}{slash}")
    }
}

/// Keeps the records of some event types.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventFilter {
    /// Where a record's event type is.
    pub source: FieldSource,
    /// The event types kept, compared exactly.
    pub event_types: Vec<String>,
}

/// One column of the output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// The name in header and schema.
    pub name: String,
    /// Where its value comes from.
    pub source: FieldSource,
    /// How the value is made.
    pub conversion: Conversion,
    /// Whether a cell may be empty; where not, a record without a value is rejected.
    pub nullable: bool,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldSource {
    /// From inside the record.
    Path(SourcePath),
    /// From the object's folder.
    PartitionKey(String),
}

/// Why a text is no usable plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanTextError {
    /// The text is no JSON, or JSON of another shape.
    #[error("this is no conversion plan: {0}")]
    Shape(#[from] serde_json::Error),
    /// Its CSV delimiter or quote is more than one byte.
    #[error("the plan's delimiter `{0}` and quote `{1}` must be one ASCII character each")]
    CsvCharacter(char, char),
    /// Another version wrote it.
    #[error(
        "this plan has version {found}, and this program reads version {PLAN_VERSION}; \
         make it again with `generate`"
    )]
    Version {
        /// The version that the plan has.
        found: u32,
    },
}

impl ConversionPlan {
    /// Reads `plan.json`.
    ///
    /// # Errors
    ///
    /// [`PlanTextError`] if it is something else, or of another version.
    pub fn from_json(text: &str) -> Result<Self, PlanTextError> {
        #[derive(Deserialize)]
        struct Version {
            plan_version: u32,
        }
        let Version { plan_version } = serde_json::from_str(text)?;
        if plan_version != PLAN_VERSION {
            return Err(PlanTextError::Version { found: plan_version });
        }
        let plan: Self = serde_json::from_str(text)?;
        match &plan.source.format {
            SourceFormat::Csv(csv) if !(csv.delimiter.is_ascii() && csv.quote.is_ascii()) => {
                Err(PlanTextError::CsvCharacter(csv.delimiter, csv.quote))
            }
            _ => Ok(plan),
        }
    }

    /// The array that becomes one row per element, if there is one.
    pub fn exploded_array(&self) -> Option<SourcePath> {
        self.sources().find_map(|source| match source {
            FieldSource::Path(path) => path.exploded_array(),
            FieldSource::PartitionKey(_) => None,
        })
    }

    /// Every source that the plan reads: the fields' in order, then the filter's.
    pub fn sources(&self) -> impl Iterator<Item = &FieldSource> {
        self.fields
            .iter()
            .map(|field| &field.source)
            .chain(self.filter.iter().map(|filter| &filter.source))
    }
}

impl FieldSource {
    /// The path inside the record, if the value comes from there.
    pub fn path(&self) -> Option<&SourcePath> {
        match self {
            Self::Path(path) => Some(path),
            Self::PartitionKey(_) => None,
        }
    }
}
