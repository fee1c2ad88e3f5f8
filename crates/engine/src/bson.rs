//! BSON as mongodump writes it: documents one after the other.
//!
//! Each document begins with its own length, so a broken one costs only itself; where the lengths
//! themselves are wrong, nothing that follows can be found.

use std::io::{self, Read, Write};

use crate::calendar;
use crate::compression::Compression;
use crate::error::ConvertError;
use crate::fault::RecordFault;
use crate::frame::Frame;
use crate::json::{MAX_DEPTH, write};
use crate::run::Run;
use crate::values::{self, Broken, MAX_OBJECT, ValueFramer, Values};
use crate::window::{MAX_RECORD, Window};

/// The length and the 0 at the end of a document without elements.
const EMPTY: usize = 5;

const DOUBLE: u8 = 0x01;
const STRING: u8 = 0x02;
const DOCUMENT: u8 = 0x03;
const ARRAY: u8 = 0x04;
const BINARY: u8 = 0x05;
const UNDEFINED: u8 = 0x06;
const OBJECT_ID: u8 = 0x07;
const BOOLEAN: u8 = 0x08;
const DATE_TIME: u8 = 0x09;
const NULL: u8 = 0x0a;
const REGULAR_EXPRESSION: u8 = 0x0b;
const DB_POINTER: u8 = 0x0c;
const CODE: u8 = 0x0d;
const SYMBOL: u8 = 0x0e;
const CODE_WITH_SCOPE: u8 = 0x0f;
const INT32: u8 = 0x10;
const TIMESTAMP: u8 = 0x11;
const INT64: u8 = 0x12;
const DECIMAL128: u8 = 0x13;
const MAX_KEY: u8 = 0x7f;
const MIN_KEY: u8 = 0xff;

/// Converts a file's documents.
pub(crate) fn read<R: Read, W: Write, J: Write>(
    run: &mut Run<'_, W, J>,
    reader: R,
    compression: Compression,
) -> Result<(), ConvertError> {
    Values::open(run, reader, compression)?.convert(Framer)
}

/// Hands on a file's documents, see [`values::objects`].
pub(crate) fn objects(
    window: &mut Window<impl Read>,
    take: impl FnMut(Option<&str>, u64) -> bool,
) -> io::Result<bool> {
    values::objects(window, Framer, take)
}

/// Whether a file's first bytes could be those of a document.
pub(crate) fn looks_like(head: &[u8]) -> bool {
    let Some(length) = document_length(head) else {
        return false;
    };
    if head.get(length - 1).is_some_and(|end| *end != 0) {
        return false;
    }
    let Some((kind, name)) = head[4..].split_first() else {
        return false;
    };
    let named = || memchr::memchr(0, name).is_some_and(|end| str::from_utf8(&name[..end]).is_ok());
    match *kind {
        0 => length == EMPTY,
        DOUBLE..=DECIMAL128 | MAX_KEY | MIN_KEY => length > EMPTY && named(),
        _ => false,
    }
}

/// The length that a document begins with, if one may have it.
fn document_length(bytes: &[u8]) -> Option<usize> {
    let length = i32::from_le_bytes(*bytes.first_chunk()?);
    usize::try_from(length).ok().filter(|length| (EMPTY..=MAX_RECORD).contains(length))
}

struct Framer;

impl ValueFramer for Framer {
    const NAMES: (&'static str, &'static str) = ("BSON", "document");

    fn next(
        &mut self,
        bytes: &[u8],
        at: usize,
        last: bool,
        object: &mut String,
    ) -> Result<Frame, Broken> {
        let rest = &bytes[at..];
        let more = |last| if last { Err(Broken::unfinished(at)) } else { Ok(Frame::More(at)) };
        match rest.len() {
            0 if last => return Ok(Frame::Done),
            0..4 => return more(last),
            _ => {}
        }
        let Some(length) = document_length(rest) else {
            return Err(Broken::new(at, "its length is less than 5 bytes or more than 16 MiB"));
        };
        let Some(document) = rest.get(..length) else {
            return more(last);
        };
        object.clear();
        let range = at..at + length;
        match (Elements { rest: document }).document(object, false, 1) {
            Ok(()) => Ok(Frame::Record(range)),
            Err(fault) => {
                object.clear();
                Ok(Frame::Fault(range, fault))
            }
        }
    }
}

