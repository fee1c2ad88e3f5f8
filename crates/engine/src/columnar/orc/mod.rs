//! ORC: stripe by stripe, the needed columns only.

mod decode;
mod protobuf;
mod stripe;
mod tail;
mod types;

use std::collections::HashMap;
use std::fmt::Display;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{Array as _, StructArray};
use arrow_schema::{
    DECIMAL128_MAX_PRECISION, DataType, Field, FieldRef, Fields, Schema, SchemaRef,
};
use bytes::Bytes;
use orc_rust::projection::ProjectionMask;
use orc_rust::reader::ChunkReader;
use orc_rust::reader::metadata::{FileMetadata, read_metadata};
use orc_rust::schema::RootDataType;
use personalize_plan::glue::StructField;

use self::decode::{StripeDecoder, StripeFile};
use self::stripe::{ColumnGroup, Columns, StripeFooter, footer_range};
use self::tail::{MAX_POSTSCRIPT, Tail, completed};
use self::types::Footer;
use super::column::wanted_columns;
use super::ranged::{Ranged, RangedReader};
use super::types::columns;
use super::{Columnar, scalar};
use crate::content;
use crate::error::ConvertError;
use crate::input::Source;
use crate::projection::Projection;
use crate::rejects::Position;

const NAME: &str = "ORC";
const MAGIC: &[u8] = b"ORC";
/// What is read of the end at first: the footer, unless it is longer.
const TAIL: u64 = 16 * 1024;
/// Stripes whose footers are asked for at the same time.
const FOOTERS_AT_ONCE: usize = 64;

/// An ORC file.
pub(crate) struct Orc {
    file: Whole,
    metadata: FileMetadata,
}

/// What is wanted of the stripes.
struct Wanted {
    groups: Vec<Vec<ColumnGroup>>,
    /// Whether times were written in a zone other than UTC
    is_zoned: bool,
}

impl Orc {
    /// Reads the footer.
    pub(crate) fn open(source: &Arc<Source>) -> Result<Self, ConvertError> {
        content::expect(source, MAGIC, NAME)?;
        let mut file = Whole::of(source).map_err(unreadable)?;
        file.check_types().map_err(unreadable)?;
        let metadata = read_metadata(&mut file).map_err(unreadable)?;
        Ok(Self { file, metadata })
    }

    /// Looks into the stripes' footers.
    fn wanted(&self, root: &RootDataType) -> Result<Wanted, ConvertError> {
        let columns = Columns::of(root);
        let mut wanted = Wanted { groups: Vec::new(), is_zoned: false };
        for stripes in self.metadata.stripe_metadatas().chunks(FOOTERS_AT_ONCE) {
            let footers = self.file.with_chunks(stripes.iter().map(footer_range));
            for stripe in stripes {
                let number = wanted.groups.len();
                let in_stripe =
                    |fault: &dyn Display| unreadable(format!("stripe {number}: {fault}"));
                let bytes = footers.get_bytes(stripe.footer_offset(), stripe.footer_length());
                let footer = bytes
                    .and_then(|bytes| StripeFooter::new(bytes, self.metadata.compression()))
                    .map_err(|fault| in_stripe(&fault))?;
                wanted.is_zoned |= footer.has_zone().map_err(|fault| in_stripe(&fault))?;
                let groups = footer.groups(stripe, &columns);
                wanted.groups.push(groups.map_err(|fault| in_stripe(&fault))?);
            }
        }
        Ok(wanted)
    }
}

fn unreadable(fault: impl Display) -> ConvertError {
    ConvertError::Unreadable { format: NAME, fault: fault.to_string() }
}

