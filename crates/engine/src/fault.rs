//! What can be wrong with one record.

use std::borrow::Cow;
use std::fmt;

use crate::json::{self, Stop};

/// Why a record is set aside. The record's fault alone: the next record is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RecordFault {
    /// The bytes are not JSON.
    Json(&'static str),
    /// Valid JSON, but no object.
    NotAnObject,
    /// The file ends inside the record.
    Unfinished,
    /// The file ends inside a top-level array.
    UnclosedArray,
    /// A CSV quote is not closed, or text follows it.
    Quotes(&'static str),
    /// A CSV row has another number of cells than its header.
    Ragged { expected: usize, found: usize },
    /// The bytes are not XML.
    Xml(&'static str),
    /// A log's line is not as the table's pattern says.
    NoMatch,
    /// A log's line takes the pattern too many attempts.
    MatchLimit,
    /// The bytes are not UTF-8.
    NotUtf8,
    /// A BSON document's parts do not add up.
    Bson(&'static str),
    /// Values are nested deeper than any reader of JSON follows.
    TooDeep,
    /// A field cannot be made of the record.
    Field { field: usize, fault: CellFault },
}

/// Why no cell can be made of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CellFault {
    Missing,
    TooLong { most: usize },
    NotANumber,
    OutOfRange,
    NotWhole,
    NotATime,
    AmbiguousTime,
    NotABoolean,
    IsObject,
    IsArray,
    NestedInArray,
    LoneSurrogate,
    NotText,
    InexactTime,
}

impl From<Stop> for RecordFault {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::End => Self::Unfinished,
            Stop::Syntax(syntax) => Self::Json(syntax.fault),
        }
    }
}

impl RecordFault {
    /// The fault in one word, for counting; faults of a field carry its name.
    pub(crate) fn code(&self, field_names: &[String]) -> Cow<'static, str> {
        match self {
            Self::Json(_) => "malformed_json".into(),
            Self::NotAnObject => "not_an_object".into(),
            Self::Unfinished => "unfinished_record".into(),
            Self::UnclosedArray => "unclosed_array".into(),
            Self::Quotes(_) => "malformed_csv".into(),
            Self::Ragged { .. } => "ragged_row".into(),
            Self::Xml(_) => "malformed_xml".into(),
            Self::NoMatch => "no_match".into(),
            Self::MatchLimit => "match_limit".into(),
            Self::NotUtf8 => "not_utf8".into(),
            Self::Bson(_) => "malformed_bson".into(),
            Self::TooDeep => "nested_too_deep".into(),
            Self::Field { field, fault } => {
                let name = field_names.get(*field).map_or("", String::as_str);
                format!("{}_{name}", fault.code()).into()
            }
        }
    }

    /// The fault in words, with what to do where that is not plain.
    pub(crate) fn message(&self, field_names: &[String]) -> String {
        match self {
            Self::Json(fault) => format!("not JSON: {fault}"),
            Self::NotAnObject => "a JSON value, but no object".into(),
            Self::Unfinished => "the file ends inside this record".into(),
            Self::UnclosedArray => "the file ends before the `]` of its array".into(),
            Self::Quotes(fault) => (*fault).into(),
            Self::Ragged { expected, found } => {
                format!("{found} cells where {expected} were expected")
            }
            Self::Xml(fault) => format!("not XML: {fault}"),
            Self::NoMatch => "does not match the table's grok pattern".into(),
            Self::MatchLimit => {
                "takes the table's grok pattern too many attempts; make the pattern stricter".into()
            }
            Self::NotUtf8 => "not UTF-8; convert the file from its encoding first".into(),
            Self::Bson(fault) => format!("not BSON: {fault}"),
            Self::TooDeep => format!("nested deeper than {} levels", json::MAX_DEPTH),
            Self::Field { field, fault } => {
                format!("{} {fault}", field_names.get(*field).map_or("", String::as_str))
            }
        }
    }
}

impl CellFault {
    fn code(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::TooLong { .. } => "too_long",
            Self::NotANumber => "not_a_number",
            Self::OutOfRange => "out_of_range",
            Self::NotWhole => "not_whole",
            Self::NotATime => "not_a_time",
            Self::AmbiguousTime => "ambiguous_time",
            Self::NotABoolean => "not_a_boolean",
            Self::IsObject => "object_in",
            Self::IsArray => "array_in",
            Self::NestedInArray => "nested_array_in",
            Self::LoneSurrogate => "lone_surrogate_in",
            Self::NotText => "not_text",
            Self::InexactTime => "inexact_time",
        }
    }
}

impl fmt::Display for CellFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "is missing, null or blank",
            Self::TooLong { most } => return write!(f, "is longer than {most} characters"),
            Self::NotANumber => "is no number",
            Self::OutOfRange => "is out of its type's range",
            Self::NotWhole => "is no whole number",
            Self::NotATime => "is no time that TimestampFormat reads",
            Self::AmbiguousTime => {
                "could be a date or an epoch; set TimestampFormat to its pattern or unit"
            }
            Self::NotABoolean => "is neither true nor false",
            Self::IsObject => "is an object where one value was expected",
            Self::IsArray => "is an array where one value was expected",
            Self::NestedInArray => "is an array that holds arrays or objects",
            Self::LoneSurrogate => "holds half of a surrogate pair, which is no text",
            Self::NotText => "holds bytes that are no UTF-8 text",
            Self::InexactTime => {
                "is after 2037 in a zone of its own, whose summer time is not known for then"
            }
        })
    }
}
