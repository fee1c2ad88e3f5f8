//! Parquet: row group by row group, the needed columns only.

use std::collections::HashSet;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::StructArray;
use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::basic::Type as PhysicalType;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetStatisticsPolicy, RowGroupMetaData};
use parquet::file::reader::{ChunkReader, Length};
use personalize_plan::glue::StructField;

use super::column::wanted_leaves;
use super::ranged::{Ranged, RangedReader};
use super::thrift::{self, Refusal};
use super::{BATCH_ROWS, Columnar, types};
use crate::content;
use crate::error::ConvertError;
use crate::input::Source;
use crate::projection::Projection;
use crate::rejects::Position;

const NAME: &str = "Parquet";
const MAGIC: &[u8] = b"PAR1";
/// What is read of the end at first: the footer, unless it is longer.
const TAIL: u64 = 64 * 1024;
/// The footer's length, and the magic once more.
const END: u64 = 8;
/// The longest header of a page. Nearly all are as short as the least.
const MAX_PAGE_HEADER: u64 = 16 * 1024 * 1024;
const LEAST_PAGE_HEADER: u64 = 64;

/// A Parquet file whose footer has been read.
pub(crate) struct Parquet {
    ranged: Ranged,
    metadata: ArrowReaderMetadata,
}

impl Parquet {
    /// Reads the footer.
    pub(crate) fn open(source: &Arc<Source>) -> Result<Self, ConvertError> {
        content::expect(source, MAGIC, NAME)?;
        let ranged = Ranged::new(Arc::clone(source));
        let tail = checked_tail(&ranged).map_err(unreadable)?;
        // What Arrow's own writers add says nothing that a row would be written differently for,
        // and statistics say nothing at all of rows that are all read.
        let options = || {
            ArrowReaderOptions::new()
                .with_skip_arrow_metadata(true)
                .with_column_stats_policy(ParquetStatisticsPolicy::SkipAll)
                .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll)
                .with_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll)
        };
        let metadata = ArrowReaderMetadata::load(&tail, options()).map_err(unreadable)?;
        let schema = with_long_timestamps(&metadata);
        let metadata = if schema == *metadata.schema() {
            metadata
        } else {
            let parquet = Arc::clone(metadata.metadata());
            ArrowReaderMetadata::try_new(parquet, options().with_schema(schema))
                .map_err(unreadable)?
        };
        Ok(Self { ranged, metadata })
    }
}

impl Columnar for Parquet {
    fn columns(&self) -> Vec<StructField> {
        types::columns(self.metadata.schema().fields())
    }

    fn rows(&self) -> u64 {
        let groups = self.metadata.metadata().row_groups().iter();
        groups.map(|group| u64::try_from(group.num_rows()).unwrap_or_default()).sum()
    }

    fn read(
        &self,
        projection: &Projection,
        mut take: impl FnMut(StructArray, &dyn Fn(u64) -> Position) -> Result<bool, ConvertError>,
    ) -> Result<(), ConvertError> {
        let leaves = wanted_leaves(self.metadata.schema().fields(), projection);
        let groups = self.metadata.metadata().row_groups();
        let pages = |group: &RowGroupMetaData| {
            let columns = leaves.iter().filter_map(|leaf| group.columns().get(*leaf));
            let chunks = columns.map(|column| {
                let (start, length) = column.byte_range();
                start..start.saturating_add(length)
            });
            Pages::new(&self.ranged, &chunks.collect::<Vec<_>>())
        };
        let mut groups = groups.iter().map(|group| (group, pages(group))).enumerate().peekable();
        let mut row = 0;
        while let Some((number, (group, pages))) = groups.next() {
            // The beginning of the next row group comes while this one is converted.
            groups.peek();
            let mask =
                ProjectionMask::leaves(self.metadata.parquet_schema(), leaves.iter().copied());
            let batches =
                ParquetRecordBatchReaderBuilder::new_with_metadata(pages, self.metadata.clone())
                    .with_row_groups(vec![number])
                    .with_projection(mask)
                    .with_batch_size(BATCH_ROWS)
                    .build()
                    .map_err(unreadable)?;
            let expected = row + u64::try_from(group.num_rows()).unwrap_or_default();
            for batch in batches {
                let batch = batch.map_err(|fault| ConvertError::Unreadable {
                    format: NAME,
                    fault: format!("row group {number}, behind row {row}: {fault}"),
                })?;
                let before = row;
                row += batch.num_rows() as u64;
                let position = |at| Position::RowGroup { row: before + at + 1, row_group: number };
                if !take(batch.into(), &position)? {
                    return Ok(());
                }
            }
            if row != expected {
                return Err(ConvertError::Unreadable {
                    format: NAME,
                    fault: format!(
                        "row group {number} ends behind row {row}, where the footer has {expected}"
                    ),
                });
            }
        }
        Ok(())
    }
}

