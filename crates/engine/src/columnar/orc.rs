//! ORC: stripe by stripe, the needed columns only.

use std::io;
use std::sync::Arc;

use arrow_array::StructArray;
use arrow_schema::{
    DECIMAL128_MAX_PRECISION, DataType, Field, FieldRef, Fields, Schema, SchemaRef,
};
use bytes::Bytes;
use orc_rust::ArrowReaderBuilder;
use orc_rust::projection::ProjectionMask;
use orc_rust::reader::ChunkReader;
use orc_rust::reader::metadata::FileMetadata;
use orc_rust::stripe::Stripe;
use personalize_plan::glue::StructField;

use super::column::wanted_columns;
use super::orc_tail::{MAX_POSTSCRIPT, Tail, completed};
use super::orc_types::Footer;
use super::ranged::{Ranged, RangedReader};
use super::{BATCH_ROWS, Columnar, scalar, types};
use crate::content;
use crate::error::ConvertError;
use crate::input::Source;
use crate::projection::Projection;
use crate::rejects::Position;

const NAME: &str = "ORC";
const MAGIC: &[u8] = b"ORC";
/// What is read of the end at first: the footer, unless it is longer.
const TAIL: u64 = 16 * 1024;

/// An ORC file.
pub(crate) struct Orc {
    file: Whole,
    columns: Vec<StructField>,
    /// The rows of each stripe
    stripes: Vec<u64>,
}

impl Orc {
    /// Reads the footer.
    pub(crate) fn open(source: &Arc<Source>) -> Result<Self, ConvertError> {
        content::expect(source, MAGIC, NAME)?;
        let file = Whole::of(source).map_err(unreadable)?;
        file.check_types().map_err(unreadable)?;
        let builder = builder(&file)?;
        let stripes = builder.file_metadata().stripe_metadatas();
        Ok(Self {
            stripes: stripes.iter().map(|stripe| stripe.number_of_rows()).collect(),
            columns: types::columns(builder.schema().fields()),
            file,
        })
    }

    fn stripe_of(&self, row: u64) -> usize {
        let mut end = 0;
        let holds = |rows: &u64| {
            end += rows;
            row < end
        };
        self.stripes.iter().position(holds).unwrap_or(self.stripes.len())
    }
}

fn unreadable(fault: impl std::fmt::Display) -> ConvertError {
    ConvertError::Unreadable { format: NAME, fault: fault.to_string() }
}

fn builder(file: &Whole) -> Result<ArrowReaderBuilder<Whole>, ConvertError> {
    let builder = ArrowReaderBuilder::try_new(file.clone()).map_err(unreadable)?;
    Ok(builder.with_batch_size(BATCH_ROWS))
}

/// Whether times were written in a zone other than UTC.
fn has_zone(file: &Whole, metadata: &FileMetadata) -> Result<bool, ConvertError> {
    let nothing =
        metadata.root_data_type().project(&ProjectionMask::roots(metadata.root_data_type(), []));
    for stripe in metadata.stripe_metadatas() {
        let stripe =
            Stripe::new(&mut file.clone(), metadata, &nothing, stripe).map_err(unreadable)?;
        if stripe.writer_tz().is_some_and(|zone| !matches!(zone.name(), "UTC" | "GMT" | "Etc/UTC"))
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The schema with decimal numbers of seconds for timestamps: any other type is too short for some
/// years or too coarse for some fractions.
fn with_exact_timestamps(schema: &SchemaRef, zoned: bool) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| with_exact_timestamp(field, zoned));
    Arc::new(Schema::new_with_metadata(fields.collect::<Fields>(), schema.metadata().clone()))
}

fn with_exact_timestamp(field: &FieldRef, zoned: bool) -> FieldRef {
    let change = |field: &FieldRef| with_exact_timestamp(field, zoned);
    let data_type = match field.data_type() {
        DataType::Timestamp(_, zone) => {
            let is_local = zoned && zone.is_none();
            let mark = if is_local { scalar::LOCAL_TIME } else { scalar::UTC_TIME };
            let field = Field::clone(field)
                .with_data_type(DataType::Decimal128(DECIMAL128_MAX_PRECISION, 9))
                .with_metadata([(scalar::TIME.to_owned(), mark.to_owned())].into());
            return Arc::new(field);
        }
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(change).collect()),
        DataType::List(element) => DataType::List(change(element)),
        DataType::Map(entries, sorted) => DataType::Map(change(entries), *sorted),
        DataType::Union(kinds, mode) => {
            DataType::Union(kinds.iter().map(|(id, kind)| (id, change(kind))).collect(), *mode)
        }
        _ => return Arc::clone(field),
    };
    Arc::new(Field::clone(field).with_data_type(data_type))
}

