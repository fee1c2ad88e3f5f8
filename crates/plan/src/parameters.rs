//! The parameters: one set of names for the stack, the command line and samconfig.toml.

use serde::{Deserialize, Serialize};

use crate::conversion::Conversion;
use crate::dataset::{Dataset, Domain};
use crate::nearest::nearest;
use crate::path::{PathError, SourcePath};
use crate::plan::Limits;
use crate::timestamp_format::{TimestampFormat, TimestampFormatError};

/// A parameter's name, default and meaning.
#[derive(Debug, Clone, Copy)]
pub struct ParameterInfo {
    /// The name, as in the template.
    pub name: &'static str,
    /// The value where none is given.
    pub default: &'static str,
    /// What it means, in a line.
    pub description: &'static str,
}

macro_rules! parameters {
    ($($name:literal = $default:literal: $description:literal;)*) => {
        /// Every parameter.
        pub const PARAMETERS: &[ParameterInfo] = &[
            $(ParameterInfo { name: $name, default: $default, description: $description },)*
        ];
    };
}

parameters! {
    "SourceBucketName" = "": "bucket that holds the raw data";
    "SourceDataPrefix" = "/source": "folder of the raw data";
    "DestinationBucketName" = "": "bucket for the converted data";
    "DestinationDataPrefix" = "/converted": "folder for the bulk job's CSV";
    "IncrementalDataPrefix" = "/incremental": "folder for the CSVs of newly arrived objects";
    "RejectedDataPrefix" = "/rejected": "folder for records that could not be converted";
    "TableName" = "source": "table that the crawler makes of the raw data";
    "PersonalizeDatasetName" = "Interactions": "Interactions, Users, Items, Actions or ActionInteractions";
    "PersonalizeDomain" = "": "empty for a custom dataset group, ECOMMERCE or VIDEO_ON_DEMAND";
    "SourceColumnUserId" = "user_id": "where the user's identifier is";
    "SourceColumnItemId" = "item_id": "where the item's (or action's) identifier is";
    "SourceColumnEventType" = "event_type": "where the event type is";
    "SourceColumnEventValue" = "event_value": "where the event's value is";
    "SourceColumnTimestamp" = "timestamp": "where the event's time is";
    "DestinationColumnUserId" = "USER_ID": "its name in the CSV; empty leaves it out";
    "DestinationColumnItemId" = "ITEM_ID": "its name in the CSV; empty leaves it out";
    "DestinationColumnEventType" = "EVENT_TYPE": "its name in the CSV; empty leaves it out";
    "DestinationColumnEventValue" = "EVENT_VALUE": "its name in the CSV; empty leaves it out";
    "DestinationColumnTimestamp" = "TIMESTAMP": "its name in the CSV; empty leaves it out";
    "EventTypes" = "": "comma-separated event types to keep; empty keeps all";
    "AdditionalColumns" = "": "more columns: source.path:DESTINATION:type:categorical, comma-separated";
    "TimestampFormat" = "auto": "auto, seconds, milliseconds, microseconds, nanoseconds or a pattern";
    "MaximumExpansion" = "250": "times its own size that a compressed file may unpack to";
    "MaximumNesting" = "3": "how deep archives may lie in archives";
    "OutputFiles" = "single": "bulk job: single or many CSV files";
    "CrawlerSchedule" = "": "cron expression of the crawler's runs";
    "ConversionSchedule" = "": "cron expression of the bulk job's runs";
    "NotificationEmail" = "": "address that gets the stack's alarms";
    "KmsKeyArn" = "": "KMS key that the buckets are encrypted with";
    "Architecture" = "arm64": "processor of the functions: arm64 or x86_64";
}

