//! Binary Ion: every value begins with its type and length.

use super::symbols::{BAD_TABLE, Symbols, TABLE_NUMBER};
use super::{Fault, VERSION_1_0, is_binary, number, timestamp};
use crate::fault::RecordFault;
use crate::frame::Frame;
use crate::json::{MAX_DEPTH, write};
use crate::values::{Broken, MAX_OBJECT, ValueFramer};
use crate::window::MAX_RECORD;

const NULL: u8 = 0;
const BOOLEAN: u8 = 1;
const POSITIVE: u8 = 2;
const NEGATIVE: u8 = 3;
const FLOAT: u8 = 4;
const DECIMAL: u8 = 5;
const TIMESTAMP: u8 = 6;
const SYMBOL: u8 = 7;
const STRING: u8 = 8;
const CLOB: u8 = 9;
const BLOB: u8 = 10;
const LIST: u8 = 11;
const S_EXPRESSION: u8 = 12;
const STRUCT: u8 = 13;
const ANNOTATIONS: u8 = 14;

/// The length that stands for null.
const IS_NULL: u8 = 15;

/// The type and length that a value begins with.
struct Header {
    kind: u8,
    low: u8,
    /// How many bytes follow
    length: usize,
}

/// Finds the values of one file.
#[derive(Debug, Default)]
pub(super) struct Framer {
    symbols: Symbols,
}

impl ValueFramer for Framer {
    const NAMES: (&'static str, &'static str) = ("Ion", "value");

    fn next(
        &mut self,
        bytes: &[u8],
        at: usize,
        last: bool,
        object: &mut String,
    ) -> Result<Frame, Broken> {
        let mut at = at;
        loop {
            let rest = &bytes[at..];
            let Some(first) = rest.first() else {
                return Ok(if last { Frame::Done } else { Frame::More(at) });
            };
            let value =
                if *first == VERSION_1_0[0] { rest.get(..4) } else { value_bytes(rest, at)? };
            let Some(value) = value else {
                return if last { Err(Broken::unfinished(at)) } else { Ok(Frame::More(at)) };
            };
            let range = at..at + value.len();
            at = range.end;
            self.symbols.done(value.len());
            if *first == VERSION_1_0[0] {
                self.version(value, range.start)?;
                continue;
            }
            object.clear();
            match self.item(value, object) {
                Ok(false) => {}
                Ok(true) if object.starts_with('{') => return Ok(Frame::Record(range)),
                Ok(true) => return Ok(Frame::Fault(range, RecordFault::NotAnObject)),
                Err(Fault::Broken(reason)) => return Err(Broken::new(range.start, reason)),
                Err(Fault::Record(fault)) => {
                    object.clear();
                    return Ok(Frame::Fault(range, fault));
                }
            }
        }
    }
}

/// The bytes of the value that `bytes` begin with; none if more are needed.
fn value_bytes(bytes: &[u8], at: usize) -> Result<Option<&[u8]>, Broken> {
    let mut body = Body { rest: bytes };
    match body.header() {
        Ok(header) => {
            let length = (bytes.len() - body.rest.len()).saturating_add(header.length);
            if length > MAX_RECORD { Err(Broken::too_long(at)) } else { Ok(bytes.get(..length)) }
        }
        // Its length is not yet there as a whole.
        Err(_) if bytes.len() < LONGEST_HEADER => Ok(None),
        Err(Fault::Broken(reason)) => Err(Broken::new(at, reason)),
        Err(Fault::Record(_)) => Err(Broken::new(at, MALFORMED)),
    }
}

/// A type, and a length of so many groups of seven bits as fit into 64.
const LONGEST_HEADER: usize = 1 + 10;

const MALFORMED: &str = "its lengths do not add up";

impl Framer {
    fn version(&mut self, marker: &[u8], at: usize) -> Result<(), Broken> {
        if marker != VERSION_1_0 {
            let reason = match marker {
                [_, major, minor, _] if is_binary(marker) => {
                    format!("it is Ion {major}.{minor}, and only 1.0 is read").into()
                }
                _ => MALFORMED.into(),
            };
            return Err(Broken { at, reason });
        }
        self.symbols.reset();
        Ok(())
    }

