//! Why no plan can be made of parameters and a table.

use crate::dataset::Dataset;
use crate::path::PathError;

/// A column that a parameter asks for and the source does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{parameter} asks for `{asked}`, but {place} has no `{missing}`{}; it has {}",
    nearest.as_ref().map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default(),
    listed(available)
)]
pub struct MissingColumn {
    /// The parameter that asked.
    pub parameter: String,
    /// The whole path asked for.
    pub asked: String,
    /// The name that is not there.
    pub missing: String,
    /// Where it was looked for: the table, or a struct in it.
    pub place: String,
    /// The names that are there.
    pub available: Vec<String>,
    /// The most similar of them.
    pub nearest: Option<String>,
}

/// Why no plan can be made. Each text names the parameter, the rule and the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A path has a fault in its writing.
    #[error("{parameter}: {fault}")]
    Path {
        /// The parameter that holds the path.
        parameter: String,
        /// What is wrong with it.
        fault: PathError,
    },
    /// The source has no such column.
    #[error(transparent)]
    MissingColumn(#[from] Box<MissingColumn>),
    /// A path goes into an array without saying which element.
    #[error(
        "{parameter} asks for `{asked}`, but `{array}` is an array; write `{each}` for a row per \
         element or `{first}` for the first element"
    )]
    ThroughArray {
        /// The parameter that asked.
        parameter: String,
        /// The whole path asked for.
        asked: String,
        /// The array on the way.
        array: String,
        /// The path with `[]`.
        each: String,
        /// The path with `[0]`.
        first: String,
    },
    /// A path goes into something that has no members or elements.
    #[error("{parameter} asks for `{asked}`, but `{outer}` is {found}, which has {lacks}")]
    NotInside {
        /// The parameter that asked.
        parameter: String,
        /// The whole path asked for.
        asked: String,
        /// The value that the path goes into.
        outer: String,
        /// Its type.
        found: String,
        /// What it has not: members or elements.
        lacks: &'static str,
    },
    /// The column's type cannot become the field's.
    #[error("{parameter} gives `{path}` ({found}) to {field}, which takes {takes}")]
    WrongSourceType {
        /// The parameter that asked.
        parameter: String,
        /// The column.
        path: String,
        /// The column's type.
        found: String,
        /// The field of the output.
        field: String,
        /// What the field takes.
        takes: String,
    },
    /// The dataset requires a field that nothing fills.
    #[error("Personalize requires {field} in {place}, and nothing fills it: {remedy}")]
    MissingField {
        /// The required field.
        field: &'static str,
        /// The dataset and domain, in words.
        place: String,
        /// What to do.
        remedy: String,
    },
    /// Two output columns have the same name.
    #[error(
        "two columns would be named `{first}` and `{second}`; Personalize compares column names \
         ignoring underscores, so one needs another name"
    )]
    Collision {
        /// The earlier name.
        first: String,
        /// The later name.
        second: String,
    },
    /// A reserved field has one type only.
    #[error("AdditionalColumns makes {field} a {asked}; Personalize reserves it as {expected}")]
    ReservedType {
        /// The reserved field.
        field: String,
        /// The type asked for.
        asked: String,
        /// The one type allowed.
        expected: String,
    },
    /// A name that Personalize does not take.
    #[error(
        "`{0}` cannot be a column: a name starts with a letter or underscore, goes on with \
         letters, digits and underscores, and has at most 150 characters"
    )]
    BadName(String),
    /// More own fields than the dataset takes.
    #[error(
        "{dataset} takes at most {limit} metadata fields (fields that are neither required nor \
         reserved), and {} are asked for: {}",
        fields.len(),
        fields.join(", ")
    )]
    TooManyMetadata {
        /// The dataset.
        dataset: Dataset,
        /// The most it takes.
        limit: usize,
        /// The fields asked for.
        fields: Vec<String>,
    },
    /// A dataset of users, items or actions with nothing but identifiers.
    #[error(
        "{dataset} needs at least one metadata field beside the identifier (categorical text or a \
         number); name one in AdditionalColumns"
    )]
    NoMetadata {
        /// The dataset.
        dataset: Dataset,
    },
    /// Textual fields are for items, one at most.
    #[error("{}: Personalize takes textual fields in Items only, and one at most", fields.join(", "))]
    Textual {
        /// The textual fields asked for.
        fields: Vec<String>,
    },
    /// The rule of ten.
    #[error(
        "event types ({event_types}), EVENT_TYPE, EVENT_VALUE and metadata fields together may be \
         at most 10 in interactions, and here they are {total}; keep fewer EventTypes or columns"
    )]
    RuleOfTen {
        /// How many event types are kept.
        event_types: usize,
        /// The sum.
        total: usize,
    },
    /// Two arrays would be exploded.
    #[error(
        "`{first}[]` and `{second}[]` would both be exploded; only one array can become rows, \
         take an element such as `{second}[0]` of the other"
    )]
    TwoExplodedArrays {
        /// The first array.
        first: String,
        /// The second array.
        second: String,
    },
    /// Event types are to be kept, but none are mapped.
    #[error(
        "EventTypes keeps some event types, but the source has no event type: \
         SourceColumnEventType asks for `{asked}`"
    )]
    NoEventType {
        /// The source of the event type.
        asked: String,
    },
    /// The dataset does not exist in domain dataset groups.
    #[error("{dataset} exists in custom dataset groups only; leave PersonalizeDomain empty")]
    NotInDomains {
        /// The dataset.
        dataset: Dataset,
    },
    /// CreateSchema takes a limited text.
    #[error("the schema has {characters} characters; Personalize takes at most 20,000")]
    SchemaTooLong {
        /// The schema's length.
        characters: usize,
    },
    /// Output would be read as input, or imported with other output.
    #[error("{inner} (`{inner_prefix}`) lies under {outer} (`{outer_prefix}`): {consequence}")]
    PrefixInside {
        /// The parameter of the inner folder.
        inner: &'static str,
        /// The inner folder.
        inner_prefix: String,
        /// The parameter of the outer folder.
        outer: &'static str,
        /// The outer folder.
        outer_prefix: String,
        /// What would happen.
        consequence: &'static str,
    },
    /// The table's format is not read.
    #[error(
        "table `{table}` is classified as {classification}; this program reads json, csv, parquet, \
         orc, avro, xml, ion, bson and logs with a grok pattern"
    )]
    Format {
        /// The table.
        table: String,
        /// Its classification.
        classification: String,
    },
    /// What the table says of its header is no number.
    #[error("table `{table}` has skip.header.line.count `{count}`, which is no number of lines")]
    HeaderLines {
        /// The table.
        table: String,
        /// The value.
        count: String,
    },
    /// The table does not say something without which its files cannot be read.
    #[error(
        "table `{table}` has no parameter `{parameter}`, without which its files cannot be read;          a crawler writes it where its custom classifier has one"
    )]
    MissingTableParameter {
        /// The table.
        table: String,
        /// The parameter.
        parameter: &'static str,
    },
    /// The table's delimiter or quote is not one byte.
    #[error("table `{table}` has the {what} `{value}`, which is not one ASCII character")]
    CsvCharacter {
        /// The table.
        table: String,
        /// Delimiter or quote.
        what: &'static str,
        /// The value.
        value: String,
    },
}

/// Names in backticks, joined by commas, cut where there are very many.
fn listed(names: &[String]) -> String {
    const MOST: usize = 40;
    let mut text: Vec<String> = names.iter().take(MOST).map(|name| format!("`{name}`")).collect();
    if names.len() > MOST {
        text.push(format!("and {} more", names.len() - MOST));
    }
    if text.is_empty() { "no columns".into() } else { text.join(", ") }
}
