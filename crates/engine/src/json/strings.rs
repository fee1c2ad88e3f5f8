//! Finds the ends of JSON's strings, strictly as RFC 8259 says.

use super::scan::{Found, Stop, byte, syntax};
use crate::lanes::{self, LANES, StringMarks, WORD};

/// The closing quote of the string whose first character is at `at`, and whether it has escapes.
#[inline(always)]
pub(crate) fn string(bytes: &[u8], at: usize) -> Result<(usize, bool), Stop> {
    let end = plain_end(bytes, at);
    closed_at(bytes, end)
}

/// The same for a string that has no special characters before `end`.
#[inline(always)]
pub(super) fn closed_at(bytes: &[u8], end: usize) -> Result<(usize, bool), Stop> {
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
    while let Some(word) = bytes.get(at..).and_then(|rest| rest.first_chunk()) {
        let word = EscapedWord::new(&lanes::string_marks(word));
        if word.is_faulty {
            break;
        }
        escaped |= word.has_escapes;
        if let Some(end) = word.end {
            return closed(bytes, at + end, escaped);
        }
        at += word.whole;
    }
    byte_by_byte(bytes, at, escaped)
}

fn byte_by_byte(bytes: &[u8], mut at: usize, mut escaped: bool) -> Result<(usize, bool), Stop> {
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

/// A word of a string that does not begin within an escape sequence. Its sequences are found without a
/// branch for each, since the processor cannot guess where they are.
struct EscapedWord {
    /// Whether there is one before the end.
    has_escapes: bool,
    /// The place of the first quote or control character that no backslash is before.
    end: Option<usize>,
    /// Whether one before the end is invalid.
    is_faulty: bool,
    /// How many bytes lie before an escape sequence that goes on behind the word; all if none does.
    whole: usize,
}

/// The bits of a word's last bytes.
const fn last(bytes: usize) -> u64 {
    u64::MAX << (WORD - bytes)
}

const AT_EVEN_PLACES: u64 = u64::MAX / 3;

impl EscapedWord {
    #[inline(always)]
    fn new(marks: &StringMarks) -> Self {
        let backslashes = marks.backslashes;
        let firsts = backslashes & !(backslashes << 1);
        // The carry of an addition runs through backslashes side by side.
        let after_even = backslashes.wrapping_add(firsts & AT_EVEN_PLACES);
        let begun_at_even = backslashes & !after_even;
        // Of those side by side the first, the third and so on begin a sequence.
        let escapes = backslashes & (begun_at_even ^ !AT_EVEN_PLACES);
        let escaped = escapes << 1;

        let long = escaped & marks.letters_u;
        let digits = long << 1 | long << 2 | long << 3 | long << 4;
        let ends = marks.ends & !escaped;
        let end = ends & ends.wrapping_neg();
        let up_to_end = end ^ end.wrapping_sub(1);
        let faults = (escaped & !marks.escapable) | (digits & !marks.hexadecimal_digits);

        let going_on = escapes & last(1) | (long & last(4)) >> 1;
        Self {
            has_escapes: escapes & up_to_end != 0,
            end: (end != 0).then_some(end.trailing_zeros() as usize),
            is_faulty: faults & up_to_end != 0,
            whole: going_on.trailing_zeros() as usize,
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

/// The byte after the escape sequence that begins at `at`.
fn escape(bytes: &[u8], at: usize) -> Found {
    match byte(bytes, at + 1)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(at + 2),
        b'u' => {
            let digits = at + 2..at + 6;
            for digit in digits.clone() {
                if !byte(bytes, digit)?.is_ascii_hexdigit() {
                    return syntax(digit, "\\u without four hexadecimal digits");
                }
            }
            Ok(digits.end)
        }
        _ => syntax(at + 1, "an unknown escape in a string"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::quotes::Quotes;
    use super::*;

    fn string_found_ahead(bytes: &[u8], at: usize) -> Result<(usize, bool), Stop> {
        closed_at(bytes, Quotes::new(at).next(bytes, at))
    }

    proptest! {
        #[test]
        fn words_of_escapes_say_what_bytes_say(
            text in r#"\\?([\\nu0aF"é \x01]|\\\\|\\n|\\u00e9|\\"){0,120}""#
        ) {
            let bytes = text.as_bytes();
            prop_assert_eq!(rest_of_string(bytes, 0), byte_by_byte(bytes, 0, false));
        }
    }

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
                    for search in [string, string_found_ahead] {
                        let found = search(text.as_bytes(), 0);
                        if let Some(end) = end {
                            assert_eq!(found, Ok(end), "{text}");
                        } else {
                            assert!(matches!(found, Err(Stop::Syntax(s)) if s.at == length));
                        }
                    }
                }
                for search in [string, string_found_ahead] {
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
