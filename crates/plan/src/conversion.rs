//! What is done to a source value to make a cell of it.

use serde::{Deserialize, Serialize};

/// How a cell's value is made, and with it the field's Avro type and attribute.
///
/// The rules themselves (what counts as a number, how arrays are joined) are in the design page,
/// "What a record becomes"; every engine follows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conversion {
    /// A user, item or action identifier: text of 1 to 256 characters.
    Identifier,
    /// The event type: text of 1 to 256 characters.
    EventType,
    /// Text on one line that is imported, but not trained on.
    Text,
    /// Values joined with `|`, not trained on as metadata: `IMPRESSION`.
    List,
    /// A categorical value, or several joined with `|`.
    Categorical,
    /// Unstructured text for natural language processing; always quoted.
    Textual,
    /// `True` or `False` as a categorical value, since Personalize never trains on booleans.
    Boolean,
    /// Whole seconds since 1970-01-01 UTC.
    EpochSeconds,
    /// A 32-bit floating point number.
    Float,
    /// A 64-bit floating point number.
    Double,
    /// A whole number of 32 bits.
    Int,
    /// A whole number of 64 bits.
    Long,
}

impl Conversion {
    /// The type in the Avro schema.
    pub fn avro_type(self) -> &'static str {
        match self {
            Self::Identifier
            | Self::EventType
            | Self::Text
            | Self::List
            | Self::Categorical
            | Self::Textual
            | Self::Boolean => "string",
            Self::EpochSeconds | Self::Long => "long",
            Self::Float => "float",
            Self::Double => "double",
            Self::Int => "int",
        }
    }

    /// Whether the schema marks the field `"categorical": true`.
    pub fn is_categorical(self) -> bool {
        matches!(self, Self::Categorical | Self::Boolean)
    }

    /// Whether the schema marks the field `"textual": true`.
    pub fn is_textual(self) -> bool {
        self == Self::Textual
    }

    /// Whether an array of scalars may be the source; it is joined with `|`.
    pub fn takes_arrays(self) -> bool {
        matches!(self, Self::List | Self::Categorical)
    }

    /// The most characters that Personalize takes in such a cell; more fails the import.
    ///
    /// Sources: Personalize developer guide, "limits" (identifiers 256, categorical values and
    /// impressions 1,000); `EventType` in the API model (256). Textual values are cut by the
    /// service and never refused.
    pub fn max_characters(self) -> Option<usize> {
        match self {
            Self::Identifier | Self::EventType => Some(256),
            Self::Text | Self::List | Self::Categorical => Some(1000),
            _ => None,
        }
    }
}
