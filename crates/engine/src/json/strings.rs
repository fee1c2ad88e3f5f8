//! Finds the ends of JSON's strings, strictly as RFC 8259 says.

use super::scan::{Found, Stop, byte, syntax};
use crate::lanes::{self, LANES, WORD};

/// The closing quote of the string whose first character is at `at`, and whether it has escapes.
#[inline(always)]
pub(crate) fn string(bytes: &[u8], at: usize) -> Result<(usize, bool), Stop> {
    let end = plain_end(bytes, at);
    closed_at(bytes, end)
}

/// The same for strings of which nobody knows how long they are: found without a branch that the
/// processor would take wrongly as often as not, unless they are long.
#[inline(always)]
pub(crate) fn string_of_any_length(bytes: &[u8], at: usize) -> Result<(usize, bool), Stop> {
    let Some(word) = bytes.get(at..).and_then(|rest| rest.first_chunk()) else {
        return string(bytes, at);
    };
    let specials = lanes::string_specials_of_word(word);
    closed_at(bytes, at + specials.trailing_zeros() as usize)
}

/// The same for a string that has no special characters before `end`.
#[inline(always)]
fn closed_at(bytes: &[u8], end: usize) -> Result<(usize, bool), Stop> {
    if bytes.get(end) == Some(&b'"') {
        return Ok((end, false));
    }
    // A fault is looked for again, since what fits into registers is returned faster.
    escaped_end(bytes, end).ok_or_else(|| string_fault(bytes, end))
}

#[inline(never)]
fn escaped_end(bytes: &[u8], at: usize) -> Option<(usize, bool)> {
    rest_of_string(bytes, at).ok()
}

#[cold]
fn string_fault(bytes: &[u8], at: usize) -> Stop {
    rest_of_string(bytes, at).err().unwrap_or(Stop::End)
}

/// The end of a run of plain characters in a string, or a place before it near the bytes' end.
#[inline(always)]
fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(block) = lanes::block(bytes, at) {
        let specials = lanes::string_specials(block);
        if specials != 0 {
            return at + specials.trailing_zeros() as usize;
        }
        at += LANES;
    }
    at
}

fn rest_of_string(bytes: &[u8], mut at: usize) -> Result<(usize, bool), Stop> {
    let mut escaped = false;
    // As long as what an escape takes can be behind each byte of a word.
    'words: while let Some(near) = bytes.get(at..).and_then(|rest| rest.first_chunk::<ESCAPES>())
        && let Some(word) = near.first_chunk()
    {
        let mut specials = lanes::string_specials_of_word(word);
        let mut behind = WORD;
        while specials != 0 {
            let place = specials.trailing_zeros() as usize;
            if near[place] != b'\\' {
                return closed(bytes, at + place, escaped);
            }
            escaped = true;
            let Some(length) = escape_length(near, place) else {
                at += place;
                break 'words;
            };
            behind = place + length;
            specials &= u64::MAX.checked_shl(behind as u32).unwrap_or(0);
        }
        at += behind.max(WORD);
    }
    loop {
        match byte(bytes, at)? {
            b'\\' => {
                escaped = true;
                at = escape(bytes, at)?;
            }
            b'"' | 0..0x20 => return closed(bytes, at, escaped),
            _ => at += 1,
        }
    }
}

/// The end of a string at its quote, or its fault at a control character.
fn closed(bytes: &[u8], at: usize, escaped: bool) -> Result<(usize, bool), Stop> {
    match byte(bytes, at)? {
        b'"' => Ok((at, escaped)),
        _ => syntax(at, "a control character inside a string"),
    }
}

/// A word, and what an escape sequence that begins with its last byte has behind it.
const ESCAPES: usize = WORD + LONG_ESCAPE - 1;
const SHORT_ESCAPE: usize = 2;
/// `\u` and four hexadecimal digits.
const LONG_ESCAPE: usize = 6;

/// The length of the escape sequence that has this byte behind its backslash; zero of none.
const fn length_by_kind(kind: u8) -> u8 {
    match kind {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => SHORT_ESCAPE as u8,
        b'u' => LONG_ESCAPE as u8,
        _ => 0,
    }
}