/// The parameters that say what to convert and how, each read and checked by itself.
///
/// What can only be checked against the table is checked in [`crate::resolve`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters {
    /// `SourceBucketName`
    pub source_bucket: String,
    /// `SourceDataPrefix`, without slashes around it
    pub source_prefix: String,
    /// `DestinationBucketName`
    pub destination_bucket: String,
    /// `DestinationDataPrefix`, without slashes around it
    pub destination_prefix: String,
    /// `IncrementalDataPrefix`, without slashes around it
    pub incremental_prefix: String,
    /// `RejectedDataPrefix`, without slashes around it
    pub rejected_prefix: String,
    /// `TableName`
    pub table: String,
    /// `PersonalizeDatasetName`
    pub dataset: Dataset,
    /// `PersonalizeDomain`
    pub domain: Option<Domain>,
    /// `SourceColumn…` and `DestinationColumn…`
    pub user_id: ColumnMapping,
    /// The same for the item or action
    pub item_id: ColumnMapping,
    /// The same for the event type
    pub event_type: ColumnMapping,
    /// The same for the event's value
    pub event_value: ColumnMapping,
    /// The same for the time
    pub timestamp: ColumnMapping,
    /// `EventTypes`
    pub event_types: Vec<String>,
    /// `AdditionalColumns`
    pub additional_columns: Vec<AdditionalColumn>,
    /// `TimestampFormat`
    pub timestamp_format: TimestampFormat,
    /// `MaximumExpansion` and `MaximumNesting`
    pub limits: Limits,
    /// `OutputFiles`
    pub output_files: OutputFiles,
}

/// One pair of `SourceColumn…` and `DestinationColumn…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnMapping {
    /// The parameter that gave the source.
    pub parameter: &'static str,
    /// The source as given; empty leaves the column out.
    pub source: String,
    /// Whether the source is the parameter's default.
    pub is_default: bool,
    /// The name in the CSV; empty leaves the column out.
    pub destination: String,
}

/// One entry of `AdditionalColumns`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdditionalColumn {
    /// The source as given.
    pub source: String,
    /// The name in the CSV.
    pub destination: String,
    /// The conversion asked for; where none is, the table's type decides.
    pub conversion: Option<Conversion>,
}

/// How many files the bulk job writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputFiles {
    /// One
    Single,
    /// One per Spark partition
    Many,
}

/// Why parameters cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// No parameter has that name.
    #[error("there is no parameter {name}{}", did_you_mean(*.nearest))]
    Unknown {
        /// The name as given.
        name: String,
        /// The parameter with the most similar name.
        nearest: Option<&'static str>,
    },
    /// The value is none of those allowed.
    #[error("{name} is `{value}`; it can be {allowed}")]
    NotAllowed {
        /// The parameter.
        name: &'static str,
        /// The value as given.
        value: String,
        /// The allowed values in words.
        allowed: &'static str,
    },
    /// `TimestampFormat` cannot be read.
    #[error("TimestampFormat: {0}")]
    TimestampFormat(#[from] TimestampFormatError),
    /// An entry of `AdditionalColumns` cannot be read.
    #[error(
        "AdditionalColumns has `{entry}`: {fault}; write source.path:DESTINATION:type, with \
         :categorical or :textual behind it for a string"
    )]
    AdditionalColumn {
        /// The entry as given.
        entry: String,
        /// What is wrong with it.
        fault: String,
    },
    /// A list has a quote that is not closed.
    #[error("{name} is `{value}`: a closing quote is missing")]
    UnclosedQuote {
        /// The parameter.
        name: &'static str,
        /// The value as given.
        value: String,
    },
}

fn did_you_mean(name: Option<&str>) -> String {
    name.map(|name| format!("; did you mean {name}?")).unwrap_or_default()
}

