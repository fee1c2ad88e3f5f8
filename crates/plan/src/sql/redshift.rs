//! The same columns from a table in Redshift.

use serde_json::{Value, json};

use super::{list, name, steps, text};
use crate::conversion::Conversion;
use crate::path::Step;
use crate::plan::{ConversionPlan, Field, FieldSource};
use crate::timestamp_format::TimestampFormat;

/// What `unload.sql` is told: the query as the text that UNLOAD takes, and where its result goes.
pub(crate) fn context(plan: &ConversionPlan) -> Value {
    let cells: Vec<String> = plan
        .fields
        .iter()
        .map(|field| format!("  {} AS {}", cell(plan, field), name(&field.name)))
        .collect();
    let table = name(&plan.source.table);
    let mut query = format!("SELECT\n{}\nFROM {table} AS source", cells.join(",\n"));
    if let Some(array) = plan.exploded_array() {
        query += &format!(", source.{} AS element", value(&FieldSource::Path(array)));
    }
    let mut conditions: Vec<String> = Vec::new();
    if let Some(filter) = &plan.filter {
        let event_type = format!("{}::varchar", value(&filter.source));
        conditions.push(format!("{event_type} IN {}", list(&filter.event_types)));
    }
    for field in plan.fields.iter().filter(|field| !field.nullable) {
        conditions.push(format!("{} IS NOT NULL", cell(plan, field)));
    }
    if !conditions.is_empty() {
        query += &format!("\nWHERE {}", conditions.join("\n  AND "));
    }
    let folder = plan.destination.url(&plan.destination.prefix);
    json!({
        "query": text(&query),
        "location": text(&format!("{folder}{}", plan.dataset.name().to_lowercase())),
    })
}

/// The cell as it stands in the CSV.
fn cell(plan: &ConversionPlan, field: &Field) -> String {
    let value = value(&field.source);
    match field.conversion {
        Conversion::EpochSeconds => match &plan.timestamp_format {
            TimestampFormat::Epoch(unit) => {
                format!("FLOOR({value} / {})::bigint", 10_u64.pow(unit.decimal_places() as u32))
            }
            _ => format!("FLOOR(EXTRACT(epoch FROM {value}))::bigint"),
        },
        Conversion::Float | Conversion::Double => format!("{value}::float8"),
        Conversion::Int | Conversion::Long => format!("{value}::bigint"),
        Conversion::Boolean => {
            format!("CASE WHEN {value} THEN 'True' WHEN NOT {value} THEN 'False' END")
        }
        _ => quoted(&format!("{value}::varchar")),
    }
}

/// A text in quotes, as Personalize reads it: a backslash escapes, and each break is a space. What
/// is blank is null. No backslash is written out, since Redshift's own strings give it a meaning.
fn quoted(value: &str) -> String {
    let breaks = "CHR(9) || CHR(10) || CHR(11) || CHR(12) || CHR(13)";
    let line = format!("TRANSLATE({value}, {breaks}, '     ')");
    let backslashes = format!("REPLACE({line}, CHR(92), CHR(92) || CHR(92))");
    let escaped = format!("REPLACE({backslashes}, '\"', CHR(92) || '\"')");
    format!("CASE WHEN TRIM({line}) <> '' THEN '\"' || {escaped} || '\"' END")
}

/// The value of a source; an element of the exploded array is called `element`.
fn value(source: &FieldSource) -> String {
    let (steps, in_element) = steps(source);
    let mut value = if in_element { "element".to_owned() } else { String::new() };
    for step in steps {
        match step {
            Step::Name(member) => {
                let dot = if value.is_empty() { "" } else { "." };
                value += &format!("{dot}{}", name(&member.to_lowercase()));
            }
            Step::Index(index) => value += &format!("[{index}]"),
            Step::Each => {}
        }
    }
    value
}