/// The end of the file, at hand, with a footer that is safe to read.
fn checked_tail(ranged: &Ranged) -> Result<Ranged, ParquetError> {
    let size = ranged.size();
    let mut start = size.saturating_sub(TAIL);
    let mut tail = ranged.with_chunks(std::iter::once(start..size));
    let mut bytes = tail.bytes(start, size - start)?;
    let Some(length) =
        bytes.len().checked_sub(END as usize).and_then(|at| bytes[at..].first_chunk())
    else {
        return Ok(tail);
    };
    let length = u64::from(u32::from_le_bytes(*length)) + END;
    if length > size {
        return Ok(tail);
    }
    if size - length < start {
        start = size - length;
        tail = ranged.with_chunks(std::iter::once(start..size));
        bytes = tail.bytes(start, length)?;
    }
    let footer = &bytes[bytes.len() - length as usize..bytes.len() - END as usize];
    thrift::check_footer(footer).map_err(|refusal| ParquetError::General(refusal.to_string()))?;
    Ok(tail)
}

/// A row group's pages, whose headers are checked before they are read.
struct Pages {
    ranged: Ranged,
    /// Where headers are, as far as is known; what else is asked for is in a page.
    headers: Mutex<HashSet<u64>>,
}

impl Pages {
    fn new(ranged: &Ranged, chunks: &[Range<u64>]) -> Self {
        Self {
            ranged: ranged.with_chunks(chunks.iter().cloned()),
            headers: Mutex::new(chunks.iter().map(|chunk| chunk.start).collect()),
        }
    }

    /// Checks the header at `start`, and gives the place behind its page.
    fn checked(&self, start: u64) -> Result<u64, ParquetError> {
        let refused = |refusal: Refusal| ParquetError::General(refusal.to_string());
        let rest = self.ranged.size().saturating_sub(start);
        let mut bytes = self.ranged.peek(start, LEAST_PAGE_HEADER)?;
        loop {
            if let Some(length) = thrift::check_page(&bytes).map_err(refused)? {
                return Ok(start.saturating_add(length));
            }
            let most = (bytes.len() as u64 * 8).clamp(LEAST_PAGE_HEADER, MAX_PAGE_HEADER).min(rest);
            if most <= bytes.len() as u64 {
                return Err(refused(Refusal::Header));
            }
            bytes = self.ranged.bytes(start, most)?;
        }
    }
}

impl Length for Pages {
    fn len(&self) -> u64 {
        self.ranged.size()
    }
}

impl ChunkReader for Pages {
    type T = RangedReader;

    fn get_read(&self, start: u64) -> parquet::errors::Result<RangedReader> {
        let mut headers = self.headers.lock().unwrap_or_else(PoisonError::into_inner);
        if headers.contains(&start) {
            headers.insert(self.checked(start)?);
        }
        drop(headers);
        self.ranged.get_read(start)
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        self.ranged.get_bytes(start, length)
    }
}

impl Length for Ranged {
    fn len(&self) -> u64 {
        self.size()
    }
}

impl ChunkReader for Ranged {
    type T = RangedReader;

    fn get_read(&self, start: u64) -> parquet::errors::Result<RangedReader> {
        Ok(self.reader(start))
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        let bytes: io::Result<Bytes> = self.bytes(start, length as u64);
        Ok(bytes?)
    }
}

fn unreadable(fault: ParquetError) -> ConvertError {
    let fault = match fault {
        // Without the word that it is an error of Parquet.
        ParquetError::General(fault) => fault,
        other => other.to_string(),
    };
    ConvertError::Unreadable { format: NAME, fault }
}

/// The schema with microseconds for the old INT96, whose nanoseconds would run over in the year
/// 2262.
fn with_long_timestamps(metadata: &ArrowReaderMetadata) -> SchemaRef {
    let mut leaf = 0;
    let schema = metadata.schema();
    let fields = schema.fields().iter();
    let fields: Vec<FieldRef> =
        fields.map(|field| with_long_timestamp(field, &mut leaf, metadata)).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

fn with_long_timestamp(
    field: &FieldRef,
    leaf: &mut usize,
    metadata: &ArrowReaderMetadata,
) -> FieldRef {
    let mut change = |field: &FieldRef| with_long_timestamp(field, leaf, metadata);
    let data_type = match field.data_type() {
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(change).collect()),
        DataType::List(element) => DataType::List(change(element)),
        DataType::Map(entries, sorted) => DataType::Map(change(entries), *sorted),
        scalar => {
            let column = metadata.parquet_schema().columns().get(*leaf);
            *leaf += 1;
            match column.map(|column| column.physical_type()) {
                Some(PhysicalType::INT96) => DataType::Timestamp(TimeUnit::Microsecond, None),
                _ => scalar.clone(),
            }
        }
    };
    Arc::new(Field::clone(field).with_data_type(data_type))
}
