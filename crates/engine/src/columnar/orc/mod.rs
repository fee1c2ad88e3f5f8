//! ORC: stripe by stripe, the needed columns only, each stream piece by piece.

mod columns;
mod compression;
mod fault;
mod integers;
mod protobuf;
mod runs;
mod stripe;
mod tail;
mod types;
mod values;
mod zone;

use std::collections::BTreeSet;
use std::fmt::Display;
use std::io;
use std::sync::Arc;

use arrow_array::{Array as _, ArrayRef, StructArray};
use arrow_schema::{DECIMAL128_MAX_PRECISION, DataType, Field, FieldRef, Fields};
use personalize_plan::glue::StructField;

use self::columns::Column;
use self::fault::Fault;
use self::stripe::{Stripe, StripeFooter};
use self::tail::{StripePlace, Tail};
use self::types::{Member, fields};
use self::zone::Zone;
use super::column::wanted_columns;
use super::ranged::Ranged;
use super::types::columns;
use super::{BATCH_ROWS, Columnar, scalar};
use crate::content;
use crate::error::ConvertError;
use crate::input::Source;
use crate::projection::Projection;
use crate::rejects::Position;

const NAME: &str = "ORC";
const MAGIC: &[u8] = b"ORC";
/// Stripes whose footers are asked for at the same time.
const FOOTERS_AT_ONCE: usize = 64;

/// An ORC file.
pub(crate) struct Orc {
    file: Ranged,
    tail: Tail,
}

impl Orc {
    /// Reads the footer.
    pub(crate) fn open(source: &Arc<Source>) -> Result<Self, ConvertError> {
        content::expect(source, MAGIC, NAME)?;
        let file = Ranged::new(Arc::clone(source));
        let tail = Tail::read(&file).map_err(unreadable)?;
        Ok(Self { file, tail })
    }

    /// The columns at the top that the projection goes into.
    fn wanted_members(&self, projection: &Projection) -> Vec<Member> {
        let members = self.tail.columns.iter();
        let names = wanted_columns(members.clone().map(|member| member.name.as_str()), projection);
        members.filter(|member| names.contains(&member.name.as_str())).cloned().collect()
    }

    /// The numbers of these columns and of those in them.
    fn column_numbers(&self, members: &[Member]) -> Result<BTreeSet<u64>, ConvertError> {
        let mut numbers = BTreeSet::new();
        for member in members {
            let mut own = Vec::new();
            member.member_type.columns(&mut own);
            // What encrypts the root encrypts all.
            let is_encrypted = |column: &u64| *column == 0 || own.contains(column);
            if self.tail.encrypted.iter().any(is_encrypted) {
                return Err(unreadable(Fault::Encrypted.in_column(&member.name)));
            }
            numbers.extend(own);
        }
        Ok(numbers)
    }

    /// The stripes on their way, with how many rows each has; of these columns.
    fn stripes(
        &self,
        columns: &BTreeSet<u64>,
    ) -> impl Iterator<Item = Result<(Stripe, u64), Fault>> {
        self.tail.stripes.chunks(FOOTERS_AT_ONCE).flat_map(move |places| {
            let footers = self.file.with_chunks(places.iter().map(StripePlace::footer));
            places.iter().map(move |place| {
                let range = place.footer();
                let footer = footers.bytes(range.start, range.end - range.start)?;
                let compression = self.tail.compression;
                let footer = StripeFooter::new(footer, compression, place, columns)?;
                Ok((Stripe::new(&self.file, footer, compression), place.rows))
            })
        })
    }
}

fn unreadable(fault: impl Display) -> ConvertError {
    ConvertError::Unreadable { format: NAME, fault: fault.to_string() }
}

/// The columns with decimal numbers of seconds for timestamps: any other type is too short for some
/// years or too coarse for some fractions.
fn with_exact_timestamps(fields: &Fields, zoned: bool) -> Fields {
    fields.iter().map(|field| with_exact_timestamp(field, zoned)).collect()
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

/// How many rows are decoded at once: few at first, then as many as do not take much memory.
struct BatchRows(usize);

impl BatchRows {
    const FIRST: usize = 16;
    const MOST_BYTES: usize = 4 * 1024 * 1024;

    /// Goes by what some rows took.
    fn adapt(&mut self, rows: usize, arrays: &[ArrayRef]) {
        let bytes: usize = arrays.iter().map(|array| array.get_array_memory_size()).sum();
        let fitting = rows.saturating_mul(Self::MOST_BYTES) / bytes.max(1);
        self.0 = fitting.clamp(1, BATCH_ROWS.min(8 * self.0));
    }
}

/// The columns of a stripe, side by side.
struct Batches<'f> {
    members: &'f [Member],
    columns: Vec<Column>,
    /// Rows that are not decoded yet
    rows: u64,
}