/// The same for all bytes, and which of them are hexadecimal digits.
const LENGTHS: [u8; 256] = {
    let mut lengths = [0; 256];
    let mut byte = 0;
    while byte < lengths.len() {
        lengths[byte] = length_by_kind(byte as u8);
        byte += 1;
    }
    lengths
};
const IS_HEXADECIMAL: [bool; 256] = {
    let mut is_hexadecimal = [false; 256];
    let mut byte = 0;
    while byte < is_hexadecimal.len() {
        is_hexadecimal[byte] = (byte as u8).is_ascii_hexdigit();
        byte += 1;
    }
    is_hexadecimal
};

/// The length of the escape sequence at a place of a word; none if it is none. Written so that of
/// short and long ones, which come as they like, the processor has none to guess.
#[inline(always)]
fn escape_length(near: &[u8; ESCAPES], place: usize) -> Option<usize> {
    let sequence: &[u8; LONG_ESCAPE] = near.get(place..)?.first_chunk()?;
    let length = usize::from(LENGTHS[usize::from(sequence[1])]);
    let is_hexadecimal = |at: usize| IS_HEXADECIMAL[usize::from(sequence[at])];
    let has_digits = is_hexadecimal(2) & is_hexadecimal(3) & is_hexadecimal(4) & is_hexadecimal(5);
    ((length == SHORT_ESCAPE) | ((length == LONG_ESCAPE) & has_digits)).then_some(length)
}

/// The byte after the escape sequence that begins at `at`.
fn escape(bytes: &[u8], at: usize) -> Found {
    let length = usize::from(length_by_kind(byte(bytes, at + 1)?));
    if length == 0 {
        return syntax(at + 1, "an unknown escape in a string");
    }
    for digit in at + SHORT_ESCAPE..at + length {
        if !byte(bytes, digit)?.is_ascii_hexdigit() {
            return syntax(digit, "\\u without four hexadecimal digits");
        }
    }
    Ok(at + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strings_end_is_found_at_every_place() {
        for length in 0..150 {
            for behind in [0, 1, 40, 90] {
                let plain = "é".repeat(length / 2) + &"x".repeat(length % 2);
                let rest = "y".repeat(behind);
                for (text, end) in [
                    (format!("{plain}\"{rest}"), Some((length, false))),
                    (format!("{plain}\\\"z\"{rest}"), Some((length + 3, true))),
                    (format!("{plain}\u{1f}\"{rest}"), None),
                ] {
                    for search in [string, string_of_any_length] {
                        let found = search(text.as_bytes(), 0);
                        if let Some(end) = end {
                            assert_eq!(found, Ok(end), "{text}");
                        } else {
                            assert!(matches!(found, Err(Stop::Syntax(s)) if s.at == length));
                        }
                    }
                }
                for search in [string, string_of_any_length] {
                    assert_eq!(search(plain.as_bytes(), 0), Err(Stop::End), "{plain}");
                }
            }
        }
    }

    #[test]
    fn escapes_are_told_at_every_place_and_whatever_is_behind_them() {
        for before in 0..2 * WORD {
            for behind in [0, 1, 2 * WORD] {
                let (before, behind) = ("x".repeat(before), "y".repeat(behind));
                for escape in [r#"\""#, r"\\", r"\/", r"\u00e9", r"\ud83d\uDC5F", r#"\\\""#] {
                    let text = format!(r#"\n{before}{escape}"{behind}"#);
                    let end = 2 + before.len() + escape.len();
                    assert_eq!(string(text.as_bytes(), 0), Ok((end, true)), "{text}");
                    for cut in 0..end {
                        assert_eq!(string(&text.as_bytes()[..cut], 0), Err(Stop::End), "{text}");
                    }
                }
                for (escape, fault) in [
                    (r"\x", 1),
                    (r"\u00g9", 4),
                    (r"\u\u00e9", 2),
                    (r#"\u00e""#, 5),
                    ("\\\u{1}", 1),
                    ("\u{1}", 0),
                ] {
                    let text = format!(r#"\n{before}{escape}"{behind}"#);
                    let at = 2 + before.len() + fault;
                    let found = string(text.as_bytes(), 0);
                    assert!(matches!(found, Err(Stop::Syntax(s)) if s.at == at), "{text}");
                }
            }
        }
    }
}
