//! Avro object container files: block by block, each datum a record.

mod container;
mod datum;
mod schema;

use std::io::{Read, Write};

use personalize_plan::glue::StructField;

use crate::compression::Compression;
use crate::error::ConvertError;
use crate::rejects::{Content, Position};
use crate::row::Row;
use crate::run::Run;
use container::Container;
use datum::{Cursor, Decoder, write_json};
use schema::Schema;

const NAME: &str = "Avro";

/// An Avro file whose header has been read.
pub(crate) struct Avro<R> {
    container: Container<R>,
    schema: Schema,
}

impl<R: Read> Avro<R> {
    /// Reads the header; `compression` is what was undone around the file.
    pub(crate) fn open(reader: R, compression: Compression) -> Result<Self, ConvertError> {
        let container = Container::open(reader, compression)?;
        let schema = Schema::parse(&container.schema).map_err(unreadable)?;
        Ok(Self { container, schema })
    }

    /// The schema as it stands in the file.
    pub(crate) fn schema_text(&self) -> &[u8] {
        &self.container.schema
    }

    /// The columns that a crawler would record.
    pub(crate) fn columns(&self) -> Vec<StructField> {
        self.schema.columns()
    }

    /// Hands on records as JSON objects, until that is no more wanted.
    pub(crate) fn objects(
        mut self,
        mut take: impl FnMut(&str) -> bool,
    ) -> Result<(), ConvertError> {
        let mut object = String::new();
        while let Some(block) = self.container.next()? {
            let mut cursor = Cursor::new(block.bytes);
            for _ in 0..block.count {
                object.clear();
                write_json(&self.schema, &mut cursor, self.schema.root, &mut object, 0)
                    .map_err(unreadable)?;
                if !take(&object) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Converts every record.
    pub(crate) fn convert<W: Write, J: Write>(
        mut self,
        run: &mut Run<'_, W, J>,
    ) -> Result<(), ConvertError> {
        let projection = run.mapping.projection.clone();
        let mut decoder = Decoder::new(&self.schema, &projection);
        let (mut row, mut number) = (0, 0);
        while let Some(block) = self.container.next()? {
            run.counts.bytes_decoded += block.bytes.len() as u64;
            let fault = |row: u64, fault: &dyn std::fmt::Display| ConvertError::Unreadable {
                format: NAME,
                fault: format!("block {number}, record {}: {fault}", row + 1),
            };
            let mut found = Row::new(&projection);
            let mut cursor = Cursor::new(block.bytes);
            for _ in 0..block.count {
                let mut begin = cursor;
                decoder.decode(&mut cursor, &mut found).map_err(|f| fault(row, &f))?;
                row += 1;
                let outcome = run.convert(&found);
                if let Some(reason) = run.count(outcome)? {
                    let mut object = String::new();
                    write_json(&self.schema, &mut begin, self.schema.root, &mut object, 0)
                        .map_err(|f| fault(row, &f))?;
                    let position = Position::Block { row, block: number };
                    run.reject(reason, position, Content::Record(&object))?;
                }
            }
            if cursor.left() > 0 {
                let left = cursor.left();
                return Err(fault(row, &format_args!("{left} bytes are left behind the last one")));
            }
            number += 1;
        }
        Ok(())
    }
}

fn unreadable(fault: impl std::fmt::Display) -> ConvertError {
    ConvertError::Unreadable { format: NAME, fault: fault.to_string() }
}
