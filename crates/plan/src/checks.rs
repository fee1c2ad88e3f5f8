//! Personalize's rules for a dataset's fields, checked on a plan before anything is converted.
//!
//! Sources: Personalize developer guide, "custom-datasets-and-schemas",
//! "interactions-dataset-requirements", "preparing-training-data" and "limits".

use crate::conversion::Conversion;
use crate::dataset::{Dataset, Domain};
use crate::error::PlanError;
use crate::parameters::Parameters;
use crate::plan::{ConversionPlan, Field, FieldSource};
use crate::schema::Schema;

/// The most characters of a schema that CreateSchema takes.
const MAX_SCHEMA_CHARACTERS: usize = 20_000;
/// The same for CloudFormation's `AWS::Personalize::Schema`.
const MAX_CLOUDFORMATION_SCHEMA_CHARACTERS: usize = 10_000;

/// Refuses a plan whose output Personalize would refuse.
pub(crate) fn check(plan: &ConversionPlan) -> Result<(), PlanError> {
    check_names(plan)?;
    check_required(plan)?;
    check_metadata(plan)?;
    check_textual(plan)?;
    check_rule_of_ten(plan)?;
    check_one_exploded_array(plan)?;
    let characters = Schema::of(plan).characters();
    if characters > MAX_SCHEMA_CHARACTERS {
        return Err(PlanError::SchemaTooLong { characters });
    }
    Ok(())
}

impl Parameters {
    /// Refuses folders that would feed output back into input, or mix outputs. [`crate::resolve`]
    /// does so too; this needs no table.
    ///
    /// # Errors
    ///
    /// [`PlanError::PrefixInside`], which names both folders.
    pub fn check_prefixes(&self) -> Result<(), PlanError> {
        check_prefixes(self)
    }
}

fn check_prefixes(parameters: &Parameters) -> Result<(), PlanError> {
    let source = ("SourceDataPrefix", parameters.source_prefix.as_str());
    let outputs = [
        ("DestinationDataPrefix", parameters.destination_prefix.as_str()),
        ("IncrementalDataPrefix", parameters.incremental_prefix.as_str()),
        ("RejectedDataPrefix", parameters.rejected_prefix.as_str()),
    ];
    let inside = |inner: (&'static str, &str), outer: (&'static str, &str), consequence| {
        PlanError::PrefixInside {
            inner: inner.0,
            inner_prefix: inner.1.to_owned(),
            outer: outer.0,
            outer_prefix: outer.1.to_owned(),
            consequence,
        }
    };
    for (at, output) in outputs.into_iter().enumerate() {
        for other in outputs.into_iter().skip(at + 1) {
            let consequence = "each output needs a folder of its own, beside the others";
            if is_under(output.1, other.1) {
                return Err(inside(output, other, consequence));
            }
            if is_under(other.1, output.1) {
                return Err(inside(other, output, consequence));
            }
        }
        let one_bucket = parameters.source_bucket == parameters.destination_bucket
            && !parameters.source_bucket.is_empty();
        if one_bucket && is_under(output.1, source.1) {
            return Err(inside(output, source, "converted files would be read as raw data"));
        }
    }
    Ok(())
}