    /// Appends a value at the top; false if it is none but says something of the stream.
    fn item(&mut self, value: &[u8], out: &mut String) -> Result<bool, Fault> {
        let mut body = Body { rest: value };
        let header = body.header()?;
        if header.is_padding() {
            return Ok(false);
        }
        let is_table = header.kind == ANNOTATIONS && annotated(body.rest)?.0 == TABLE_NUMBER;
        match self.value(&mut Body { rest: value }, out, 0) {
            Err(Fault::Record(_)) if is_table => return Err(BAD_TABLE.into()),
            written => written?,
        }
        if !(is_table && out.starts_with('{')) {
            return Ok(true);
        }
        self.symbols.define(out)?;
        out.clear();
        Ok(false)
    }

    /// Appends the next value of a body, with the comma before it; nothing for padding.
    fn value(&self, body: &mut Body<'_>, out: &mut String, depth: usize) -> Result<(), Fault> {
        let (header, inside) = body.value()?;
        if header.is_padding() {
            return Ok(());
        }
        if header.kind == ANNOTATIONS {
            let (_, value) = annotated(inside)?;
            let mut body = Body { rest: value };
            let (inner, inside) = body.value()?;
            if !body.rest.is_empty() || inner.is_padding() || inner.kind == ANNOTATIONS {
                return Err(MALFORMED.into());
            }
            return self.plain_value(&inner, inside, out, depth);
        }
        self.plain_value(&header, inside, out, depth)
    }

    fn plain_value(
        &self,
        header: &Header,
        inside: &[u8],
        out: &mut String,
        depth: usize,
    ) -> Result<(), Fault> {
        if out.len() > MAX_OBJECT {
            return Err("it is longer than 64 MiB as JSON".into());
        }
        write::separate(out);
        if header.low == IS_NULL {
            out.push_str("null");
            return Ok(());
        }
        match header.kind {
            BOOLEAN => out.push_str(if header.low == 1 { "true" } else { "false" }),
            POSITIVE => number::integer(out, false, inside),
            NEGATIVE if inside.iter().all(|byte| *byte == 0) => {
                return Err("a negative zero, which no whole number can be".into());
            }
            NEGATIVE => number::integer(out, true, inside),
            FLOAT => float(out, inside)?,
            DECIMAL => decimal(out, inside)?,
            TIMESTAMP => timestamp::write_binary(out, inside)?,
            SYMBOL => self.symbols.write(out, symbol_number(inside)?)?,
            STRING => {
                let text = simdutf8::basic::from_utf8(inside);
                write::string(out, text.map_err(|_| Fault::Record(RecordFault::NotUtf8))?);
            }
            CLOB => write::text_or_base64(out, inside),
            BLOB => write::base64(out, inside),
            LIST | S_EXPRESSION | STRUCT => self.container(header.kind, inside, out, depth + 1)?,
            _ => return Err(MALFORMED.into()),
        }
        Ok(())
    }

    fn container(
        &self,
        kind: u8,
        inside: &[u8],
        out: &mut String,
        depth: usize,
    ) -> Result<(), Fault> {
        if depth > MAX_DEPTH {
            return Err(Fault::Record(RecordFault::TooDeep));
        }
        let mut body = Body { rest: inside };
        let is_struct = kind == STRUCT;
        out.push(if is_struct { '{' } else { '[' });
        while !body.rest.is_empty() {
            if is_struct {
                let name = body.unsigned()?;
                let padding = Body { rest: body.rest }.header()?.is_padding();
                if !padding {
                    write::separate(out);
                    self.symbols.write_name(out, name)?;
                }
            }
            self.value(&mut body, out, depth)?;
        }
        out.push(if is_struct { '}' } else { ']' });
        Ok(())
    }
}