impl Parameters {
    /// Reads parameters from `(name, value)` pairs; of a name given twice the last value counts.
    ///
    /// # Errors
    ///
    /// [`ParameterError`] for an unknown name or a value that cannot be read.
    pub fn from_pairs<N: AsRef<str>, V: AsRef<str>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, ParameterError> {
        let mut values: Vec<String> = PARAMETERS.iter().map(|p| p.default.to_owned()).collect();
        for (name, value) in pairs {
            let name = name.as_ref();
            let at = PARAMETERS.iter().position(|p| p.name == name).ok_or_else(|| {
                let names = PARAMETERS.iter().map(|p| p.name);
                ParameterError::Unknown { name: name.to_owned(), nearest: nearest(name, names) }
            })?;
            values[at] = value.as_ref().trim().to_owned();
        }
        let value = |name: &str| -> &str {
            let at = PARAMETERS.iter().position(|p| p.name == name);
            at.map_or("", |at| values[at].as_str())
        };
        let mapping = |parameter: &'static str, destination| ColumnMapping {
            parameter,
            source: value(parameter).to_owned(),
            is_default: PARAMETERS
                .iter()
                .any(|p| p.name == parameter && p.default == value(parameter)),
            destination: value(destination).to_owned(),
        };
        let prefix = |name| value(name).trim_matches('/').to_owned();
        let not_allowed = |name: &'static str, allowed| ParameterError::NotAllowed {
            name,
            value: value(name).to_owned(),
            allowed,
        };
        Ok(Self {
            source_bucket: value("SourceBucketName").to_owned(),
            source_prefix: prefix("SourceDataPrefix"),
            destination_bucket: value("DestinationBucketName").to_owned(),
            destination_prefix: prefix("DestinationDataPrefix"),
            incremental_prefix: prefix("IncrementalDataPrefix"),
            rejected_prefix: prefix("RejectedDataPrefix"),
            table: value("TableName").to_owned(),
            dataset: Dataset::from_name(value("PersonalizeDatasetName")).ok_or_else(|| {
                not_allowed(
                    "PersonalizeDatasetName",
                    "Interactions, Users, Items, Actions or ActionInteractions",
                )
            })?,
            domain: match value("PersonalizeDomain") {
                "" => None,
                name => Some(Domain::from_name(name).ok_or_else(|| {
                    not_allowed("PersonalizeDomain", "empty, ECOMMERCE or VIDEO_ON_DEMAND")
                })?),
            },
            user_id: mapping("SourceColumnUserId", "DestinationColumnUserId"),
            item_id: mapping("SourceColumnItemId", "DestinationColumnItemId"),
            event_type: mapping("SourceColumnEventType", "DestinationColumnEventType"),
            event_value: mapping("SourceColumnEventValue", "DestinationColumnEventValue"),
            timestamp: mapping("SourceColumnTimestamp", "DestinationColumnTimestamp"),
            event_types: split_outside_quotes("EventTypes", value("EventTypes"), ',')?
                .iter()
                .map(|entry| unquoted(entry))
                .collect(),
            additional_columns: split_outside_quotes(
                "AdditionalColumns",
                value("AdditionalColumns"),
                ',',
            )?
            .iter()
            .map(|entry| additional_column(entry))
            .collect::<Result<_, _>>()?,
            timestamp_format: value("TimestampFormat").parse()?,
            limits: Limits {
                expansion: positive(value("MaximumExpansion"))
                    .ok_or_else(|| not_allowed("MaximumExpansion", "a whole number from 1 on"))?,
                nesting: positive(value("MaximumNesting"))
                    .filter(|levels| *levels <= MOST_NESTING)
                    .ok_or_else(|| not_allowed("MaximumNesting", "a whole number from 1 to 16"))?,
            },
            output_files: match value("OutputFiles").to_ascii_lowercase().as_str() {
                "single" => OutputFiles::Single,
                "many" => OutputFiles::Many,
                _ => return Err(not_allowed("OutputFiles", "single or many")),
            },
        })
    }
}

impl Parameters {
    /// The columns that the parameters ask for, as far as they are top-level names.
    pub fn source_columns(&self) -> Vec<String> {
        let Self { user_id, item_id, event_type, event_value, timestamp, .. } = self;
        let mapped = [user_id, item_id, event_type, event_value, timestamp].map(|m| &m.source);
        let additional = self.additional_columns.iter().map(|column| &column.source);
        let paths = mapped.into_iter().chain(additional).filter_map(|source| source.parse().ok());
        paths.map(|path: SourcePath| path.first_name().to_owned()).collect()
    }
}