impl<'f> Batches<'f> {
    fn new(members: &'f [Member], fields: &Fields, stripe: &Stripe, rows: u64) -> io::Result<Self> {
        // Rows without any are as many as a footer likes.
        if !stripe.has_data() {
            return Err(io::Error::other(Fault::NoData));
        }
        let columns = members.iter().zip(fields).map(|(member, field)| {
            Column::new(&member.member_type, field, stripe)
                .map_err(|fault| fault.in_column(&member.name))
        });
        Ok(Self { members, columns: columns.collect::<Result<_, _>>()?, rows })
    }

    /// The next rows, and how many they are; none behind the last.
    fn next(&mut self, most: &BatchRows) -> Option<io::Result<(usize, Vec<ArrayRef>)>> {
        let rows = self.rows.min(most.0 as u64);
        if rows == 0 {
            return None;
        }
        self.rows -= rows;
        let rows = rows as usize;
        let arrays = self.columns.iter_mut().zip(self.members).map(|(column, member)| {
            column.next(rows, None).map_err(|fault| fault.in_column(&member.name))
        });
        Some(arrays.collect::<Result<_, _>>().map(|arrays| (rows, arrays)))
    }
}

impl Columnar for Orc {
    fn columns(&self) -> Vec<StructField> {
        columns(&fields(&self.tail.columns))
    }

    fn rows(&self) -> u64 {
        self.tail.stripes.iter().fold(0, |rows, stripe| rows.saturating_add(stripe.rows))
    }

