//! Single values of Arrow's arrays.

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type,
    DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType, DurationSecondType,
    Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    Array, BinaryArray, BooleanArray, FixedSizeBinaryArray, LargeBinaryArray, LargeStringArray,
    StringArray,
};
use arrow_schema::{DataType, Field, TimeUnit};

use crate::json::write;
use crate::row::{Held, bytes, float, push_decimal, push_integer, push_uuid, text};
use crate::time::{Time, push_time_of_day};
use crate::value::Value;

/// Marks a column of decimal numbers as times, in seconds.
pub(crate) const TIME: &str = "time";
/// The value of that mark for instants, and for times that had no zone where they were written.
pub(crate) const UTC_TIME: &str = "utc";
/// The value of that mark for times of another zone, as its clocks showed them.
pub(crate) const LOCAL_TIME: &str = "local";
/// The first second whose zone's summer time is not known: that of 2038.
const UNKNOWN_ZONE: i64 = 2_145_916_800;

/// The values of a column that holds one in each row.
pub(crate) enum Scalars<'b> {
    Nulls,
    Booleans(&'b BooleanArray),
    Int8(&'b [i8]),
    Int16(&'b [i16]),
    Int32(&'b [i32]),
    Int64(&'b [i64]),
    UInt8(&'b [u8]),
    UInt16(&'b [u16]),
    UInt32(&'b [u32]),
    UInt64(&'b [u64]),
    Float16(&'b arrow_array::Float16Array),
    Float32(&'b [f32]),
    Float64(&'b [f64]),
    Decimal32(&'b [i32], i8),
    Decimal64(&'b [i64], i8),
    Decimal128(&'b [i128], i8),
    Decimal256(&'b arrow_array::Decimal256Array, i8),
    Texts(&'b StringArray),
    LargeTexts(&'b LargeStringArray),
    Bytes(&'b BinaryArray),
    LargeBytes(&'b LargeBinaryArray),
    FixedBytes(&'b FixedSizeBinaryArray),
    Uuids(&'b FixedSizeBinaryArray),
    Dates(&'b [i32]),
    DateMilliseconds(&'b [i64]),
    /// With how many units make a second
    Timestamps(&'b [i64], i64),
    /// The same, for nanoseconds of any year
    Nanoseconds {
        values: &'b [i128],
        is_local: bool,
    },
    Times32(&'b [i32], i64),
    Times64(&'b [i64], i64),
    /// Of a type that no cell can be made of
    Others,
}

/// How many of a unit make a second.
fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

impl<'b> Scalars<'b> {
    pub(crate) fn of(field: &Field, array: &'b dyn Array) -> Self {
        use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
        match array.data_type() {
            DataType::Null => Self::Nulls,
            DataType::Boolean => Self::Booleans(array.as_boolean()),
            DataType::Int8 => Self::Int8(array.as_primitive::<Int8Type>().values()),
            DataType::Int16 => Self::Int16(array.as_primitive::<Int16Type>().values()),
            DataType::Int32 => Self::Int32(array.as_primitive::<Int32Type>().values()),
            DataType::Int64 => Self::Int64(array.as_primitive::<Int64Type>().values()),
            DataType::UInt8 => Self::UInt8(array.as_primitive::<UInt8Type>().values()),
            DataType::UInt16 => Self::UInt16(array.as_primitive::<UInt16Type>().values()),
            DataType::UInt32 => Self::UInt32(array.as_primitive::<UInt32Type>().values()),
            DataType::UInt64 => Self::UInt64(array.as_primitive::<UInt64Type>().values()),
            DataType::Float16 => Self::Float16(array.as_primitive::<Float16Type>()),
            DataType::Float32 => Self::Float32(array.as_primitive::<Float32Type>().values()),
            DataType::Float64 => Self::Float64(array.as_primitive::<Float64Type>().values()),
            DataType::Decimal32(_, scale) => {
                Self::Decimal32(array.as_primitive::<Decimal32Type>().values(), *scale)
            }
            DataType::Decimal64(_, scale) => {
                Self::Decimal64(array.as_primitive::<Decimal64Type>().values(), *scale)
            }
            DataType::Decimal128(_, 9) if field.metadata().contains_key(TIME) => {
                let values = array.as_primitive::<Decimal128Type>().values();
                let is_local = field.metadata()[TIME] == LOCAL_TIME;
                Self::Nanoseconds { values, is_local }
            }
            DataType::Decimal128(_, scale) => {
                Self::Decimal128(array.as_primitive::<Decimal128Type>().values(), *scale)
            }
            DataType::Decimal256(_, scale) => {
                Self::Decimal256(array.as_primitive::<Decimal256Type>(), *scale)
            }
            DataType::Utf8 => Self::Texts(array.as_string()),
            DataType::LargeUtf8 => Self::LargeTexts(array.as_string()),
            DataType::Binary => Self::Bytes(array.as_binary()),
            DataType::LargeBinary => Self::LargeBytes(array.as_binary()),
            DataType::FixedSizeBinary(16) if field.extension_type_name() == Some("arrow.uuid") => {
                Self::Uuids(array.as_fixed_size_binary())
            }
            DataType::FixedSizeBinary(_) => Self::FixedBytes(array.as_fixed_size_binary()),
            DataType::Date32 => Self::Dates(array.as_primitive::<Date32Type>().values()),
            DataType::Date64 => Self::DateMilliseconds(array.as_primitive::<Date64Type>().values()),
            DataType::Timestamp(unit, _) => {
                let values = match unit {
                    Second => array.as_primitive::<TimestampSecondType>().values(),
                    Millisecond => array.as_primitive::<TimestampMillisecondType>().values(),
                    Microsecond => array.as_primitive::<TimestampMicrosecondType>().values(),
                    Nanosecond => array.as_primitive::<TimestampNanosecondType>().values(),
                };
                Self::Timestamps(values, per_second(*unit))
            }
            DataType::Time32(Second) => {
                Self::Times32(array.as_primitive::<Time32SecondType>().values(), 1)
            }
            DataType::Time32(_) => {
                Self::Times32(array.as_primitive::<Time32MillisecondType>().values(), 1000)
            }
            DataType::Time64(Nanosecond) => Self::Times64(
                array.as_primitive::<Time64NanosecondType>().values(),
                per_second(Nanosecond),
            ),
            DataType::Time64(_) => Self::Times64(
                array.as_primitive::<Time64MicrosecondType>().values(),
                per_second(Microsecond),
            ),
            DataType::Duration(unit) => Self::Int64(match unit {
                Second => array.as_primitive::<DurationSecondType>().values(),
                Millisecond => array.as_primitive::<DurationMillisecondType>().values(),
                Microsecond => array.as_primitive::<DurationMicrosecondType>().values(),
                Nanosecond => array.as_primitive::<DurationNanosecondType>().values(),
            }),
            _ => Self::Others,
        }
    }

    /// The value in a row, which is not null.
    pub(crate) fn get(&self, row: usize, arena: &mut String) -> Held<'b> {
        let start = arena.len();
        match self {
            Self::Nulls => return Held::Missing,
            Self::Booleans(values) => return Held::Borrowed(Value::Bool(values.value(row))),
            Self::Int8(values) => return integer(values[row]),
            Self::Int16(values) => return integer(values[row]),
            Self::Int32(values) => return integer(values[row]),
            Self::Int64(values) => return integer(values[row]),
            Self::UInt8(values) => return integer(values[row]),
            Self::UInt16(values) => return integer(values[row]),
            Self::UInt32(values) => return integer(values[row]),
            Self::UInt64(values) => push_integer(arena, values[row]),
            Self::Float16(values) => return float(arena, values.value(row).to_f32()),
            Self::Float32(values) => return float(arena, values[row]),
            Self::Float64(values) => return float(arena, values[row]),
            Self::Decimal32(values, scale) => push_decimal(arena, values[row], *scale),
            Self::Decimal64(values, scale) => push_decimal(arena, values[row], *scale),
            Self::Decimal128(values, scale) => push_decimal(arena, values[row], *scale),
            Self::Decimal256(values, scale) => push_decimal(arena, values.value(row), *scale),
            Self::Texts(values) => return text(values.value(row)),
            Self::LargeTexts(values) => return text(values.value(row)),
            Self::Bytes(values) => return bytes(values.value(row)),
            Self::LargeBytes(values) => return bytes(values.value(row)),
            Self::FixedBytes(values) => return bytes(values.value(row)),
            Self::Uuids(values) => {
                push_uuid(arena, values.value(row));
                return Held::Text(start..arena.len());
            }
            Self::Dates(values) => return time(Time::from_days(values[row].into())),
            Self::DateMilliseconds(values) => {
                return time(Time::from_days(values[row].div_euclid(86_400_000)));
            }
            Self::Timestamps(values, unit) => return time(Time::from_units(values[row], *unit)),
            Self::Nanoseconds { values, is_local } => {
                let time = Time::from_nanoseconds(values[row]);
                let is_inexact = *is_local && time.seconds >= UNKNOWN_ZONE;
                let value = if is_inexact { Value::InexactTime } else { Value::Time(time) };
                return Held::Borrowed(value);
            }
            Self::Times32(values, unit) => {
                push_time_of_day(arena, i64::from(values[row]), *unit);
                return Held::Text(start..arena.len());
            }
            Self::Times64(values, unit) => {
                push_time_of_day(arena, values[row], *unit);
                return Held::Text(start..arena.len());
            }
            Self::Others => return Held::Borrowed(Value::NotText),
        }
        Held::Number(start..arena.len())
    }

    /// Appends the value in a row, which is not null, as JSON.
    pub(crate) fn write_json(&self, row: usize, out: &mut String) {
        let start = out.len();
        match self.get(row, out) {
            Held::Borrowed(Value::Bool(value)) => {
                out.push_str(if value { "true" } else { "false" });
            }
            Held::Borrowed(Value::Text(text)) => {
                write::string(out, text.decode(&mut String::new()).unwrap_or_default());
            }
            Held::Borrowed(Value::Integer(number)) => push_integer(out, number),
            Held::Borrowed(Value::Time(time)) => {
                out.push('"');
                time.write(out);
                out.push('"');
            }
            Held::Borrowed(Value::NotText) => {
                let bytes: &[u8] = match self {
                    Self::Bytes(values) => values.value(row),
                    Self::LargeBytes(values) => values.value(row),
                    Self::FixedBytes(values) => values.value(row),
                    _ => return out.push_str("null"),
                };
                write::base64(out, bytes);
            }
            Held::Text(_) => {
                out.insert(start, '"');
                out.push('"');
            }
            // Numbers are there already.
            Held::Number(_) => {}
            _ => out.push_str("null"),
        }
    }
}

fn integer<'b>(number: impl Into<i64>) -> Held<'b> {
    Held::Borrowed(Value::Integer(number.into()))
}

fn time<'b>(time: Time) -> Held<'b> {
    Held::Borrowed(Value::Time(time))
}