const LENGTHS: RecordFault = RecordFault::Bson("its lengths do not add up");

/// What is left of a document.
struct Elements<'a> {
    rest: &'a [u8],
}

impl<'a> Elements<'a> {
    /// Appends a document, which has to be all that is left.
    fn document(&mut self, out: &mut String, array: bool, depth: usize) -> Result<(), RecordFault> {
        if depth > MAX_DEPTH {
            return Err(RecordFault::TooDeep);
        }
        let length = self.rest.len();
        if length < EMPTY || self.length()? != length {
            return Err(LENGTHS);
        }
        out.push(if array { '[' } else { '{' });
        loop {
            let [kind] = self.take()?;
            if kind == 0 {
                break;
            }
            let name = self.c_string()?;
            if out.len() > MAX_OBJECT {
                return Err(RecordFault::Bson("it is too long as JSON"));
            }
            write::separate(out);
            if !array {
                write::string(out, text(name)?);
                out.push(':');
            }
            self.value(out, kind, depth)?;
        }
        if !self.rest.is_empty() {
            return Err(LENGTHS);
        }
        out.push(if array { ']' } else { '}' });
        Ok(())
    }

    fn value(&mut self, out: &mut String, kind: u8, depth: usize) -> Result<(), RecordFault> {
        match kind {
            DOUBLE => write::double(out, f64::from_le_bytes(self.take()?)),
            STRING | CODE | SYMBOL => write::string(out, self.string()?),
            DOCUMENT | ARRAY => {
                let inner = self.inner_document()?;
                (Elements { rest: inner }).document(out, kind == ARRAY, depth + 1)?;
            }
            BINARY => self.binary(out)?,
            UNDEFINED | NULL | MIN_KEY | MAX_KEY => out.push_str("null"),
            OBJECT_ID => self.object_id(out)?,
            BOOLEAN => match self.take()? {
                [0] => out.push_str("false"),
                [1] => out.push_str("true"),
                _ => return Err(RecordFault::Bson("a boolean is neither 0 nor 1")),
            },
            DATE_TIME => date_time(out, i64::from_le_bytes(self.take()?)),
            REGULAR_EXPRESSION => {
                let (pattern, options) = (text(self.c_string()?)?, text(self.c_string()?)?);
                write::string(out, &format!("/{pattern}/{options}"));
            }
            DB_POINTER => {
                self.string()?;
                self.object_id(out)?;
            }
            CODE_WITH_SCOPE => self.code_with_scope(out)?,
            INT32 => write::integer(out, i32::from_le_bytes(self.take()?)),
            TIMESTAMP => {
                let [_increment, seconds] = [self.take()?, self.take()?];
                write::integer(out, u32::from_le_bytes(seconds));
            }
            INT64 => write::integer(out, i64::from_le_bytes(self.take()?)),
            DECIMAL128 => decimal128(out, u128::from_le_bytes(self.take()?)),
            _ => return Err(RecordFault::Bson("an element is of an unknown type")),
        }
        Ok(())
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], RecordFault> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(LENGTHS)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn bytes(&mut self, count: usize) -> Result<&'a [u8], RecordFault> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(LENGTHS)?;
        self.rest = rest;
        Ok(taken)
    }

    fn length(&mut self) -> Result<usize, RecordFault> {
        usize::try_from(i32::from_le_bytes(self.take()?)).map_err(|_| LENGTHS)
    }

    /// The bytes of a document, its length among them.
    fn inner_document(&mut self) -> Result<&'a [u8], RecordFault> {
        let length = (Elements { rest: self.rest }).length()?;
        self.bytes(length)
    }

    /// Bytes up to a 0.
    fn c_string(&mut self) -> Result<&'a [u8], RecordFault> {
        let end = memchr::memchr(0, self.rest).ok_or(LENGTHS)?;
        let text = self.bytes(end)?;
        self.bytes(1)?;
        Ok(text)
    }

    /// A string with its length before it and a 0 behind it.
    fn string(&mut self) -> Result<&'a str, RecordFault> {
        let length = self.length()?;
        match self.bytes(length)?.split_last() {
            Some((0, string)) => text(string),
            _ => Err(LENGTHS),
        }
    }

    fn object_id(&mut self, out: &mut String) -> Result<(), RecordFault> {
        out.push('"');
        write::hex(out, &self.take::<12>()?);
        out.push('"');
        Ok(())
    }

    fn binary(&mut self, out: &mut String) -> Result<(), RecordFault> {
        let length = self.length()?;
        let [subtype] = self.take()?;
        let bytes = self.bytes(length)?;
        match (subtype, bytes.split_first_chunk()) {
            (3 | 4, _) if bytes.len() == 16 => uuid(out, bytes),
            // The old form has the length a second time.
            (2, Some((inner, rest))) if u32::from_le_bytes(*inner) as usize == rest.len() => {
                write::base64(out, rest);
            }
            _ => write::base64(out, bytes),
        }
        Ok(())
    }

    fn code_with_scope(&mut self, out: &mut String) -> Result<(), RecordFault> {
        let before = self.rest.len();
        let length = self.length()?;
        let code = self.string()?;
        self.inner_document()?;
        if before - self.rest.len() != length {
            return Err(LENGTHS);
        }
        write::string(out, code);
        Ok(())
    }
}

