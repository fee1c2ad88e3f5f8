//! Finds the ends of JSON's tokens, strictly as RFC 8259 says.

use super::strings::string;
use crate::lanes::{self, LANES};

/// Arrays and objects may be nested this deep; more is refused, as other readers do.
pub(crate) const MAX_DEPTH: usize = 256;

/// Why a value's end was not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The bytes end inside the value.
    End,
    /// The bytes are not JSON.
    Syntax(Syntax),
}

/// Where bytes stop being JSON, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Syntax {
    pub(crate) at: usize,
    pub(crate) fault: &'static str,
}

pub(crate) type Found = Result<usize, Stop>;

pub(crate) fn syntax<T>(at: usize, fault: &'static str) -> Result<T, Stop> {
    Err(Stop::Syntax(Syntax { at, fault }))
}

/// Whether a text, as it stands, is a JSON number.
pub(crate) fn is_number(text: &str) -> bool {
    !text.is_empty() && number(text.as_bytes(), 0) == Ok(text.len())
}

/// The byte at `at`, or the end of the bytes.
pub(crate) fn byte(bytes: &[u8], at: usize) -> Result<u8, Stop> {
    bytes.get(at).copied().ok_or(Stop::End)
}

/// The first byte from `at` on that is no white space.
pub(crate) fn skip_white_space(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(at) {
        at += 1;
    }
    at
}

/// The byte after the whole number that begins at `at`, if it is of few digits and nothing else.
#[inline(always)]
pub(crate) fn few_digits(bytes: &[u8], at: usize) -> Option<usize> {
    let block = lanes::block(bytes, at)?;
    let count = lanes::not_digits(block).trailing_zeros() as usize;
    let behind = bytes.get(at + count)? | 0x20;
    // `.` has that bit already, and of `e` and `E` it makes one.
    let has_more = behind == b'.' || behind == b'e';
    let is_number = count == 1 || (1 < count && count < LANES && bytes[at] != b'0');
    (is_number && !has_more).then_some(at + count)
}

/// The byte after the number that begins at `at`, if it is of few digits with a point in them and
/// nothing else.
#[inline(always)]
pub(crate) fn few_digits_with_point(bytes: &[u8], at: usize) -> Option<usize> {
    let block = lanes::block(bytes, at)?;
    let others = lanes::not_digits(block);
    let point = others.trailing_zeros() as usize;
    let count = (others & others.wrapping_sub(1)).trailing_zeros() as usize;
    let behind = bytes.get(at + count)? | 0x20;
    let is_whole_number = point == 1 || (1 < point && bytes[at] != b'0');
    let has_point = bytes.get(at + point) == Some(&b'.') && point + 1 < count && count < LANES;
    (is_whole_number && has_point && behind != b'e').then_some(at + count)
}