/// Whether folder `inner` is `outer` or lies in it.
fn is_under(inner: &str, outer: &str) -> bool {
    outer.is_empty()
        || inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What Personalize accepts, but hardly anybody wants.
pub(crate) fn advice(plan: &ConversionPlan) -> Vec<String> {
    let mut notes = Vec::new();
    for field in metadata(plan).filter(|field| field.conversion == Conversion::Text) {
        notes.push(format!(
            "{} is a plain string: it is imported, but no model trains on it; add :categorical to \
             change that",
            field.name
        ));
    }
    if plan.dataset == Dataset::ActionInteractions {
        notes.push(
            "Personalize knows the event types Taken, Not Taken and Viewed for actions".to_owned(),
        );
    }
    let wanted = match plan.domain {
        Some(Domain::Ecommerce) => Some("View and Purchase"),
        Some(Domain::VideoOnDemand) => Some("Watch and Click"),
        None => None,
    };
    if let (Dataset::Interactions, Some(wanted)) = (plan.dataset, wanted) {
        notes.push(format!(
            "the recommenders of this domain look for event types named {wanted}, written so"
        ));
    }
    let characters = Schema::of(plan).characters();
    if characters > MAX_CLOUDFORMATION_SCHEMA_CHARACTERS {
        notes.push(format!(
            "the schema has {characters} characters; CloudFormation takes at most \
             {MAX_CLOUDFORMATION_SCHEMA_CHARACTERS}, CreateSchema takes it"
        ));
    }
    notes
}

/// Whether Personalize takes the name for a column (`ColumnName` in the API model).
pub(crate) fn is_valid_name(name: &str) -> bool {
    name.len() <= 150
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Whether Personalize takes both names for the same: underscores do not count.
pub(crate) fn collide(a: &str, b: &str) -> bool {
    let key = |name: &str| name.replace('_', "").to_ascii_uppercase();
    key(a) == key(b)
}

fn check_names(plan: &ConversionPlan) -> Result<(), PlanError> {
    for (at, field) in plan.fields.iter().enumerate() {
        if !is_valid_name(&field.name) {
            return Err(PlanError::BadName(field.name.clone()));
        }
        if let Some(other) =
            plan.fields[..at].iter().find(|other| collide(&other.name, &field.name))
        {
            return Err(PlanError::Collision {
                first: other.name.clone(),
                second: field.name.clone(),
            });
        }
    }
    Ok(())
}

fn check_required(plan: &ConversionPlan) -> Result<(), PlanError> {
    for rule in plan.dataset.fields(plan.domain).iter().filter(|rule| rule.required) {
        if plan.fields.iter().any(|field| field.name == rule.name) {
            continue;
        }
        let remedy = match rule.name {
            "USER_ID" => "set SourceColumnUserId, and leave DestinationColumnUserId at USER_ID",
            "ITEM_ID" => "set SourceColumnItemId, and leave DestinationColumnItemId at ITEM_ID",
            "ACTION_ID" => "set SourceColumnItemId to the action's column",
            "EVENT_TYPE" => {
                "set SourceColumnEventType, and leave DestinationColumnEventType at EVENT_TYPE"
            }
            "TIMESTAMP" => {
                "set SourceColumnTimestamp, and leave DestinationColumnTimestamp at TIMESTAMP"
            }
            _ => "name its column in AdditionalColumns, as in column:FIELD",
        };
        return Err(PlanError::MissingField {
            field: rule.name,
            place: match plan.domain {
                Some(domain) => format!("{} of domain {domain}", plan.dataset),
                None => plan.dataset.to_string(),
            },
            remedy: remedy.replace("FIELD", rule.name),
        });
    }
    Ok(())
}

/// The fields that are neither required nor reserved.
fn metadata(plan: &ConversionPlan) -> impl Iterator<Item = &Field> {
    let rules = plan.dataset.fields(plan.domain);
    plan.fields.iter().filter(move |field| rules.iter().all(|rule| rule.name != field.name))
}

fn check_metadata(plan: &ConversionPlan) -> Result<(), PlanError> {
    let limits = plan.dataset.metadata_limits(plan.domain);
    let fields: Vec<String> = metadata(plan).map(|field| field.name.clone()).collect();
    if fields.len() > *limits.end() {
        return Err(PlanError::TooManyMetadata {
            dataset: plan.dataset,
            limit: *limits.end(),
            fields,
        });
    }
    let identifiers = plan.fields.iter().filter(|f| f.conversion == Conversion::Identifier).count();
    if plan.fields.len() - identifiers < *limits.start() {
        return Err(PlanError::NoMetadata { dataset: plan.dataset });
    }
    Ok(())
}

fn check_textual(plan: &ConversionPlan) -> Result<(), PlanError> {
    let textual = plan.fields.iter().filter(|field| field.conversion.is_textual());
    let fields: Vec<String> = textual.map(|field| field.name.clone()).collect();
    let most = usize::from(plan.dataset == Dataset::Items);
    if fields.len() > most { Err(PlanError::Textual { fields }) } else { Ok(()) }
}

fn check_rule_of_ten(plan: &ConversionPlan) -> Result<(), PlanError> {
    let Some(filter) = plan.filter.as_ref().filter(|_| plan.dataset == Dataset::Interactions)
    else {
        return Ok(());
    };
    let named = |name: &str| usize::from(plan.fields.iter().any(|field| field.name == name));
    let event_types = filter.event_types.len();
    let total = event_types + named("EVENT_TYPE") + named("EVENT_VALUE") + metadata(plan).count();
    if total > 10 { Err(PlanError::RuleOfTen { event_types, total }) } else { Ok(()) }
}

fn check_one_exploded_array(plan: &ConversionPlan) -> Result<(), PlanError> {
    let mut arrays =
        plan.sources().filter_map(FieldSource::path).filter_map(|path| path.exploded_array());
    let Some(first) = arrays.next() else {
        return Ok(());
    };
    match arrays.find(|array| !array.same_place(&first)) {
        Some(second) => Err(PlanError::TwoExplodedArrays {
            first: first.to_string(),
            second: second.to_string(),
        }),
        None => Ok(()),
    }
}