impl Columnar for Orc {
    fn columns(&self) -> Vec<StructField> {
        self.columns.clone()
    }

    fn rows(&self) -> u64 {
        self.stripes.iter().sum()
    }

    fn read(
        &self,
        projection: &Projection,
        mut take: impl FnMut(StructArray, &dyn Fn(u64) -> Position) -> Result<bool, ConvertError>,
    ) -> Result<(), ConvertError> {
        let builder = builder(&self.file)?;
        let names = self.columns.iter().map(|column| column.name.as_str());
        let wanted = wanted_columns(names, projection);
        let metadata = builder.file_metadata();
        let mask = ProjectionMask::named_roots(metadata.root_data_type(), &wanted);
        let zoned = has_zone(&self.file, metadata)?;
        let builder = builder.with_projection(mask);
        let schema = with_exact_timestamps(&builder.schema(), zoned);
        let mut row = 0;
        for batch in builder.with_schema(Arc::clone(&schema)).build() {
            let batch = batch.map_err(|fault| ConvertError::Unreadable {
                format: NAME,
                fault: format!("stripe {}, behind row {row}: {fault}", self.stripe_of(row)),
            })?;
            let before = row;
            row += batch.num_rows() as u64;
            let position =
                |at| Position::Stripe { row: before + at + 1, stripe: self.stripe_of(before + at) };
            // The batch has fields of its own, without the schema's marks.
            let columns = batch.columns().to_vec();
            let batch = StructArray::try_new(schema.fields().clone(), columns, None);
            if !take(batch.map_err(unreadable)?, &position)? {
                return Ok(());
            }
        }
        if row != self.rows() {
            return Err(ConvertError::Unreadable {
                format: NAME,
                fault: format!("it ends behind row {row}, where the footer has {}", self.rows()),
            });
        }
        Ok(())
    }
}

/// A file whose tail is whole.
#[derive(Clone)]
struct Whole {
    ranged: Ranged,
    tail: Option<Tail>,
}

impl Whole {
    fn of(source: &Arc<Source>) -> io::Result<Self> {
        let size = source.size();
        let start = size.saturating_sub(TAIL);
        let ranged = Ranged::new(Arc::clone(source)).with_chunks(std::iter::once(start..size));
        let end = ranged.bytes(start, size - start)?;
        let last = &end[end.len().saturating_sub(MAX_POSTSCRIPT as usize + 1)..];
        let tail = completed(size, last);
        Ok(Self { ranged, tail })
    }

    /// Refuses types that the library must not see.
    fn check_types(&self) -> io::Result<()> {
        let size = self.len();
        let length = size.min(TAIL);
        let tail = self.get_bytes(size - length, length)?;
        let Some((postscript_length, before)) = tail.split_last() else { return Ok(()) };
        let Some(end) = before.len().checked_sub(usize::from(*postscript_length)) else {
            return Ok(());
        };
        let Some(footer) = Footer::of(&before[end..]) else { return Ok(()) };
        let bytes = match (end as u64).checked_sub(footer.length) {
            Some(start) => tail.slice(start as usize..end),
            None => {
                let end = size - length + end as u64;
                let Some(start) = end.checked_sub(footer.length) else { return Ok(()) };
                self.get_bytes(start, footer.length)?
            }
        };
        footer.check(bytes)
    }
}

impl ChunkReader for Whole {
    type T = RangedReader;

    fn len(&self) -> u64 {
        self.tail.as_ref().map_or(self.ranged.size(), Tail::file_size)
    }

    fn get_read(&self, offset: u64) -> io::Result<RangedReader> {
        Ok(self.ranged.reader(offset))
    }

    fn get_bytes(&self, offset: u64, length: u64) -> io::Result<Bytes> {
        let Some(tail) = &self.tail else {
            return self.ranged.bytes(offset, length);
        };
        let (before, rest) = tail.split(offset, length)?;
        if rest.is_empty() {
            return self.ranged.bytes(offset, before);
        }
        let mut bytes = self.ranged.bytes(offset.min(tail.start), before)?.to_vec();
        bytes.extend_from_slice(&rest);
        Ok(bytes.into())
    }
}