impl Default for Parameters {
    fn default() -> Self {
        let none: [(&str, &str); 0] = [];
        Self::from_pairs(none).unwrap_or_else(|_| unreachable!("the defaults are valid"))
    }
}

/// Each level costs the memory of a decoder.
const MOST_NESTING: u64 = 16;

fn positive(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number| *number > 0)
}

fn additional_column(entry: &str) -> Result<AdditionalColumn, ParameterError> {
    let fail = |fault: String| ParameterError::AdditionalColumn { entry: entry.to_owned(), fault };
    let parts = split_outside_quotes("AdditionalColumns", entry, ':')?;
    let part = |at: usize| parts.get(at).map_or("", |part| part.as_str());
    if parts.len() > 4 {
        return Err(fail("it has more than four parts".into()));
    }
    let path: SourcePath = part(0).parse().map_err(|fault: PathError| fail(fault.to_string()))?;
    let destination = match part(1) {
        "" => upper_snake(path.last_name()),
        name => name.to_owned(),
    };
    let conversion = conversion(part(2), part(3)).map_err(fail)?;
    Ok(AdditionalColumn { source: part(0).to_owned(), destination, conversion })
}

/// The conversion of a type and an attribute as written in `AdditionalColumns`.
fn conversion(type_name: &str, attribute: &str) -> Result<Option<Conversion>, String> {
    let conversion = match type_name.to_ascii_lowercase().as_str() {
        "" => None,
        "string" => Some(Conversion::Text),
        "categorical" => Some(Conversion::Categorical),
        "textual" => Some(Conversion::Textual),
        "boolean" => Some(Conversion::Boolean),
        "timestamp" => Some(Conversion::EpochSeconds),
        "float" => Some(Conversion::Float),
        "double" => Some(Conversion::Double),
        "int" => Some(Conversion::Int),
        "long" | "bigint" => Some(Conversion::Long),
        _ => {
            return Err(format!(
                "`{type_name}` is no type; it can be string, float, double, int, long, boolean \
                 or timestamp"
            ));
        }
    };
    match (attribute.to_ascii_lowercase().as_str(), conversion) {
        ("", conversion) => Ok(conversion),
        ("categorical", None | Some(Conversion::Text | Conversion::Categorical)) => {
            Ok(Some(Conversion::Categorical))
        }
        ("categorical", Some(Conversion::Boolean)) => Ok(Some(Conversion::Boolean)),
        ("textual", None | Some(Conversion::Text | Conversion::Textual)) => {
            Ok(Some(Conversion::Textual))
        }
        ("categorical" | "textual", Some(_)) => {
            Err(format!("only a string can be {attribute}, not {type_name}"))
        }
        _ => Err(format!("`{attribute}` is neither categorical nor textual")),
    }
}

/// Splits at `separator` where it is not inside backticks or double quotes; drops empty entries
/// at commas.
fn split_outside_quotes(
    name: &'static str,
    text: &str,
    separator: char,
) -> Result<Vec<String>, ParameterError> {
    let mut parts = Vec::new();
    let mut part = String::new();
    let mut quote = None;
    let mut closed = None;
    for c in text.chars() {
        // A doubled quote goes on with the quoted text.
        if closed.take() == Some(c) {
            quote = Some(c);
            part.push(c);
            continue;
        }
        // A quote opens where a name begins; elsewhere it is a character like any other.
        let begins = part.trim_start().is_empty() || part.ends_with('.');
        match quote {
            None if c == separator => {
                parts.push(std::mem::take(&mut part));
                continue;
            }
            None if begins && matches!(c, '`' | '"') => quote = Some(c),
            Some(open) if c == open => {
                quote = None;
                closed = Some(c);
            }
            _ => {}
        }
        part.push(c);
    }
    parts.push(part);
    if quote.is_some() {
        return Err(ParameterError::UnclosedQuote { name, value: text.to_owned() });
    }
    let mut parts: Vec<String> = parts.iter().map(|part| part.trim().to_owned()).collect();
    if separator == ',' {
        parts.retain(|part| !part.is_empty());
    }
    Ok(parts)
}

