//! Appends JSON text piece by piece, for what comes from other formats.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::lanes::{self, Block, LANES};
use crate::row_buffer::{Room, RowBuffer};

/// Zeros that a decimal number may be filled up with. A larger exponent is written as one, so that
/// a few bytes cannot become any number of digits.
const MOST_ZEROS: i64 = 40;

/// Appends the comma that a value or a name needs behind another one.
pub(crate) fn separate(out: &mut String) {
    if !matches!(out.as_bytes().last(), None | Some(b'{' | b'[' | b':')) {
        out.push(',');
    }
}

/// Appends a string literal.
pub(crate) fn string(out: &mut String, text: &str) {
    out.push('"');
    escape(out, text);
    out.push('"');
}

/// Appends a member's name.
pub(crate) fn name(out: &mut String, name: &str) {
    separate(out);
    string(out, name);
    out.push(':');
}

/// Appends the inside of a string literal.
pub(crate) fn escape(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = first_special(rest.as_bytes()) {
        out.push_str(&rest[..at]);
        match rest.as_bytes()[at] {
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            control => unit(out, u16::from(control)),
        }
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
}

/// Appends the inside of a string literal, faster where quotes are many, as in a record. It may be
/// given in pieces, also within a character: none but ASCII is escaped.
pub(crate) fn escape_piece(out: &mut RowBuffer, piece: &[u8]) {
    const LONGEST_ESCAPE: usize = r"\u001f".len();
    let mut room = out.room(LONGEST_ESCAPE * piece.len() + 2 * LANES);
    // Behind the block that is read another one has to be: the last ones get space there.
    let before = piece.len().saturating_sub(LANES) / LANES * LANES;
    let rest = &piece[before..];
    let mut filled_up = [b' '; 3 * LANES];
    filled_up[..rest.len()].copy_from_slice(rest);
    escape_blocks(&mut room, piece, before);
    escape_blocks(&mut room, &filled_up, rest.len());
    room.keep();
}

/// Appends the first `length` bytes, behind which there is at least a block; in that none is escaped.
#[inline(always)]
fn escape_blocks(room: &mut Room<'_>, bytes: &[u8], length: usize) {
    let block = |at: usize| -> &Block { &bytes[at..].as_chunks().0[0] };
    for begin in (0..length).step_by(LANES) {
        let end = length.min(begin + LANES);
        let mut specials = lanes::string_specials(block(begin));
        let mut at = begin;
        while specials != 0 {
            let special = begin + specials.trailing_zeros() as usize;
            specials &= specials - 1;
            room.put_with(block(at), special - at, b'\\');
            // The byte itself follows its backslash, unless it has a letter.
            at = special;
            if bytes[special] < b' ' {
                at += 1;
                let (escape, length) = control_escape(bytes[special]);
                room.put(&escape, length);
            }
        }
        room.put(block(at), end - at);
    }
}

/// What stands behind the backslash of a control character, and how long that is.
#[cold]
fn control_escape(byte: u8) -> (Block, usize) {
    let mut escape = [0; LANES];
    let letter = match byte {
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        _ => {
            escape[..5].copy_from_slice(&[
                b'u',
                b'0',
                b'0',
                b'0' + byte / 16,
                hex_digit(byte % 16),
            ]);
            return (escape, 5);
        }
    };
    escape[0] = letter;
    (escape, 1)
}

fn hex_digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' + value - 10 }
}

/// The first byte that a string literal cannot have as it stands.
fn first_special(bytes: &[u8]) -> Option<usize> {
    let (blocks, rest) = bytes.as_chunks();
    for (number, block) in blocks.iter().enumerate() {
        let specials = lanes::string_specials(block);
        if specials != 0 {
            return Some(number * LANES + specials.trailing_zeros() as usize);
        }
    }
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    Some(bytes.len() - rest.len() + rest.iter().position(is_special)?)
}

/// Appends a UTF-16 unit as an escape, which may be half of a surrogate pair.
pub(crate) fn unit(out: &mut String, unit: u16) {
    let _ = write!(out, "\\u{unit:04x}");
}

/// Appends bytes as text if they are some, in Base64 if not.
pub(crate) fn text_or_base64(out: &mut String, bytes: &[u8]) {
    match simdutf8::basic::from_utf8(bytes) {
        Ok(text) => string(out, text),
        Err(_) => base64(out, bytes),
    }
}

/// Appends bytes as a string literal in Base64.
pub(crate) fn base64(out: &mut String, bytes: &[u8]) {
    out.push('"');
    STANDARD.encode_string(bytes, out);
    out.push('"');
}

/// Appends bytes as lower-case hexadecimal digits, without quotes.
pub(crate) fn hex(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
}

/// Appends a whole number.
pub(crate) fn integer(out: &mut String, value: impl itoa::Integer) {
    out.push_str(itoa::Buffer::new().format(value));
}

/// Appends the fewest digits that stand for a double; one that is no number as a string.
pub(crate) fn double(out: &mut String, value: f64) {
    if value.is_finite() {
        let _ = write!(out, "{value:?}");
    } else {
        out.push_str(not_finite(value));
    }
}

