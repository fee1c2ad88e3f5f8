//! The plan's columns as SQL expressions, for the queries that go with it.

use serde_json::{Value, json};

use crate::conversion::Conversion;
use crate::path::{SourcePath, Step};
use crate::plan::{ConversionPlan, FieldSource};
use crate::timestamp_format::{EpochUnit, TimestampFormat};

/// A text as an SQL string.
pub(crate) fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// A name as a delimited SQL identifier.
pub(crate) fn name(value: &str) -> String {
    format!("\"{}\"", value.replace('"', "\"\""))
}

/// The output columns with what the templates say of each.
pub(crate) fn columns(plan: &ConversionPlan) -> Vec<Value> {
    let columns = plan.fields.iter().map(|field| {
        json!({
            "name": field.name,
            "ddl_name": field.name.to_lowercase(),
            "steps": steps(&field.source),
            "conversion": field.conversion,
            "required": !field.nullable,
            "max_characters": field.conversion.max_characters(),
            "athena": athena(plan, &field.source),
            "athena_epoch": (field.conversion == Conversion::EpochSeconds)
                .then(|| athena_epoch(plan, &field.source)),
        })
    });
    columns.collect()
}

/// The event filter, if the plan has one.
pub(crate) fn filter(plan: &ConversionPlan) -> Value {
    let Some(filter) = &plan.filter else {
        return Value::Null;
    };
    let list: Vec<String> = filter.event_types.iter().map(|event| text(event)).collect();
    json!({
        "steps": steps(&filter.source),
        "event_types": filter.event_types,
        "athena": athena(plan, &filter.source),
        "list": list.join(", "),
    })
}

/// The array that becomes rows, if the plan has one.
pub(crate) fn explode(plan: &ConversionPlan) -> Value {
    let Some(array) = plan.exploded_array() else {
        return Value::Null;
    };
    let source = FieldSource::Path(array);
    // Athena would spread the members of a row over columns; in a row of its own it stays one.
    let rows = format!("transform({}, x -> ROW(x))", athena(plan, &source));
    json!({ "steps": steps(&source), "rows": rows })
}

/// The converted files as a table: its names and its folder.
pub(crate) fn converted(plan: &ConversionPlan) -> Value {
    let table = format!("{}_converted", plan.source.table);
    json!({
        "ddl_name": format!("`{}`", table.replace('`', "``")),
        "name": name(&table),
        "location": text(&folder(plan)),
        "url": folder(plan),
    })
}

/// The query that Redshift unloads, as the text that UNLOAD takes, and where to.
pub(crate) fn unload(plan: &ConversionPlan) -> Value {
    let columns: Vec<String> = plan
        .fields
        .iter()
        .map(|field| {
            let value = redshift(plan, field.conversion, &field.source);
            format!("  {value} AS {}", name(&field.name))
        })
        .collect();
    let mut query =
        format!("SELECT\n{}\nFROM {} AS source", columns.join(",\n"), name(&plan.source.table));
    if let Some(array) = plan.exploded_array() {
        query += &format!(", source.{} AS element", redshift_path(&FieldSource::Path(array)));
    }
    let mut conditions: Vec<String> = Vec::new();
    if let Some(filter) = &plan.filter {
        let list: Vec<String> = filter.event_types.iter().map(|event| text(event)).collect();
        conditions.push(format!("{} IN ({})", redshift_path(&filter.source), list.join(", ")));
    }
    for field in plan.fields.iter().filter(|field| !field.nullable) {
        conditions.push(format!("{} IS NOT NULL", redshift_path(&field.source)));
    }
    if !conditions.is_empty() {
        query += &format!("\nWHERE {}", conditions.join("\n  AND "));
    }
    let to = format!("{}{}", folder(plan), plan.dataset.name().to_lowercase());
    json!({ "select": text(&query), "location": text(&to) })
}

/// The bulk output's folder as a URL.
fn folder(plan: &ConversionPlan) -> String {
    let bucket = match plan.destination.bucket.as_str() {
        "" => "DESTINATION_BUCKET",
        bucket => bucket,
    };
    match plan.destination.prefix.as_str() {
        "" => format!("s3://{bucket}/"),
        prefix => format!("s3://{bucket}/{prefix}/"),
    }
}

