//! Columnar formats: batches of rows in Arrow's arrays, of which the plan's columns are read.

mod batch;
mod column;
mod direct;
mod orc;
mod parquet;
mod ranged;
mod scalar;
mod thrift;
mod types;

use std::io::Write;

use arrow_array::{Array as _, StructArray};
use personalize_plan::glue::StructField;

use crate::convert::{Outcome, READY_ROWS};
use crate::error::ConvertError;
use crate::projection::Projection;
use crate::rejects::{Content, Position};
use crate::run::Run;
use batch::Rows;
pub(crate) use orc::Orc;
pub(crate) use parquet::Parquet;

/// Rows that are decoded at once: enough to be fast, few enough for wide rows.
const BATCH_ROWS: usize = 2048;

/// An open file of a columnar format.
pub(crate) trait Columnar {
    /// The columns at the top, with the types that a crawler would record.
    fn columns(&self) -> Vec<StructField>;

    /// How many rows there are.
    fn rows(&self) -> u64;

    /// Hands on batch after batch of the wanted columns, with the positions of their rows, until
    /// that is no more wanted.
    fn read(
        &self,
        projection: &Projection,
        take: impl FnMut(StructArray, &dyn Fn(u64) -> Position) -> Result<bool, ConvertError>,
    ) -> Result<(), ConvertError>;
}

/// Hands on rows as JSON objects, until that is no more wanted.
pub(crate) fn objects(
    file: &impl Columnar,
    mut take: impl FnMut(&str) -> bool,
) -> Result<(), ConvertError> {
    file.read(&Projection::everything(), |batch, _| {
        let rows = Rows::new(&batch, &Projection::empty());
        Ok((0..batch.len()).all(|row| take(&rows.json(row))))
    })
}

/// Converts every row of a file.
pub(crate) fn convert<W: Write, J: Write>(
    file: &impl Columnar,
    run: &mut Run<'_, W, J>,
) -> Result<(), ConvertError> {
    let projection = run.mapping.projection.clone();
    file.read(&projection, |batch, position| {
        let mut rows = Rows::new(&batch, &projection);
        for first in (0..batch.len()).step_by(READY_ROWS) {
            let some = first..batch.len().min(first + READY_ROWS);
            let can_be_ready = run.mapping.takes_ready_rows();
            if can_be_ready {
                run.make_ready(|slot, field| rows.make_ready(slot, some.clone(), field));
            }
            for row in some {
                let outcome = match can_be_ready {
                    true if run.copy_ready(row - first) => Outcome::Written { rows: 1 },
                    true => run.convert_ready(row - first, rows.read(row)),
                    false => run.convert(rows.read(row)),
                };
                if let Some(fault) = run.count(outcome)? {
                    run.reject(fault, position(row as u64), Content::Record(&rows.json(row)))?;
                }
            }
        }
        Ok(true)
    })
}