fn text(bytes: &[u8]) -> Result<&str, RecordFault> {
    simdutf8::basic::from_utf8(bytes).map_err(|_| RecordFault::NotUtf8)
}

fn date_time(out: &mut String, milliseconds: i64) {
    let before = out.len();
    out.push('"');
    if calendar::write_milliseconds(out, milliseconds) {
        out.push('"');
    } else {
        out.truncate(before);
        write::integer(out, milliseconds);
    }
}

fn uuid(out: &mut String, bytes: &[u8]) {
    out.push('"');
    for (number, byte) in bytes.iter().enumerate() {
        if matches!(number, 4 | 6 | 8 | 10) {
            out.push('-');
        }
        write::hex(out, &[*byte]);
    }
    out.push('"');
}

/// IEEE 754 decimal128 with a binary coefficient: a sign, an exponent of 14 bits and a coefficient
/// of up to 34 digits.
fn decimal128(out: &mut String, bits: u128) {
    const MOST: u128 = 10_u128.pow(34) - 1;
    const BIAS: i64 = 6176;
    let negative = bits >> 127 == 1;
    match (bits >> 122) & 0b11111 {
        0b11111 => return out.push_str("\"NaN\""),
        0b11110 if negative => return out.push_str("\"-Infinity\""),
        0b11110 => return out.push_str("\"Infinity\""),
        _ => {}
    }
    // Where both of the first bits are set, the exponent is two bits further on, and the
    // coefficient always larger than 34 digits can be, which stands for zero.
    let shifted = (bits >> 125) & 0b11 == 0b11;
    let exponent = (bits >> if shifted { 111 } else { 113 }) & 0x3fff;
    let coefficient = if shifted { 0 } else { bits & ((1 << 113) - 1) };
    let coefficient = if coefficient > MOST { 0 } else { coefficient };
    let digits = coefficient.to_string();
    write::decimal(out, negative, &digits, exponent as i64 - BIAS);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::values::tests::{convert, hex, rendered, whatever_the_bytes};

    /// A document with an element of each type, made by the Python package pymongo.
    const EVERY_TYPE: &str = "\
        8f01000001646f75626c6500000000000000f83f02737472696e670006000000c3a92200780003646f63000c00\
        00001061000100000000046172726179001d000000103000010000000231000200000062000432000500000000\
        000562696e00020000000000ff056f6c640006000000020200000000ff05757569640010000000041234567812\
        3456789abcdef012345678076f6964000123456789abcdef01234567087400010866000009646174650030b4d8\
        f48d0100000a6e756c6c000b726500612e620069000d636f64650004000000662829000f73636f706500180000\
        0004000000672829000c00000010780001000000001069333200fbffffff117473000700000000f15365126936\
        34000100000000002000136465630096000000000000000000000000003cb01362696700ffffffff638e8d37c0\
        87adbe09edff5f13736d616c6c0001000000000000000000000000000000136e616e0000000000000000000000\
        00000000007c136e696e6600000000000000000000000000000000f8ff6d696e007f6d61780000";

    const OBJECT: &str = concat!(
        r#"{"double":1.5,"string":"é\"\u0000x","doc":{"a":1},"array":[1,"b",[]],"bin":"AP8=","#,
        r#""old":"AP8=","uuid":"12345678-1234-5678-9abc-def012345678","#,
        r#""oid":"0123456789abcdef01234567","t":true,"f":false,"date":"2024-02-29T12:30:59.120Z","#,
        r#""null":null,"re":"/a.b/i","code":"f()","scope":"g()","i32":-5,"ts":1700000000,"#,
        r#""i64":9007199254740993,"dec":-1.50,"big":9999999999999999999999999999999999e6111,"#,
        r#""small":1e-6176,"nan":"NaN","ninf":"-Infinity","min":null,"max":null}"#
    );

    fn document(elements: &[u8]) -> Vec<u8> {
        let length = (elements.len() + EMPTY) as i32;
        [&length.to_le_bytes(), elements, &[0]].concat()
    }

    fn values(bytes: &[u8]) -> Result<Vec<String>, String> {
        rendered(Framer, bytes, bytes.len())
    }

    #[test]
    fn every_type_is_json() {
        let document = hex(EVERY_TYPE);
        for step in [1, 7, 1000] {
            let two = document.repeat(2);
            assert_eq!(rendered(Framer, &two, step).unwrap(), [OBJECT, OBJECT]);
        }
        // Types that no driver writes any more.
        let old = document_of(&[
            b"\x06u\0".as_slice(),
            b"\x0cp\0\x02\0\0\0d\0\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67",
            b"\x0es\0\x02\0\0\0x\0",
        ]);
        let expected = r#"{"u":null,"p":"0123456789abcdef01234567","s":"x"}"#;
        assert_eq!(values(&old).unwrap(), [expected]);
    }

    fn document_of(elements: &[&[u8]]) -> Vec<u8> {
        document(&elements.concat())
    }

    #[test]
    fn decimals_are_exact() {
        for (bits, expected) in [
            ("00000000000000000000000000004030", "0"),
            ("000000000000000000000000000040b0", "-0"),
            ("0f000000000000000000000000004430", "1500"),
            ("01000000000000000000000000003a30", "0.001"),
            ("f2af967ed05c82de3297ff6fde3c4030", "1234567890123456789012345678901234"),
            ("00000000000000000000000000000078", "\"Infinity\""),
            ("000000000000000000000000000000fc", "\"NaN\""),
            ("0100000000000000000000000000fe5f", "1e6111"),
            // More than 34 digits, and the form for such coefficients: zero.
            ("ffffffffffffffffffffffffffff4130", "0"),
            ("0000000000000000000000000000106c", "0"),
        ] {
            let document = document(&[b"\x13d\0", &hex(bits)[..]].concat());
            assert_eq!(values(&document).unwrap(), [format!("{{\"d\":{expected}}}")], "{bits}");
        }
    }

    #[test]
    fn times_beyond_the_calendar_are_numbers() {
        for (time, expected) in [
            (-1, "\"1969-12-31T23:59:59.999Z\""),
            (i64::MAX, "9223372036854775807"),
            (i64::MIN, "-9223372036854775808"),
        ] {
            let document = document(&[b"\x09d\0", &time.to_le_bytes()[..]].concat());
            assert_eq!(values(&document).unwrap(), [format!("{{\"d\":{expected}}}")]);
        }
    }

    #[test]
    fn a_broken_document_costs_itself_alone() {
        let good = document(b"\x08a\0\x01");
        for (elements, code) in [
            (b"\x02a\0\x02\0\0\0\xff\0".as_slice(), "not_utf8"),
            (b"\x08\xff\0\x01", "not_utf8"),
            (b"\x02a\0\x09\0\0\0x\0", "malformed_bson"),
            (b"\x02a\0\xff\xff\xff\xffx\0", "malformed_bson"),
            (b"\x02a\0\0\0\0\0", "malformed_bson"),
            (b"\x02a\0\x01\0\0\0x", "malformed_bson"),
            (b"\x03a\0\x04\0\0\0", "malformed_bson"),
            (b"\x03a\0\x06\0\0\0\0\0", "malformed_bson"),
            (b"\x08a\0\x02", "malformed_bson"),
            (b"\x14a\0", "malformed_bson"),
            (b"\x08a", "malformed_bson"),
            (b"\0", "malformed_bson"),
            (b"\x05a\0\xff\xff\xff\x7f\0", "malformed_bson"),
            (b"\x0fa\0\x0f\0\0\0\x01\0\0\0\0\x05\0\0\0\0", "malformed_bson"),
        ] {
            let bytes = [&good[..], &document(elements), &good].concat();
            let found = values(&bytes).unwrap();
            assert_eq!(found, ["{\"a\":true}", code, "{\"a\":true}"], "{elements:?}");
        }
    }

    #[test]
    fn a_wrong_length_ends_the_file() {
        let good = document(b"\x08a\0\x01");
        for (bytes, reason) in [
            (&b"\x04\0\0\0\0"[..], "its length is less than 5 bytes or more than 16 MiB"),
            (b"\x01\0\0\x01\0", "its length is less than 5 bytes or more than 16 MiB"),
            (b"\xff\xff\xff\xff\0", "its length is less than 5 bytes or more than 16 MiB"),
            (b"\x06\0\0\0\0", "the file ends inside it"),
            (b"\x06\0", "the file ends inside it"),
        ] {
            let bytes = [&good[..], bytes].concat();
            assert_eq!(values(&bytes), Err(format!("9: {reason}")));
        }
        let fault = convert("bson", &[good, vec![1]].concat()).unwrap_err().to_string();
        let expected = "cannot be read as BSON: document 2 (byte 9): the file ends inside it";
        assert_eq!(fault, expected);
    }

    #[test]
    fn deep_documents_are_set_aside() {
        let nested = |levels: usize| {
            let mut inner = document(b"");
            for _ in 1..levels {
                inner = document(&[b"\x04a\0", &inner[..]].concat());
            }
            values(&inner).unwrap().concat()
        };
        assert_eq!(nested(256).matches('[').count(), 255);
        assert_eq!(nested(257), "nested_too_deep");
        // As deep as 16 MiB can be: a length and a type for each level, and no end.
        let mut deep = Vec::new();
        for level in 0..MAX_RECORD / 7 {
            deep.extend(((MAX_RECORD - 7 * level) as i32).to_le_bytes());
            deep.extend(b"\x03a\0");
        }
        deep.resize(MAX_RECORD, 0);
        assert_eq!(values(&deep).unwrap(), ["nested_too_deep"]);
    }

    #[test]
    fn documents_become_rows() {
        let element = |name: &str, text: &str| {
            let length = (text.len() as i32 + 1).to_le_bytes();
            [b"\x02", name.as_bytes(), b"\0", &length, text.as_bytes(), b"\0"].concat()
        };
        let time = [b"\x09timestamp\0", &1_700_000_000_999_i64.to_le_bytes()[..]].concat();
        let whole = document_of(&[&element("user_id", "u"), &element("item_id", "i"), &time]);
        let lacking = document_of(&[&element("user_id", "u"), &time]);
        let bytes = [&whole[..], &lacking, &document(b"\x14a\0"), &whole].concat();
        let (counts, rows, rejects) = convert("bson", &bytes).unwrap();
        assert_eq!(rows, "i,u,1700000000\ni,u,1700000000\n");
        assert_eq!((counts.records_read, counts.records_written), (4, 2));
        assert_eq!((&rejects[0]["row"], &rejects[1]["row"]), (&2.into(), &3.into()));
        let lacking = r#"{"user_id":"u","timestamp":"2023-11-14T22:13:20.999Z"}"#;
        assert_eq!(rejects[0]["record"], lacking);
        assert_eq!(rejects[1]["record"], "\u{8}\0\0\0\u{14}a\0\0");
    }

    #[test]
    fn bson_is_told_from_other_content() {
        let document = hex(EVERY_TYPE);
        assert!(looks_like(&document) && looks_like(&document[..20]));
        assert!(looks_like(&document.repeat(2)) && looks_like(b"\x05\0\0\0\0"));
        let mut endless = document;
        *endless.last_mut().unwrap() = 1;
        assert!(!looks_like(&endless));
        for other in
            [&b""[..], b"{\"a\":1}", b"\x05\0\0\0", b"\x09\0\0\0\x08a", b"PAR1\x15\x04\x15"]
        {
            assert!(!looks_like(other), "{other:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn whatever_the_bytes_counts_add_up(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
            noise in prop::collection::vec(any::<u8>(), 0..100),
        ) {
            let mut bytes = hex(EVERY_TYPE).repeat(2);
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            whatever_the_bytes("bson", &bytes);
            whatever_the_bytes("bson", &noise);
            whatever_the_bytes("bson", &document(&noise));
            prop_assert_eq!(rendered(Framer, &bytes, 5), values(&bytes));
            looks_like(&noise);
        }
    }
}