/// The byte after the number that begins at `at`.
pub(crate) fn number(bytes: &[u8], at: usize) -> Found {
    const FAULT: &str = "not a number";
    if let Some(end) = few_digits(bytes, at).or_else(|| few_digits_with_point(bytes, at)) {
        return Ok(end);
    }
    let digits = |mut at: usize| -> Found {
        let start = at;
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        if at > start { Ok(at) } else { byte(bytes, at).and_then(|_| syntax(at, FAULT)) }
    };
    let start = if bytes[at] == b'-' { at + 1 } else { at };
    let mut end = digits(start)?;
    if bytes[start] == b'0' && end > start + 1 {
        return syntax(start, "a number with a leading zero");
    }
    if bytes.get(end) == Some(&b'.') {
        end = digits(end + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(end) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        end = digits(end + 1 + sign)?;
    }
    Ok(end)
}

/// The byte after `word`, which should begin at `at`.
pub(crate) fn literal(bytes: &[u8], at: usize, word: &[u8]) -> Found {
    for (offset, expected) in word.iter().enumerate() {
        if byte(bytes, at + offset)? != *expected {
            return syntax(at + offset, "neither true, false nor null");
        }
    }
    Ok(at + word.len())
}

/// The byte after the value that begins at `at`; nothing in it is kept.
pub(crate) fn skip_value(bytes: &[u8], at: usize, depth: usize) -> Found {
    match byte(bytes, at)? {
        b'"' => string(bytes, at + 1).map(|(end, _)| end + 1),
        b'{' => skip_object(bytes, at, depth + 1),
        b'[' => skip_array(bytes, at, depth + 1),
        b't' => literal(bytes, at, b"true"),
        b'f' => literal(bytes, at, b"false"),
        b'n' => literal(bytes, at, b"null"),
        b'-' | b'0'..=b'9' => number(bytes, at),
        _ => syntax(at, "a value was expected"),
    }
}

fn skip_object(bytes: &[u8], at: usize, depth: usize) -> Found {
    check_depth(at, depth)?;
    let mut at = skip_white_space(bytes, at + 1);
    if byte(bytes, at)? == b'}' {
        return Ok(at + 1);
    }
    loop {
        let (_, value) = key(bytes, at)?;
        at = skip_white_space(bytes, skip_value(bytes, value, depth)?);
        match byte(bytes, at)? {
            b',' => at = skip_white_space(bytes, at + 1),
            b'}' => return Ok(at + 1),
            _ => return syntax(at, "`,` or `}` was expected"),
        }
    }
}

fn skip_array(bytes: &[u8], at: usize, depth: usize) -> Found {
    check_depth(at, depth)?;
    let mut at = skip_white_space(bytes, at + 1);
    if byte(bytes, at)? == b']' {
        return Ok(at + 1);
    }
    loop {
        at = skip_white_space(bytes, skip_value(bytes, at, depth)?);
        match byte(bytes, at)? {
            b',' => at = skip_white_space(bytes, at + 1),
            b']' => return Ok(at + 1),
            _ => return syntax(at, "`,` or `]` was expected"),
        }
    }
}

/// A key as it stands between its quotes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key<'a> {
    pub(crate) raw: &'a [u8],
    pub(crate) escaped: bool,
}

/// The key that begins at `at`, and where its value begins.
pub(crate) fn key(bytes: &[u8], at: usize) -> Result<(Key<'_>, usize), Stop> {
    if byte(bytes, at)? != b'"' {
        return syntax(at, "a name in double quotes was expected");
    }
    let (end, escaped) = string(bytes, at + 1)?;
    let key = Key { raw: &bytes[at + 1..end], escaped };
    let colon = skip_white_space(bytes, end + 1);
    if byte(bytes, colon)? != b':' {
        return syntax(colon, "`:` was expected");
    }
    Ok((key, skip_white_space(bytes, colon + 1)))
}

pub(crate) fn check_depth(at: usize, depth: usize) -> Result<(), Stop> {
    if depth > MAX_DEPTH {
        return syntax(at, "nested deeper than 256 levels");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_digits_are_those_of_a_whole_number_and_no_more() {
        let padded = |text: &str| few_digits(format!("{text}, padding of a block").as_bytes(), 0);
        assert_eq!(padded("0"), Some(1));
        assert_eq!(padded("123456789012345"), Some(15));
        for other in ["1234567890123456", "01", "1.0", "1e5", "1E5", "-1", "", "x"] {
            assert_eq!(padded(other), None, "{other}");
        }
        assert_eq!(few_digits(b"12,", 0), None, "so near the end it is not looked at");
        let padded =
            |text: &str| few_digits_with_point(format!("{text}, padding of a block").as_bytes(), 0);
        assert_eq!(padded("0.0"), Some(3));
        assert_eq!(padded("19.90"), Some(5));
        assert_eq!(padded("1234567.1234567"), Some(15));
        for other in
            ["12345678.1234567", "1", "01.5", "1.", ".5", "1.5e1", "1.5E1", "1,5", "-1.5", "x"]
        {
            assert_eq!(padded(other), None, "{other}");
        }
        assert_eq!(few_digits_with_point(b"1.2,", 0), None);
    }

    #[test]
    fn a_value_cut_anywhere_is_unfinished_not_wrong() {
        let whole = br#"{"a": [1.5e+3, -0, true, null, "x\u00e9\\y", {}], "b": {"c": []}}"#;
        assert_eq!(skip_value(whole, 0, 0), Ok(whole.len()));
        for end in 0..whole.len() {
            assert_eq!(skip_value(&whole[..end], 0, 0), Err(Stop::End), "{end}");
        }
    }
}
