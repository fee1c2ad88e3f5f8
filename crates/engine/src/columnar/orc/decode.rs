//! A stripe's columns, decoded side by side.
//!
//! The library copies what a column's decoder reads. Its own reader of a stripe holds both, of all
//! columns; here what was read of one is let go before the next is read.

use std::io;

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
use crate::columnar::BATCH_ROWS;
use crate::columnar::ranged::RangedReader;

pub(super) struct StripeDecoder {
    columns: Vec<Box<dyn ArrayBatchDecoder>>,
    /// Rows that are not decoded yet
    rows: usize,
}

impl StripeDecoder {
    /// Reads the columns of `root`, which become arrays of the types of `fields`.
    pub(super) fn new(
        mut file: StripeFile,
        metadata: &FileMetadata,
        root: &RootDataType,
        fields: &Fields,
        stripe: &StripeMetadata,
    ) -> Result<Self, OrcError> {
        let mut columns = Vec::new();
        for (column, field) in root.children().iter().zip(fields) {
            let index = column.data_type().column_index();
            let root = root.project(&ProjectionMask::roots(root, [index]));
            let streams = Stripe::new(&mut file, metadata, &root, stripe)?;
            for column in streams.columns() {
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

/// A file of which a stripe's footer is at hand: the library reads it for each column.
pub(super) struct StripeFile {
    file: Whole,
    footer: Bytes,
    footer_offset: u64,
}

impl StripeFile {
    pub(super) fn new(file: Whole, stripe: &StripeMetadata) -> io::Result<Self> {
        let footer_offset = stripe.footer_offset();
        let footer = file.get_bytes(footer_offset, stripe.footer_length())?;
        Ok(Self { file, footer, footer_offset })
    }
}

impl ChunkReader for StripeFile {
    type T = RangedReader;

    fn len(&self) -> u64 {
        self.file.len()
    }

    fn get_read(&self, offset: u64) -> io::Result<RangedReader> {
        self.file.get_read(offset)
    }

    fn get_bytes(&self, offset: u64, length: u64) -> io::Result<Bytes> {
        match offset == self.footer_offset && length == self.footer.len() as u64 {
            true => Ok(self.footer.clone()),
            false => self.file.get_bytes(offset, length),
        }
    }
}