fn schema(of: &RootDataType) -> SchemaRef {
    Arc::new(of.create_arrow_schema(&HashMap::new()))
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
        columns(schema(self.metadata.root_data_type()).fields())
    }

    fn rows(&self) -> u64 {
        let stripes = self.metadata.stripe_metadatas().iter();
        stripes.fold(0, |rows, stripe| rows.saturating_add(stripe.number_of_rows()))
    }

    fn read(
        &self,
        projection: &Projection,
        mut take: impl FnMut(StructArray, &dyn Fn(u64) -> Position) -> Result<bool, ConvertError>,
    ) -> Result<(), ConvertError> {
        let root = self.metadata.root_data_type();
        let names = root.children().iter().map(|column| column.name());
        let names = wanted_columns(names, projection);
        let root = root.project(&ProjectionMask::named_roots(root, &names));
        let wanted = self.wanted(&root)?;
        let schema = with_exact_timestamps(&schema(&root), wanted.is_zoned);
        let stripes = self.metadata.stripe_metadatas().iter().zip(wanted.groups);
        let mut stripes = stripes
            .map(|(stripe, groups)| (stripe, StripeFile::new(&self.file, stripe, groups)))
            .enumerate()
            .peekable();
        let mut row = 0;
        while let Some((number, (stripe, file))) = stripes.next() {
            // The beginning of the next stripe comes while this one is converted.
            stripes.peek();
            let unreadable_behind = |row: u64, fault: &dyn Display| {
                unreadable(format!("stripe {number}, behind row {row}: {fault}"))
            };
            let decoder = StripeDecoder::new(file, &self.metadata, &root, schema.fields(), stripe);
            let mut decoder = decoder.map_err(|fault| unreadable_behind(row, &fault))?;
            let expected = row.saturating_add(stripe.number_of_rows());
            while let Some(columns) = decoder.next_batch() {
                let columns = columns.map_err(|fault| unreadable_behind(row, &fault))?;
                let batch = StructArray::try_new(schema.fields().clone(), columns, None);
                let batch = batch.map_err(|fault| unreadable_behind(row, &fault))?;
                let before = row;
                row += batch.len() as u64;
                let position = |at| Position::Stripe { row: before + at + 1, stripe: number };
                if !take(batch, &position)? {
                    return Ok(());
                }
            }
            if row != expected {
                return Err(unreadable(format!(
                    "stripe {number} ends behind row {row}, where the footer has {expected}"
                )));
            }
        }
        Ok(())
    }
}

/// A file whose tail is whole.
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

    /// The same file, of which these ranges will be read.
    fn with_chunks(&self, chunks: impl IntoIterator<Item = Range<u64>>) -> Self {
        Self { ranged: self.ranged.with_whole_chunks(chunks), tail: self.tail.clone() }
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

#[cfg(test)]
mod tests {
    use arrow_array::{ArrayRef, Int64Array, RecordBatch};
    use orc_rust::{ArrowReaderBuilder, ArrowWriterBuilder};

    use super::*;
    use crate::input::tests::Watched;

    const STRIPES: usize = 3;
    const ROWS: usize = 20_000;

    /// Stripes of so many rows of three columns of random numbers.
    fn file(stripes: usize, rows: usize) -> Bytes {
        let mut number = 1_u64;
        let mut column = || {
            let numbers = std::iter::repeat_with(|| {
                number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (number >> 1) as i64
            });
            Arc::new(Int64Array::from_iter_values(numbers.take(rows))) as ArrayRef
        };
        let mut file = Vec::new();
        let mut batch = || {
            RecordBatch::try_from_iter(["first", "idle", "last"].map(|name| (name, column())))
                .unwrap()
        };
        let mut writer = ArrowWriterBuilder::new(&mut file, batch().schema()).try_build().unwrap();
        for _ in 0..stripes {
            writer.write(&batch()).unwrap();
            writer.flush_stripe().unwrap();
        }
        writer.close().unwrap();
        file.into()
    }

    #[test]
    fn what_is_read_was_announced_and_is_of_wanted_columns() {
        let bytes = file(STRIPES, ROWS);
        let input = Watched::new(bytes.clone());
        let source = Source::new(Arc::clone(&input) as _);
        let orc = Orc::open(&source).unwrap();
        input.take_surprises();
        let before = source.bytes_read();
        let mut projection = Projection::empty();
        projection.add(&"first".parse().unwrap());
        projection.add(&"last".parse().unwrap());
        let mut rows = 0;
        orc.read(&projection, |batch, _| {
            assert_eq!(batch.column_names(), ["first", "last"]);
            if let Some(next) = orc.metadata.stripe_metadatas().get(rows / ROWS + 1) {
                let is_coming = input.announced().iter().any(|(start, _)| *start >= next.offset());
                assert!(is_coming, "the stripe behind row {rows}");
            }
            rows += batch.len();
            Ok(true)
        })
        .unwrap();
        assert_eq!(input.take_surprises(), [], "nobody knew of these");
        assert_eq!(input.announced(), [], "these were not read");
        let read = source.bytes_read() - before;
        assert!(read < bytes.len() as u64 * 7 / 10, "{read} of {}", bytes.len());
        assert_eq!(rows, STRIPES * ROWS);
    }

    #[test]
    fn columns_of_several_groups_are_those_of_the_librarys_own_reader() {
        let bytes = file(1, 600_000);
        let expected = ArrowReaderBuilder::try_new(bytes.clone()).unwrap().with_batch_size(2048);
        let mut expected = expected.build();
        let orc = Orc::open(&Source::new(Arc::new(bytes))).unwrap();
        assert_eq!(orc.wanted(orc.metadata.root_data_type()).unwrap().groups[0].len(), 3);
        orc.read(&Projection::everything(), |batch, _| {
            assert_eq!(batch.columns(), expected.next().unwrap().unwrap().columns());
            Ok(true)
        })
        .unwrap();
        assert!(expected.next().is_none());
    }
}
