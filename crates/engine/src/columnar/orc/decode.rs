//! A stripe's columns, decoded side by side.
//!
//! The library copies what a column's decoder reads, and its own reader of a stripe holds both, of
//! all columns. Here what was read of a group of columns is let go before the next is read.

use std::error::Error;
use std::io;
use std::ops::Range;

use arrow_array::ArrayRef;
use arrow_schema::Fields;
use bytes::Bytes;
use orc_rust::array_decoder::{ArrayBatchDecoder, array_decoder_factory};
use orc_rust::error::OrcError;
use orc_rust::projection::ProjectionMask;
use orc_rust::reader::ChunkReader;
use orc_rust::reader::metadata::FileMetadata;
use orc_rust::schema::RootDataType;
use orc_rust::stripe::{Stripe, StripeMetadata};

use super::Whole;
use super::stripe::{ColumnGroup, footer_range};
use crate::columnar::BATCH_ROWS;
use crate::columnar::ranged::RangedReader;

/// A stripe on its way.
pub(super) struct StripeFile {
    footer: Whole,
    groups: Vec<(ColumnGroup, Whole)>,
}

impl StripeFile {
    /// Announces what will be read.
    pub(super) fn new(file: &Whole, stripe: &StripeMetadata, groups: Vec<ColumnGroup>) -> Self {
        let footer = file.with_chunks([footer_range(stripe)]);
        let announced = |group: ColumnGroup| {
            let file = file.with_chunks(group.streams.iter().cloned());
            (group, file)
        };
        Self { footer, groups: groups.into_iter().map(announced).collect() }
    }
}

/// The decoders of a stripe's columns.
pub(super) struct StripeDecoder {
    columns: Vec<Box<dyn ArrayBatchDecoder>>,
    /// Rows that are not decoded yet
    rows: usize,
}

impl StripeDecoder {
    /// Reads the columns of `root`, which become arrays of the types of `fields`.
    pub(super) fn new(
        file: StripeFile,
        metadata: &FileMetadata,
        root: &RootDataType,
        fields: &Fields,
        stripe: &StripeMetadata,
    ) -> Result<Self, Box<dyn Error>> {
        let footer = file.footer.get_bytes(stripe.footer_offset(), stripe.footer_length())?;
        let mut columns = Vec::new();
        for (group, file) in file.groups {
            let indexes = root.children()[group.columns.clone()].iter();
            let indexes = indexes.map(|column| column.data_type().column_index());
            let fields = &fields[group.columns.clone()];
            let root = match fields.len() == root.children().len() {
                true => root.clone(),
                false => root.project(&ProjectionMask::roots(root, indexes)),
            };
            let mut file = GroupFile {
                file,
                group,
                footer: footer.clone(),
                footer_offset: stripe.footer_offset(),
                indexes: stripe.offset()..stripe.offset().saturating_add(stripe.index_length()),
            };
            let streams = Stripe::new(&mut file, metadata, &root, stripe)?;
            for (column, field) in streams.columns().iter().zip(fields) {
                columns.push(array_decoder_factory(column, field.data_type(), &streams)?);
            }
        }
        Ok(Self { columns, rows: stripe.number_of_rows() as usize })
    }

    /// The next rows of all columns; none behind the last.
    pub(super) fn next_batch(&mut self) -> Option<Result<Vec<ArrayRef>, OrcError>> {
        let rows = self.rows.min(BATCH_ROWS);
        if rows == 0 {
            return None;
        }
        self.rows -= rows;
        Some(self.columns.iter_mut().map(|column| column.next_batch(rows, None)).collect())
    }
}

/// A file as the library reads a group from it: it asks for the stripe's footer each time, and for
/// all streams of a column, although it needs no index.
struct GroupFile {
    file: Whole,
    group: ColumnGroup,
    footer: Bytes,
    footer_offset: u64,
    /// Where the stripe's indexes are
    indexes: Range<u64>,
}

impl ChunkReader for GroupFile {
    type T = RangedReader;

    fn len(&self) -> u64 {
        self.file.len()
    }

    fn get_read(&self, offset: u64) -> io::Result<RangedReader> {
        self.file.get_read(offset)
    }

    fn get_bytes(&self, offset: u64, length: u64) -> io::Result<Bytes> {
        if (offset, length) == (self.footer_offset, self.footer.len() as u64) {
            return Ok(self.footer.clone());
        }
        let is_index = self.indexes.contains(&offset) && !self.group.reads(offset);
        match is_index || length == 0 {
            true => Ok(Bytes::new()),
            false => self.file.get_bytes(offset, length),
        }
    }
}
