//! What the SQL templates are told of a plan.

pub(crate) mod athena;
pub(crate) mod redshift;

use crate::path::Step;
use crate::plan::FieldSource;

/// A text as an SQL string.
pub(crate) fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// A name as a delimited SQL identifier.
pub(crate) fn name(value: &str) -> String {
    format!("\"{}\"", value.replace('"', "\"\""))
}

/// Texts as the list behind `IN`.
fn list(values: &[String]) -> String {
    let values: Vec<String> = values.iter().map(|value| text(value)).collect();
    format!("({})", values.join(", "))
}

/// The steps of a source, and whether they lead from an element of the exploded array.
fn steps(source: &FieldSource) -> (Vec<Step>, bool) {
    let path = match source {
        FieldSource::PartitionKey(key) => return (vec![Step::Name(key.clone())], false),
        FieldSource::Path(path) => path,
    };
    match path.steps().iter().position(|step| *step == Step::Each) {
        Some(at) => (path.steps()[at + 1..].to_vec(), true),
        None => (path.steps().to_vec(), false),
    }
}