    fn read(
        &self,
        projection: &Projection,
        mut take: impl FnMut(StructArray, &dyn Fn(u64) -> Position) -> Result<bool, ConvertError>,
    ) -> Result<(), ConvertError> {
        let members = self.wanted_members(projection);
        let numbers = self.column_numbers(&members)?;
        let plain = fields(&members);
        let mut stripes = self.stripes(&numbers).enumerate().peekable();
        let mut batch_rows = BatchRows(BatchRows::FIRST);
        let mut row = 0;
        while let Some((number, stripe)) = stripes.next() {
            // The beginning of the next stripe comes while this one is converted.
            stripes.peek();
            let unreadable_behind = |row: u64, fault: &dyn Display| {
                unreadable(format!("stripe {number}, behind row {row}: {fault}"))
            };
            let (stripe, rows) = stripe.map_err(|fault| unreadable_behind(row, &fault))?;
            if rows == 0 {
                continue;
            }
            let fields = with_exact_timestamps(&plain, matches!(stripe.zone(), Ok(Zone::Named(_))));
            let batches = Batches::new(&members, &fields, &stripe, rows);
            let mut batches = batches.map_err(|fault| unreadable_behind(row, &fault))?;
            while let Some(batch) = batches.next(&batch_rows) {
                let (rows, arrays) = batch.map_err(|fault| unreadable_behind(row, &fault))?;
                batch_rows.adapt(rows, &arrays);
                let batch = StructArray::try_new_with_length(fields.clone(), arrays, None, rows);
                let batch = batch.map_err(|fault| unreadable_behind(row, &fault))?;
                let before = row;
                row += batch.len() as u64;
                let position = |at| Position::Stripe { row: before + at + 1, stripe: number };
                if !take(batch, &position)? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::Int64Array;
    use arrow_array::cast::AsArray as _;
    use arrow_array::types::Int64Type;
    use bytes::Bytes;

    use super::protobuf::tests::{push_bytes, push_number, push_varint};
    use super::*;
    use crate::input::tests::Watched;

    const STRIPES: usize = 3;
    const COLUMNS: [&str; 3] = ["first", "idle", "last"];

    fn numbers(rows: usize, mut number: u64) -> Vec<i64> {
        let next = || {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            number as i64
        };
        std::iter::repeat_with(next).take(rows).collect()
    }

    /// A file with so many rows of random numbers in each stripe, not compressed.
    fn file(rows: usize) -> Bytes {
        let (mut file, mut footer) = (b"ORC".to_vec(), Vec::new());
        for stripe in 0..STRIPES {
            let start = file.len();
            let mut stripe_footer = Vec::new();
            for column in 1..=COLUMNS.len() {
                let before = file.len();
                for literals in numbers(rows, (stripe * COLUMNS.len() + column) as u64).chunks(128)
                {
                    file.push((256 - literals.len()) as u8);
                    for number in literals {
                        push_varint(&mut file, (number << 1 ^ number >> 63) as u64);
                    }
                }
                let mut stream = Vec::new();
                for (field, number) in [(1, 1), (2, column), (3, file.len() - before)] {
                    push_number(&mut stream, field, number as u64);
                }
                push_bytes(&mut stripe_footer, 1, &stream);
            }
            (0..=COLUMNS.len()).for_each(|_| push_bytes(&mut stripe_footer, 2, &[]));
            let mut place = Vec::new();
            let length = file.len() - start;
            for (field, number) in [(1, start), (3, length), (4, stripe_footer.len()), (5, rows)] {
                push_number(&mut place, field, number as u64);
            }
            push_bytes(&mut footer, 3, &place);
            file.extend(stripe_footer);
        }
        let mut root = vec![0x08, 12, 0x12, COLUMNS.len() as u8];
        root.extend(1..=COLUMNS.len() as u8);
        COLUMNS.iter().for_each(|name| push_bytes(&mut root, 3, name.as_bytes()));
        push_bytes(&mut footer, 4, &root);
        COLUMNS.iter().for_each(|_| push_bytes(&mut footer, 4, &[0x08, 4]));
        let mut postscript = Vec::new();
        push_number(&mut postscript, 1, footer.len() as u64);
        file.extend(footer);
        file.extend_from_slice(&postscript);
        file.push(postscript.len() as u8);
        file.into()
    }

    /// Reads two columns of three.
    fn read(rows: usize) {
        let bytes = file(rows);
        let input = Watched::new(bytes.clone());
        let source = Source::new(Arc::clone(&input) as _);
        let orc = Orc::open(&source).unwrap();
        assert_eq!(orc.rows(), (STRIPES * rows) as u64);
        input.take_surprises();
        let before = source.bytes_read();
        let mut projection = Projection::empty();
        projection.add(&"first".parse().unwrap());
        projection.add(&"last".parse().unwrap());
        let mut found = [Vec::new(), Vec::new()];
        orc.read(&projection, |batch, _| {
            assert_eq!(batch.column_names(), ["first", "last"]);
            if let Some(next) = orc.tail.stripes.get(found[0].len() / rows + 1) {
                let is_coming = input.announced().iter().any(|(start, _)| *start >= next.offset);
                assert!(is_coming, "the stripe behind row {}", found[0].len());
            }
            for (found, column) in found.iter_mut().zip(batch.columns()) {
                found.extend_from_slice(column.as_primitive::<Int64Type>().values());
            }
            Ok(true)
        })
        .unwrap();
        for (found, column) in found.iter().zip([1, 3]) {
            let stripes = (0..STRIPES).map(|stripe| numbers(rows, (stripe * 3 + column) as u64));
            assert!(*found == stripes.collect::<Vec<_>>().concat(), "column {column}");
        }
        assert_eq!(input.take_surprises(), [], "nobody knew of these");
        assert_eq!(input.announced(), [], "these were not read");
        let read = source.bytes_read() - before;
        assert!(read < bytes.len() as u64 * 7 / 10, "{read} of {}", bytes.len());
    }

    #[test]
    fn what_is_read_was_announced_and_is_of_wanted_columns() {
        read(20_000);
    }

    #[test]
    fn long_streams_are_read_piece_by_piece() {
        read(700_000);
    }

    #[test]
    fn faults_tell_the_stripe_and_the_column() {
        let mut bytes = file(5_000).to_vec();
        // Numbers that do not end, at the end of the first stripe.
        let at = bytes.len() * 29 / 90;
        bytes[at..at + 40].fill(0xff);
        let orc = Orc::open(&Source::new(Arc::new(Bytes::from(bytes)))).unwrap();
        let fault = orc.read(&Projection::everything(), |_, _| Ok(true)).unwrap_err().to_string();
        assert!(fault.contains("stripe 0, behind row 3216: column `last`: "), "{fault}");
    }

    #[test]
    fn rows_without_data_are_refused() {
        let place = StripePlace::default();
        let footer = StripeFooter::new(Bytes::new(), None, &place, &BTreeSet::new()).unwrap();
        let file = Ranged::new(Source::new(Arc::new(Bytes::new())));
        let stripe = Stripe::new(&file, footer, None);
        let fault = Batches::new(&[], &Fields::empty(), &stripe, 1).err().unwrap().to_string();
        assert_eq!(fault, "it has rows, but no data of the columns that are read");
    }

    #[test]
    fn as_many_rows_are_decoded_as_take_not_much_memory() {
        let array = |count: usize| vec![Arc::new(Int64Array::from(vec![0; count])) as ArrayRef];
        let mut rows = BatchRows(BatchRows::FIRST);
        let mut grown = Vec::new();
        for _ in 0..4 {
            rows.adapt(rows.0, &array(rows.0));
            grown.push(rows.0);
        }
        assert_eq!(grown, [128, 1024, BATCH_ROWS, BATCH_ROWS]);
        rows.adapt(32, &array(BatchRows::MOST_BYTES / 2));
        assert!((6..=8).contains(&rows.0), "{}", rows.0);
        rows.adapt(1, &array(BatchRows::MOST_BYTES));
        assert_eq!(rows.0, 1);
    }
}
