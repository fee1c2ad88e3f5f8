//! What the template of the Glue job is told of a plan.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::conversion::Conversion;
use crate::parameters::OutputFiles;
use crate::path::{SourcePath, Step};
use crate::plan::{ConversionPlan, FieldSource, SourceFormat};
use crate::timestamp_format::{DatePattern, Digits, PatternItem, TimestampFormat, month_names};

/// The values that the template writes, and which of its parts the plan needs.
pub(crate) fn context(plan: &ConversionPlan) -> Value {
    let columns: Vec<Value> = plan
        .fields
        .iter()
        .map(|field| {
            json!({
                "name": field.name,
                "path": path(&field.source),
                "conversion": field.conversion,
                "required": !field.nullable,
            })
        })
        .collect();
    let filter = plan.filter.as_ref().map(|filter| {
        json!({
            "path": path(&filter.source),
            "in_element": filter.source.path().is_some_and(|p| p.exploded_array().is_some()),
            "event_types": filter.event_types,
        })
    });
    let explode = plan.exploded_array().map(|array| json!({ "path": path_steps(array.steps()) }));
    let has_index = |path: &SourcePath| path.steps().iter().any(|s| matches!(s, Step::Index(_)));
    json!({
        "plan": plan,
        "output_url": plan.destination.url(&plan.destination.prefix),
        "output_name": plan.dataset.name().to_lowercase(),
        "rejects_url": plan.destination.url(&plan.destination.rejected_prefix) + "bulk/",
        "columns": columns,
        "filter": filter,
        "explode": explode,
        "single_file": plan.destination.files == OutputFiles::Single,
        "is_typed": is_typed(&plan.source.format),
        "is_csv": matches!(plan.source.format, SourceFormat::Csv(_)),
        "has_positions": plan.sources().filter_map(FieldSource::path).any(has_index),
        "conversions": conversions(plan),
        "uses": uses(plan),
        "timestamp": timestamp(&plan.timestamp_format),
    })
}

/// Whether files of the format hold times, bytes and maps as types of their own.
fn is_typed(format: &SourceFormat) -> bool {
    use SourceFormat::{Avro, Bson, Ion, Orc, Parquet};
    matches!(format, Parquet | Orc | Avro | Ion | Bson)
}

/// A path as names and positions, with null for each element of the exploded array. From there on
/// it leads from the element, not from the record.
fn path(source: &FieldSource) -> Value {
    let path = match source {
        FieldSource::PartitionKey(key) => return json!([key]),
        FieldSource::Path(path) => path,
    };
    let steps = path.steps();
    let each = steps.iter().position(|step| *step == Step::Each).unwrap_or(0);
    path_steps(&steps[each..])
}

fn path_steps(steps: &[Step]) -> Value {
    let step = |step: &Step| match step {
        Step::Name(name) => json!(name),
        Step::Index(index) => json!(index),
        Step::Each => Value::Null,
    };
    steps.iter().map(step).collect()
}

/// Each conversion of the plan once, with the expression that makes its cell.
fn conversions(plan: &ConversionPlan) -> Vec<Value> {
    let mut known: Vec<Conversion> = Vec::new();
    for field in &plan.fields {
        if !known.contains(&field.conversion) {
            known.push(field.conversion);
        }
    }
    let cell = |conversion: Conversion| match (conversion, conversion.max_characters()) {
        (_, Some(most)) => format!("lambda part: text_cell(part, {most})"),
        (Conversion::Boolean, _) => "boolean_cell".to_owned(),
        (Conversion::EpochSeconds, _) => "epoch_cell".to_owned(),
        (number, _) if is_numeric(number) => {
            format!("lambda part: number_cell(part, \"{}\")", number.avro_type())
        }
        _ => "lambda part: (part(\"text\"), F.lit(None))".to_owned(),
    };
    known.into_iter().map(|known| json!({ "name": known, "cell": cell(known) })).collect()
}

fn is_numeric(conversion: Conversion) -> bool {
    use Conversion::{Double, Float, Int, Long};
    matches!(conversion, Float | Double | Int | Long)
}

