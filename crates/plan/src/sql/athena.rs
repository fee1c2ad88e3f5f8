//! Queries over source and result, in the dialect of Athena.

use serde_json::{Value, json};

use super::{list, name, steps, text};
use crate::conversion::Conversion;
use crate::path::{SourcePath, Step};
use crate::plan::{ConversionPlan, Field, FieldSource};

/// What `explore.sql` is told.
pub(crate) fn context(plan: &ConversionPlan) -> Value {
    let converted = format!("{}_converted", plan.source.table);
    let columns: Vec<Value> =
        plan.fields.iter().map(|field| json!(field.name.to_lowercase())).collect();
    let required = plan.fields.iter().filter(|field| !field.nullable);
    let gaps: Vec<Value> =
        required.map(|field| json!({ "name": field.name, "count": gaps(plan, field) })).collect();
    let times = plan.fields.iter().filter(|field| field.conversion == Conversion::EpochSeconds);
    json!({
        "table": name(&plan.source.table),
        "events": events(plan),
        "gaps": gaps,
        "elements": plan.exploded_array().map(|array| {
            let array = array_of(&array);
            match element_filter(plan) {
                Some(kept) => format!("sum(cardinality(filter({array}, x -> {kept})))"),
                None => format!("sum(cardinality({array}))"),
            }
        }),
        "filter": record_filter(plan),
        "converted": {
            "ddl_name": format!("`{}`", converted.replace('`', "``")),
            "name": name(&converted),
            "columns": columns,
            "location": text(&plan.destination.url(&plan.destination.prefix)),
        },
        "times": times.map(|field| name(&field.name.to_lowercase())).collect::<Vec<_>>(),
    })
}

/// Event types by count, and how many of each have an item; none without an event type.
fn events(plan: &ConversionPlan) -> Option<Value> {
    let of_field = plan.fields.iter().find(|field| field.conversion == Conversion::EventType);
    let event_type = of_field
        .map(|field| &field.source)
        .or_else(|| plan.filter.as_ref().map(|filter| &filter.source))?;
    let item = plan.fields.iter().find(|field| matches!(&*field.name, "ITEM_ID" | "ACTION_ID"))?;
    let has_item = match (is_in_element(event_type), is_in_element(&item.source)) {
        // Of a record, that any of its elements has one.
        (false, true) => {
            let array = array_of(&plan.exploded_array()?);
            format!("cardinality(filter({array}, x -> {} IS NOT NULL)) > 0", value(&item.source))
        }
        _ => format!("{} IS NOT NULL", value(&item.source)),
    };
    Some(if is_in_element(event_type) {
        let array = array_of(&plan.exploded_array()?);
        json!({
            "event_type": "event_type",
            "has_item": "has_item",
            // UNNEST makes a column of each member of a row.
            "from": format!(
                " CROSS JOIN UNNEST(transform({array}, x -> ROW({}, {has_item}))) \
                 AS exploded (event_type, has_item)",
                value(event_type)
            ),
            "item": item.name,
        })
    } else {
        json!({
            "event_type": value(event_type),
            "has_item": has_item,
            "from": "",
            "item": item.name,
        })
    })
}

/// How many records, or elements of them, lack a required field.
fn gaps(plan: &ConversionPlan, field: &Field) -> String {
    let is_missing = format!("{} IS NULL", value(&field.source));
    match plan.exploded_array().filter(|_| is_in_element(&field.source)) {
        None => format!("count_if({is_missing})"),
        Some(array) => {
            let kept = element_filter(plan).map(|kept| format!("{kept} AND ")).unwrap_or_default();
            format!("sum(cardinality(filter({}, x -> {kept}{is_missing})))", array_of(&array))
        }
    }
}

fn record_filter(plan: &ConversionPlan) -> Option<String> {
    filter(plan, false)
}

fn element_filter(plan: &ConversionPlan) -> Option<String> {
    filter(plan, true)
}

fn filter(plan: &ConversionPlan, in_element: bool) -> Option<String> {
    let filter = plan.filter.as_ref().filter(|f| is_in_element(&f.source) == in_element)?;
    let event_type = format!("CAST({} AS varchar(1000))", value(&filter.source));
    Some(format!("{event_type} IN {}", list(&filter.event_types)))
}

fn is_in_element(source: &FieldSource) -> bool {
    steps(source).1
}

fn array_of(array: &SourcePath) -> String {
    value(&FieldSource::Path(array.clone()))
}

/// The value of a source; an element of the exploded array is called `x`.
fn value(source: &FieldSource) -> String {
    let (steps, in_element) = steps(source);
    let mut value = if in_element { "x".to_owned() } else { String::new() };
    for step in steps {
        match step {
            // The catalogue holds names in lower case.
            Step::Name(member) => {
                let dot = if value.is_empty() { "" } else { "." };
                value += &format!("{dot}{}", name(&member.to_lowercase()));
            }
            // Athena counts from one, and gives null past the end.
            Step::Index(index) => value = format!("element_at({value}, {})", index + 1),
            Step::Each => {}
        }
    }
    value
}