/// The first annotation, and the value behind all of them.
fn annotated(inside: &[u8]) -> Result<(u64, &[u8]), Fault> {
    let mut body = Body { rest: inside };
    let length = body.unsigned()?;
    let annotations = body.bytes(length)?;
    let first = Body { rest: annotations }.unsigned()?;
    Ok((first, body.rest))
}

fn symbol_number(inside: &[u8]) -> Result<u64, Fault> {
    inside.iter().try_fold(0_u64, |number, byte| {
        if number >> (64 - 8) != 0 {
            return Err(TOO_LARGE.into());
        }
        Ok(number << 8 | u64::from(*byte))
    })
}

fn float(out: &mut String, inside: &[u8]) -> Result<(), Fault> {
    if let Ok(bytes) = inside.try_into() {
        write::double(out, f64::from_be_bytes(bytes));
    } else if let Ok(bytes) = inside.try_into() {
        write::single(out, f32::from_be_bytes(bytes));
    } else if inside.is_empty() {
        write::double(out, 0.0);
    } else {
        return Err("a float has neither 4 nor 8 bytes".into());
    }
    Ok(())
}

fn decimal(out: &mut String, inside: &[u8]) -> Result<(), Fault> {
    let mut body = Body { rest: inside };
    let (_, exponent) = if inside.is_empty() { (false, 0) } else { body.signed()? };
    match body.rest.split_first() {
        None => write::decimal(out, false, "0", exponent),
        Some((first, _)) => {
            let negative = first & 0x80 != 0;
            let mut magnitude = body.rest.to_vec();
            magnitude[0] &= 0x7f;
            number::decimal(out, negative, &magnitude, exponent);
        }
    }
    Ok(())
}

impl Header {
    fn is_padding(&self) -> bool {
        self.kind == NULL && self.low != IS_NULL
    }
}

/// What is left of a value's bytes.
pub(super) struct Body<'a> {
    pub(super) rest: &'a [u8],
}

impl<'a> Body<'a> {
    fn byte(&mut self) -> Result<u8, Fault> {
        let (first, rest) = self.rest.split_first().ok_or(MALFORMED)?;
        self.rest = rest;
        Ok(*first)
    }

    fn bytes(&mut self, count: u64) -> Result<&'a [u8], Fault> {
        let count = usize::try_from(count).map_err(|_| MALFORMED)?;
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(MALFORMED)?;
        self.rest = rest;
        Ok(taken)
    }

    /// A number in groups of seven bits, of which the last has the high bit set.
    pub(super) fn unsigned(&mut self) -> Result<u64, Fault> {
        let mut number = 0_u64;
        loop {
            let byte = self.byte()?;
            number = shifted(number)? | u64::from(byte & 0x7f);
            if byte & 0x80 != 0 {
                return Ok(number);
            }
        }
    }

    /// The same with a sign in the first group; says whether it is the negative zero.
    pub(super) fn signed(&mut self) -> Result<(bool, i64), Fault> {
        let first = self.byte()?;
        let mut number = u64::from(first & 0x3f);
        let mut byte = first;
        while byte & 0x80 == 0 {
            byte = self.byte()?;
            number = shifted(number)? | u64::from(byte & 0x7f);
        }
        let magnitude = i64::try_from(number).map_err(|_| TOO_LARGE)?;
        let negative = first & 0x40 != 0;
        Ok((negative && number == 0, if negative { -magnitude } else { magnitude }))
    }

    fn header(&mut self) -> Result<Header, Fault> {
        let byte = self.byte()?;
        let (kind, low) = (byte >> 4, byte & 0xf);
        let length = match (kind, low) {
            (BOOLEAN, 0 | 1) => 0,
            (BOOLEAN, 2..IS_NULL) | (ANNOTATIONS, 0..3 | IS_NULL) | (15.., _) => {
                return Err("a value is of an unknown type".into());
            }
            (_, IS_NULL) => 0,
            // An ordered struct has its length apart, too.
            (_, 14) | (STRUCT, 1) => self.unsigned()?,
            (_, low) => low.into(),
        };
        let length = usize::try_from(length).map_err(|_| MALFORMED)?;
        Ok(Header { kind, low, length })
    }

    fn value(&mut self) -> Result<(Header, &'a [u8]), Fault> {
        let header = self.header()?;
        let inside = self.bytes(header.length as u64)?;
        Ok((header, inside))
    }
}

