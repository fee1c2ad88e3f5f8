//! Finds a path in a table's columns.

use crate::error::{MissingColumn, PlanError};
use crate::glue::{Column, ColumnType, StructField, Table};
use crate::nearest::nearest;
use crate::path::{SourcePath, Step};
use crate::plan::FieldSource;

/// A source and the type the table gives it.
#[derive(Debug)]
pub(crate) struct Located {
    pub(crate) source: FieldSource,
    pub(crate) column_type: ColumnType,
}

/// Finds what `asked` names: a path into a column, or a partition key.
///
/// A text that is, dots and all, the name of a column means that column.
pub(crate) fn locate(table: &Table, parameter: &str, asked: &str) -> Result<Located, PlanError> {
    if let Some(column) = table.column(asked) {
        let path = SourcePath::column(asked);
        return Ok(Located { source: FieldSource::Path(path), column_type: column.column_type() });
    }
    let path: SourcePath = asked
        .parse()
        .map_err(|fault| PlanError::Path { parameter: parameter.to_owned(), fault })?;
    let name = path.first_name();
    let Some(column) = table.column(name) else {
        if let Some(key) = table.partition_key(name).filter(|_| path.is_column()) {
            return Ok(Located {
                source: FieldSource::PartitionKey(key.name.clone()),
                column_type: ColumnType::String,
            });
        }
        let available = available_columns(table);
        let place = format!("table `{}`", table.name);
        return Err(missing_column(parameter, asked, name, place, available));
    };
    let mut search = Search {
        parameter,
        asked,
        path: &path,
        outer: SourcePath::column(table.original_name(&column.name)),
    };
    let mut found = column.column_type();
    for at in 1..path.steps().len() {
        found = search.step(found, at)?;
    }
    Ok(Located { source: FieldSource::Path(path), column_type: found })
}

/// The names a top-level name can have: columns in their original case, then partition keys.
fn available_columns(table: &Table) -> Vec<String> {
    let columns = &table.storage_descriptor.columns;
    let original = |column: &Column| table.original_name(&column.name).to_owned();
    let keys = table.partition_keys.iter().map(|key| key.name.clone());
    columns.iter().map(original).chain(keys).collect()
}

fn missing_column(
    parameter: &str,
    asked: &str,
    missing: &str,
    place: String,
    available: Vec<String>,
) -> PlanError {
    let nearest = nearest(missing, available.iter().map(String::as_str)).map(str::to_owned);
    Box::new(MissingColumn {
        parameter: parameter.to_owned(),
        asked: asked.to_owned(),
        missing: missing.to_owned(),
        place,
        available,
        nearest,
    })
    .into()
}

struct Search<'a> {
    parameter: &'a str,
    asked: &'a str,
    path: &'a SourcePath,
    outer: SourcePath,
}

impl Search<'_> {
    /// The type inside `outer_type` that the path's step `at` leads to.
    fn step(&mut self, outer_type: ColumnType, at: usize) -> Result<ColumnType, PlanError> {
        let step = &self.path.steps()[at];
        let inner = match (step, outer_type) {
            (_, ColumnType::Other(text)) => ColumnType::Other(text),
            (Step::Name(name), ColumnType::Struct(fields)) => self.member(name, fields)?,
            (Step::Name(_), ColumnType::Map(_, value)) => *value,
            (Step::Name(_), ColumnType::Array(_)) => return Err(self.through_array(at)),
            (Step::Index(_) | Step::Each, ColumnType::Array(element)) => *element,
            (step, other) => {
                return Err(PlanError::NotInside {
                    parameter: self.parameter.to_owned(),
                    asked: self.asked.to_owned(),
                    outer: self.outer.to_string(),
                    found: other.to_string(),
                    lacks: if matches!(step, Step::Name(_)) { "no members" } else { "no elements" },
                });
            }
        };
        self.outer = self.outer.child(step.clone());
        Ok(inner)
    }

    fn member(&self, name: &str, fields: Vec<StructField>) -> Result<ColumnType, PlanError> {
        let same = |field: &StructField| crate::glue::same_name(&field.name, name);
        if let Some(at) = fields.iter().position(same) {
            return Ok(fields[at].column_type.clone());
        }
        let available: Vec<String> = fields.into_iter().map(|field| field.name).collect();
        let place = format!("`{}`", self.outer);
        Err(missing_column(self.parameter, self.asked, name, place, available))
    }

    fn through_array(&self, at: usize) -> PlanError {
        let with = |step: Step| {
            let rest = &self.path.steps()[at..];
            let path =
                rest.iter().fold(self.outer.child(step), |path, step| path.child(step.clone()));
            path.to_string()
        };
        PlanError::ThroughArray {
            parameter: self.parameter.to_owned(),
            asked: self.asked.to_owned(),
            array: self.outer.to_string(),
            each: with(Step::Each),
            first: with(Step::Index(0)),
        }
    }
}