/// An entry without the quotes that let it hold a comma.
fn unquoted(entry: &str) -> String {
    for quote in ['"', '`'] {
        let inner = entry.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
        if let Some(inner) = inner {
            return inner.replace(&format!("{quote}{quote}"), &quote.to_string());
        }
    }
    entry.to_owned()
}

/// `productCategory`, `product-category` and `Product Category` as `PRODUCT_CATEGORY`.
pub(crate) fn upper_snake(name: &str) -> String {
    let mut out = String::new();
    let mut after_lower = false;
    for c in name.chars() {
        if !c.is_ascii_alphanumeric() {
            if !out.is_empty() && !out.ends_with('_') {
                out.push('_');
            }
            after_lower = false;
            continue;
        }
        if c.is_ascii_uppercase() && after_lower {
            out.push('_');
        }
        after_lower = c.is_ascii_lowercase() || c.is_ascii_digit();
        out.push(c.to_ascii_uppercase());
    }
    let out = out.trim_end_matches('_');
    if out.starts_with(|c: char| c.is_ascii_digit()) { format!("_{out}") } else { out.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Parameters, ParameterError> {
        Parameters::from_pairs(pairs.iter().copied())
    }

    #[test]
    fn defaults_are_those_of_the_template() {
        let parameters = Parameters::default();
        assert_eq!(parameters.user_id.source, "user_id");
        assert!(parameters.user_id.is_default);
        assert_eq!(parameters.source_prefix, "source");
        assert_eq!(parameters.dataset, Dataset::Interactions);
    }

    #[test]
    fn an_unknown_name_gets_a_suggestion() {
        let fault = read(&[("SourceColumnUser", "x")]).unwrap_err().to_string();
        assert_eq!(
            fault,
            "there is no parameter SourceColumnUser; did you mean SourceColumnUserId?"
        );
    }

    #[test]
    fn singular_dataset_names_still_work() {
        let parameters = read(&[("PersonalizeDatasetName", "Item")]).unwrap();
        assert_eq!(parameters.dataset, Dataset::Items);
        assert!(read(&[("PersonalizeDatasetName", "Things")]).is_err());
    }

    #[test]
    fn event_types_may_hold_commas_in_quotes() {
        let parameters =
            read(&[("EventTypes", r#"View, "Buy, Now" ,,Like,"say ""hi"", now",5" pipe"#)])
                .unwrap();
        let expected = ["View", "Buy, Now", "Like", r#"say "hi", now"#, r#"5" pipe"#];
        assert_eq!(parameters.event_types, expected);
    }

    #[test]
    fn additional_columns_take_one_to_four_parts() {
        let parameters = read(&[(
            "AdditionalColumns",
            "properties.brandName, price:PRICE:float, tags:TAGS:string:categorical, \
             `a:b`:AB:textual",
        )])
        .unwrap();
        let found: Vec<_> = parameters
            .additional_columns
            .iter()
            .map(|c| (c.source.as_str(), c.destination.as_str(), c.conversion))
            .collect();
        assert_eq!(
            found,
            [
                ("properties.brandName", "BRAND_NAME", None),
                ("price", "PRICE", Some(Conversion::Float)),
                ("tags", "TAGS", Some(Conversion::Categorical)),
                ("`a:b`", "AB", Some(Conversion::Textual)),
            ]
        );
        for entry in ["a:B:money", "a:B:float:categorical", "a:B:string:x", "a:B:C:D:E", ":B"] {
            assert!(read(&[("AdditionalColumns", entry)]).is_err(), "{entry}");
        }
    }

    #[test]
    fn names_become_upper_snake() {
        for (name, expected) in [
            ("productCategory", "PRODUCT_CATEGORY"),
            ("Product Category", "PRODUCT_CATEGORY"),
            ("itemID", "ITEM_ID"),
            ("l2-genre", "L2_GENRE"),
            ("2nd", "_2ND"),
            ("price_", "PRICE"),
        ] {
            assert_eq!(upper_snake(name), expected);
        }
    }
}