/// The path as a list of names, whole numbers and `"[]"`.
fn steps(source: &FieldSource) -> Value {
    match source {
        FieldSource::PartitionKey(key) => json!([key]),
        FieldSource::Path(path) => path
            .steps()
            .iter()
            .map(|step| match step {
                Step::Name(name) => json!(name),
                Step::Index(index) => json!(index),
                Step::Each => json!("[]"),
            })
            .collect(),
    }
}

/// The value in Athena's dialect; an exploded element is called `element`.
fn athena(plan: &ConversionPlan, source: &FieldSource) -> String {
    let path = match source {
        FieldSource::PartitionKey(key) => return name(key),
        FieldSource::Path(path) => path,
    };
    let mut steps = path.steps().iter().peekable();
    let mut out = String::new();
    if let Some(at) = exploded_at(plan, path) {
        out.push_str("element");
        steps.nth(at);
    }
    for step in steps {
        match step {
            // The catalogue holds names in lower case.
            Step::Name(member) => {
                let dot = if out.is_empty() { "" } else { "." };
                out.push_str(&format!("{dot}{}", name(&member.to_lowercase())));
            }
            // Athena counts from one, and element_at gives null past the end.
            Step::Index(index) => out = format!("element_at({out}, {})", index + 1),
            Step::Each => {}
        }
    }
    out
}

fn exploded_at(plan: &ConversionPlan, path: &SourcePath) -> Option<usize> {
    plan.exploded_array()?;
    path.steps().iter().position(|step| *step == Step::Each)
}

/// The value as epoch seconds in Athena's dialect; null where it cannot be read.
fn athena_epoch(plan: &ConversionPlan, source: &FieldSource) -> String {
    let value = format!("CAST({} AS varchar)", athena(plan, source));
    let number = format!("TRY_CAST({value} AS decimal(38, 9))");
    let divided = |power: u32| format!("CAST(floor({number} / {}) AS bigint)", 10_u64.pow(power));
    match &plan.timestamp_format {
        TimestampFormat::Epoch(EpochUnit::Seconds) => divided(0),
        TimestampFormat::Epoch(EpochUnit::Milliseconds) => divided(3),
        TimestampFormat::Epoch(EpochUnit::Microseconds) => divided(6),
        TimestampFormat::Epoch(EpochUnit::Nanoseconds) => divided(9),
        TimestampFormat::Pattern(pattern) => format!(
            "TRY(CAST(to_unixtime(parse_datetime({value}, {})) AS bigint))",
            text(pattern.as_str())
        ),
        TimestampFormat::Auto => format!(
            "CASE WHEN {number} IS NULL \
             THEN TRY(CAST(floor(to_unixtime(from_iso8601_timestamp(replace({value}, ' ', 'T')))) AS bigint)) \
             WHEN abs({number}) < 1e11 THEN {} WHEN abs({number}) < 1e14 THEN {} \
             WHEN abs({number}) < 1e17 THEN {} ELSE {} END",
            divided(0),
            divided(3),
            divided(6),
            divided(9)
        ),
    }
}

/// The value in Redshift's dialect, converted.
fn redshift(plan: &ConversionPlan, conversion: Conversion, source: &FieldSource) -> String {
    let value = redshift_path(source);
    match conversion {
        Conversion::EpochSeconds => match &plan.timestamp_format {
            TimestampFormat::Epoch(unit) => {
                format!("FLOOR({value} / {})::bigint", 10_u64.pow(unit.decimal_places() as u32))
            }
            _ => format!("EXTRACT(epoch FROM {value})::bigint"),
        },
        Conversion::Float | Conversion::Double => format!("{value}::float8"),
        Conversion::Int | Conversion::Long => format!("{value}::bigint"),
        Conversion::Boolean => {
            format!("CASE WHEN {value} THEN 'True' WHEN NOT {value} THEN 'False' END")
        }
        _ => format!("{value}::varchar"),
    }
}

fn redshift_path(source: &FieldSource) -> String {
    let path = match source {
        FieldSource::PartitionKey(key) => return name(key),
        FieldSource::Path(path) => path,
    };
    let mut out = String::new();
    for step in path.steps() {
        match step {
            Step::Name(member) if out.is_empty() => out.push_str(&name(&member.to_lowercase())),
            Step::Name(member) => out.push_str(&format!(".{}", name(&member.to_lowercase()))),
            Step::Index(index) => out.push_str(&format!("[{index}]")),
            // The template's FROM clause calls the exploded element so.
            Step::Each => out = "element".to_owned(),
        }
    }
    out
}