const TOO_LARGE: &str = "a number in it is larger than 64 bits";

/// Makes room for a group of seven bits.
fn shifted(number: u64) -> Result<u64, Fault> {
    if number >> (64 - 7) != 0 {
        return Err(TOO_LARGE.into());
    }
    Ok(number << 7)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::tests::{hex, rendered};

    fn values(digits: &str) -> Result<Vec<String>, String> {
        let bytes = [&VERSION_1_0[..], &hex(digits)].concat();
        let found = rendered(Framer::default(), &bytes, bytes.len());
        assert_eq!(rendered(Framer::default(), &bytes, 1), found, "{digits}");
        found
    }

    #[test]
    fn every_type_is_json() {
        let power = "340282366920938463463374607431768211456";
        for (digits, expected) in [
            ("0f", "null"),
            ("df", "null"),
            ("10", "false"),
            ("11", "true"),
            ("20", "0"),
            ("22 0100", "256"),
            ("31 01", "-1"),
            ("2e 91 01 00000000 00000000 00000000 00000000", power),
            ("40", "0.0"),
            ("44 3dcccccd", "0.1"),
            ("48 3fb999999999999a", "0.1"),
            ("48 7ff0000000000000", "\"Infinity\""),
            ("50", "0"),
            ("51 c2", "0.00"),
            ("52 c2 87", "-0.07"),
            ("53 c2 0087", "1.35"),
            ("52 82 0f", "1500"),
            ("56 035c6b1480 01", "1e1000000000"),
            ("64 c0 0fe8 83", "\"2024-03-01\""),
            ("70", "null"),
            ("71 04", "\"name\""),
            ("79 000000000000000004", "\"name\""),
            ("82 c3a9", "\"é\""),
            ("91 61", "\"a\""),
            ("91 e9", "\"6Q==\""),
            ("a1 61", "\"YQ==\""),
            ("b4 2101 00 b0", "[1,[]]"),
            ("c2 2101", "[1]"),
            ("d3 84 2101", "{\"name\":1}"),
            ("d1 83 84 2101", "{\"name\":1}"),
            ("d5 84 00 85 2101", "{\"version\":1}"),
            ("e5 82 8485 2101", "1"),
        ] {
            assert_eq!(values(digits), Ok(vec![expected.to_owned()]), "{digits}");
        }
    }

    #[test]
    fn padding_is_no_value() {
        assert_eq!(values("00 01ff 0e81ff 10").unwrap(), ["false"]);
    }

    #[test]
    fn text_that_is_no_utf8_costs_its_value_alone() {
        assert_eq!(values("b2 81ff 10").unwrap(), ["not_utf8", "false"]);
    }

    #[test]
    fn what_does_not_add_up_ends_the_file() {
        for digits in [
            // Types and lengths that there are not.
            "12",
            "30",
            "3100",
            "4100",
            "e0",
            "e100",
            "e38184",
            "ef",
            "f0",
            "22",
            // Values beyond what they are in, or short of it.
            "b122",
            "b22200",
            "d184",
            "d28421",
            "b1e0",
            "e5 8184 2101 10",
            // Annotations of nothing, or of annotations.
            "e3 8184 00",
            "e6 8184 e4 8184 10",
            "e2 8184",
            // Numbers beyond 64 bits, and times that there are not.
            "5b 3f7f7f7f7f7f7f7f7fff 01",
            "79 010000000000000004",
            "61c0",
            "64 c0 0fe8 8d",
        ] {
            assert!(values(digits).is_err(), "{digits}: {:?}", values(digits));
        }
    }
}