/// Appends the fewest digits that stand for a single; one that is no number as a string.
pub(crate) fn single(out: &mut String, value: f32) {
    if value.is_finite() {
        let _ = write!(out, "{value:?}");
    } else {
        out.push_str(not_finite(value.into()));
    }
}

fn not_finite(value: f64) -> &'static str {
    match value {
        f64::INFINITY => "\"Infinity\"",
        f64::NEG_INFINITY => "\"-Infinity\"",
        _ => "\"NaN\"",
    }
}

/// Appends `digits * 10^exponent` exactly.
pub(crate) fn decimal(out: &mut String, negative: bool, digits: &str, exponent: i64) {
    let significant = digits.trim_start_matches('0');
    let zero = significant.is_empty();
    let digits = if zero { "0" } else { significant };
    // The digits before the point; none or less where zeros stand behind it first.
    let whole = exponent.saturating_add(digits.len() as i64);
    if negative {
        out.push('-');
    }
    if exponent == 0 || (exponent > 0 && zero) {
        out.push_str(digits);
    } else if (0..=MOST_ZEROS).contains(&exponent) {
        out.push_str(digits);
        zeros(out, exponent);
    } else if exponent < 0 && whole > 0 {
        let (whole, fraction) = digits.split_at(whole as usize);
        out.push_str(whole);
        out.push('.');
        out.push_str(fraction);
    } else if (-MOST_ZEROS..=0).contains(&whole) {
        out.push_str("0.");
        zeros(out, -whole);
        out.push_str(digits);
    } else {
        out.push_str(digits);
        out.push('e');
        integer(out, exponent);
    }
}

fn zeros(out: &mut String, count: i64) {
    out.extend((0..count).map(|_| '0'));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(write: impl FnOnce(&mut String)) -> String {
        let mut out = String::new();
        write(&mut out);
        out
    }

    #[test]
    fn decimals_are_exact_and_never_long() {
        for (digits, exponent, expected) in [
            ("15", 0, "15"),
            ("15", 2, "1500"),
            ("15", -1, "1.5"),
            ("15", -2, "0.15"),
            ("15", -5, "0.00015"),
            ("0015", -1, "1.5"),
            ("1", 1_000_000_000, "1e1000000000"),
            ("1", -1_000_000_000, "1e-1000000000"),
            ("1", i64::MAX, "1e9223372036854775807"),
            ("1", i64::MIN, "1e-9223372036854775808"),
            ("0", 3, "0"),
            ("000", -3, "0.000"),
            ("0", -999, "0e-999"),
            ("", 0, "0"),
        ] {
            assert_eq!(written(|out| decimal(out, false, digits, exponent)), expected);
        }
        assert_eq!(written(|out| decimal(out, true, "7", 1)), "-70");
        assert_eq!(written(|out| decimal(out, true, "0", 0)), "-0");
    }

    #[test]
    fn floats_have_the_fewest_digits() {
        assert_eq!(written(|out| double(out, 0.1)), "0.1");
        assert_eq!(written(|out| double(out, 35.0)), "35.0");
        assert_eq!(written(|out| double(out, 1e300)), "1e300");
        assert_eq!(written(|out| single(out, 0.1)), "0.1");
        assert_eq!(written(|out| double(out, f64::NAN)), "\"NaN\"");
        assert_eq!(written(|out| double(out, f64::INFINITY)), "\"Infinity\"");
        assert_eq!(written(|out| single(out, f32::NEG_INFINITY)), "\"-Infinity\"");
    }

    #[test]
    fn bytes_are_text_where_they_can_be() {
        assert_eq!(written(|out| text_or_base64(out, "é".as_bytes())), "\"é\"");
        assert_eq!(written(|out| text_or_base64(out, &[0xe9])), "\"6Q==\"");
        assert_eq!(written(|out| hex(out, &[0, 0xe9])), "00e9");
    }

    proptest! {
        #[test]
        fn strings_and_floats_are_read_back_as_they_were(
            text in "\\PC*|[\\x00-\\x7f]*|([a-z]{0,40}[\\x00-\\x20\"\\\\é]){0,20}",
            length in prop_oneof![1..100_usize, Just(1000)],
            value in any::<f64>(),
        ) {
            let read: String = serde_json::from_str(&written(|out| string(out, &text))).unwrap();
            prop_assert_eq!(&read, &text);
            let mut line = RowBuffer::default();
            for piece in text.as_bytes().chunks(length) {
                escape_piece(&mut line, piece);
            }
            let escaped = written(|out| escape(out, &text));
            prop_assert_eq!(line.as_slice(), escaped.as_bytes());
            if value.is_finite() {
                let literal = written(|out| double(out, value));
                prop_assert!(serde_json::from_str::<serde_json::Value>(&literal).is_ok());
                prop_assert_eq!(literal.parse::<f64>().unwrap(), value);
            }
        }
    }
}