/// Which parts of the template there are values for.
fn uses(plan: &ConversionPlan) -> Value {
    let any =
        |wanted: &dyn Fn(Conversion) -> bool| plan.fields.iter().any(|f| wanted(f.conversion));
    let is = |conversion| move |other| other == conversion;
    let list = any(&Conversion::takes_arrays);
    let numeric = any(&is_numeric);
    let boolean = any(&is(Conversion::Boolean));
    let epoch = any(&is(Conversion::EpochSeconds));
    let by_pattern = matches!(plan.timestamp_format, TimestampFormat::Pattern(_));
    let value = numeric || boolean || epoch;
    json!({
        "list": list,
        "numeric": numeric,
        "boolean": boolean,
        "epoch": epoch,
        "textual": any(&is(Conversion::Textual)),
        "limited": any(&|conversion| conversion.max_characters().is_some()),
        // Values that are no text: numbers, booleans, times
        "value": value,
        "trim": list || value,
        "number": numeric || (epoch && !by_pattern),
    })
}

fn timestamp(format: &TimestampFormat) -> Value {
    let (unit, pattern) = match format {
        TimestampFormat::Auto => (None, None),
        TimestampFormat::Epoch(unit) => (Some(unit.decimal_places()), None),
        TimestampFormat::Pattern(pattern) => (None, Some(by_pattern(pattern))),
    };
    json!({
        "unit": unit.map(|places| json!({ "name": format.to_string(), "places": places })),
        "pattern": pattern,
        "has_offset": match format {
            TimestampFormat::Auto => true,
            TimestampFormat::Epoch(_) => false,
            TimestampFormat::Pattern(pattern) => pattern.items().contains(&PatternItem::Offset),
        },
    })
}

/// The pattern as a regular expression of Java, and how each part of the time comes of its groups.
fn by_pattern(pattern: &DatePattern) -> Value {
    let mut regex = "^".to_owned();
    let mut parts: BTreeMap<&str, String> = BTreeMap::new();
    let mut months = Vec::new();
    let mut groups = 0;
    for item in pattern.items() {
        let group = groups + 1;
        let digits = format!("digits({group})");
        let (expression, part) = match item {
            PatternItem::Year => ("([0-9]{4})".to_owned(), Some(("year", digits))),
            PatternItem::ShortYear => {
                ("([0-9]{2})".to_owned(), Some(("year", format!("2000 + {digits}"))))
            }
            PatternItem::Month(count) => (number(*count), Some(("month", digits))),
            PatternItem::MonthName { full } => {
                months = month_names(*full).map(str::to_lowercase).collect();
                let month = format!(
                    "F.array_position(F.lit(MONTHS), F.lower(part({group}))).cast(\"int\")"
                );
                (format!("((?i:{}))", months.join("|")), Some(("month", month)))
            }
            PatternItem::Day(count) => (number(*count), Some(("day", digits))),
            PatternItem::Hour(count) | PatternItem::Hour12(count) => {
                (number(*count), Some(("hour", digits)))
            }
            PatternItem::Minute(count) => (number(*count), Some(("minute", digits))),
            PatternItem::Second(count) => (number(*count), Some(("second", digits))),
            PatternItem::AmPm => ("((?i:am|pm))".to_owned(), Some(("half_day", group.to_string()))),
            PatternItem::Offset => {
                let offset = "(Z|[+-][0-9]{2}(?::?[0-9]{2})?+)".to_owned();
                (offset, Some(("offset", group.to_string())))
            }
            PatternItem::Fraction(count) => (format!("[0-9]{{{count}}}"), None),
            PatternItem::Literal(literal) => (literal.chars().map(escaped).collect(), None),
        };
        regex += &expression;
        if let Some((name, value)) = part {
            parts.insert(name, value);
            groups = group;
        }
    }
    let part = |name| json!({ "name": name, "value": parts.get(name).map_or("F.lit(0)", |v| v) });
    let names = ["year", "month", "day", "hour", "minute", "second"];
    json!({
        "text": pattern.as_str(),
        "regex": regex + "$",
        "months": months,
        "parts": names.map(part).to_vec(),
        "half_day_group": parts.get("half_day"),
        "offset_group": parts.get("offset"),
    })
}

/// One or two digits are as many as there are: the expression never gives one back.
fn number(digits: Digits) -> String {
    match digits {
        Digits::Two => "([0-9]{2})".to_owned(),
        Digits::OneOrTwo => "([0-9]{1,2}+)".to_owned(),
    }
}

fn escaped(c: char) -> String {
    if c.is_ascii_punctuation() { format!("\\{c}") } else { c.to_string() }
}
