//! Personalize's datasets: which fields each requires or reserves, and how many more it takes.
//!
//! Sources: Personalize developer guide, "custom-datasets-and-schemas",
//! "ECOMMERCE-datasets-and-schemas", "VIDEO-ON-DEMAND-datasets-and-schemas" and "limits".

use std::fmt;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::conversion::Conversion;

/// The five dataset types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Dataset {
    /// Item interactions
    Interactions,
    /// Users
    Users,
    /// Items
    Items,
    /// Actions, for Next-Best-Action
    Actions,
    /// Interactions with actions
    ActionInteractions,
}

/// The domain of a domain dataset group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Domain {
    /// `ECOMMERCE`
    #[serde(rename = "ECOMMERCE")]
    Ecommerce,
    /// `VIDEO_ON_DEMAND`
    #[serde(rename = "VIDEO_ON_DEMAND")]
    VideoOnDemand,
}

/// A field that Personalize knows by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldRule {
    /// The field's name.
    pub name: &'static str,
    /// Its one allowed type.
    pub conversion: Conversion,
    /// Whether the dataset must have it.
    pub required: bool,
    /// Whether its cells may be empty.
    pub nullable: bool,
}

impl Dataset {
    /// Every dataset type.
    pub const ALL: [Self; 5] =
        [Self::Interactions, Self::Users, Self::Items, Self::Actions, Self::ActionInteractions];

    /// The dataset of that name. The singular `User` and `Item` are understood as well.
    pub fn from_name(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "interactions" => Some(Self::Interactions),
            "users" | "user" => Some(Self::Users),
            "items" | "item" => Some(Self::Items),
            "actions" => Some(Self::Actions),
            "actioninteractions" | "action_interactions" => Some(Self::ActionInteractions),
            _ => None,
        }
    }

    /// The record name in the Avro schema.
    pub fn name(self) -> &'static str {
        match self {
            Self::Interactions => "Interactions",
            Self::Users => "Users",
            Self::Items => "Items",
            Self::Actions => "Actions",
            Self::ActionInteractions => "ActionInteractions",
        }
    }

    /// The fields that Personalize requires or reserves, required ones first.
    pub fn fields(self, domain: Option<Domain>) -> Vec<FieldRule> {
        use Conversion::{Categorical, EpochSeconds, Float, List, Long, Text, Textual};
        let mut fields = self.required(domain);
        match self {
            Self::Interactions => {
                if domain.is_none() {
                    fields.push(reserved("EVENT_TYPE", Conversion::EventType, false));
                }
                fields.push(reserved("EVENT_VALUE", Float, true));
                fields.push(reserved("IMPRESSION", List, true));
                fields.push(reserved("RECOMMENDATION_ID", Text, true));
                fields.push(reserved("EVENT_ATTRIBUTION_SOURCE", Text, true));
            }
            Self::Users => {
                if domain == Some(Domain::VideoOnDemand) {
                    fields.push(reserved("SUBSCRIPTION_MODEL", Categorical, true));
                }
            }
            Self::Items => match domain {
                None => fields.push(reserved("CREATION_TIMESTAMP", EpochSeconds, false)),
                Some(Domain::Ecommerce) => {
                    for name in ["CATEGORY_L2", "CATEGORY_L3", "AGE_GROUP", "ADULT", "GENDER"] {
                        fields.push(reserved(name, Categorical, true));
                    }
                    fields.push(reserved("PRODUCT_DESCRIPTION", Textual, true));
                    fields.push(reserved("CREATION_TIMESTAMP", EpochSeconds, false));
                }
                Some(Domain::VideoOnDemand) => {
                    for name in ["PRICE", "DURATION", "AVERAGE_RATING"] {
                        fields.push(reserved(name, Float, true));
                    }
                    for name in ["GENRE_L2", "GENRE_L3", "CONTENT_OWNER", "CONTENT_CLASSIFICATION"]
                    {
                        fields.push(reserved(name, Categorical, true));
                    }
                    fields.push(reserved("PRODUCT_DESCRIPTION", Textual, true));
                }
            },
            Self::Actions => {
                fields.push(reserved("CREATION_TIMESTAMP", EpochSeconds, false));
                fields.push(reserved("VALUE", Long, true));
                fields.push(reserved("TYPE", Text, true));
                fields.push(reserved("EXPIRATION_TIMESTAMP", EpochSeconds, true));
                fields.push(reserved("REPEAT_FREQUENCY", Long, true));
            }
            Self::ActionInteractions => {
                fields.push(reserved("IMPRESSION", List, true));
                fields.push(reserved("RECOMMENDATION_ID", Text, true));
            }
        }
        fields
    }

    /// What the dataset must have, in the order of the output's first columns.
    fn required(self, domain: Option<Domain>) -> Vec<FieldRule> {
        use Conversion::{Categorical, EpochSeconds, EventType, Float, Identifier};
        match self {
            Self::Interactions => {
                let mut fields =
                    vec![required("ITEM_ID", Identifier), required("USER_ID", Identifier)];
                if domain.is_some() {
                    fields.push(required("EVENT_TYPE", EventType));
                }
                fields.push(required("TIMESTAMP", EpochSeconds));
                fields
            }
            Self::Users => vec![required("USER_ID", Identifier)],
            Self::Items => {
                let mut fields = vec![required("ITEM_ID", Identifier)];
                match domain {
                    None => {}
                    Some(Domain::Ecommerce) => {
                        fields.push(required("PRICE", Float));
                        fields.push(required("CATEGORY_L1", Categorical));
                    }
                    Some(Domain::VideoOnDemand) => {
                        fields.push(required("GENRES", Categorical));
                        fields.push(required("CREATION_TIMESTAMP", EpochSeconds));
                    }
                }
                fields
            }
            Self::Actions => vec![required("ACTION_ID", Identifier)],
            Self::ActionInteractions => vec![
                required("ACTION_ID", Identifier),
                required("USER_ID", Identifier),
                required("EVENT_TYPE", EventType),
                required("TIMESTAMP", EpochSeconds),
            ],
        }
    }

    /// How many own (neither required nor reserved) fields the dataset takes.
    ///
    /// In a domain dataset group of items the required fields already are the minimum.
    pub fn metadata_limits(self, domain: Option<Domain>) -> RangeInclusive<usize> {
        match (self, domain) {
            (Self::Interactions | Self::ActionInteractions, _) => 0..=5,
            (Self::Users, _) => 1..=25,
            (Self::Items, None) => 1..=100,
            (Self::Items, Some(_)) => 0..=100,
            (Self::Actions, _) => 1..=10,
        }
    }

    /// Whether the dataset describes things (users, items, actions) rather than events.
    pub fn is_catalogue(self) -> bool {
        matches!(self, Self::Users | Self::Items | Self::Actions)
    }

    /// Whether the dataset exists in domain dataset groups.
    pub fn exists_in_domains(self) -> bool {
        matches!(self, Self::Interactions | Self::Users | Self::Items)
    }
}

impl fmt::Display for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Domain {
    /// The domain of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Ecommerce, Self::VideoOnDemand]
            .into_iter()
            .find(|domain| domain.name().eq_ignore_ascii_case(name))
    }

    /// The name that CreateSchema and CreateDatasetGroup take.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ecommerce => "ECOMMERCE",
            Self::VideoOnDemand => "VIDEO_ON_DEMAND",
        }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn required(name: &'static str, conversion: Conversion) -> FieldRule {
    FieldRule { name, conversion, required: true, nullable: false }
}

fn reserved(name: &'static str, conversion: Conversion, nullable: bool) -> FieldRule {
    FieldRule { name, conversion, required: false, nullable }
}
