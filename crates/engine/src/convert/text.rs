//! Text on one line, in the CSV dialect that Personalize reads.
//!
//! Sources: Personalize developer guide, "preparing-training-data" (no line breaks, header without
//! quotes) and "items-datasets" (a backslash escapes quotes and backslashes).

use std::borrow::Cow;

use crate::row_buffer::RowBuffer;

/// Must be quoted in a cell: Personalize's quote, delimiter and escape, and Spark's comment sign.
const QUOTED: u8 = 1;
/// Ends a line somewhere, or begins a character that does.
const MAY_BREAK: u8 = 2;

const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    classes[b'"' as usize] = QUOTED;
    classes[b',' as usize] = QUOTED;
    classes[b'\\' as usize] = QUOTED;
    classes[b'#' as usize] = QUOTED;
    classes[b'\t' as usize] = MAY_BREAK;
    classes[b'\n' as usize] = MAY_BREAK;
    classes[0x0b] = MAY_BREAK;
    classes[0x0c] = MAY_BREAK;
    classes[b'\r' as usize] = MAY_BREAK;
    // First bytes of U+0085, and of U+2028 and U+2029.
    classes[0xc2] = MAY_BREAK;
    classes[0xe2] = MAY_BREAK;
    classes
};

/// A line break or a tab.
fn is_break(c: char) -> bool {
    matches!(c, '\t'..='\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_white(c: char) -> bool {
    c == ' ' || is_break(c)
}

/// The text with each run of white space that holds a line break or tab as one space.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    let may_break = text.bytes().any(|byte| CLASSES[byte as usize] & MAY_BREAK != 0);
    if !may_break || !text.contains(is_break) {
        return Cow::Borrowed(text);
    }
    let mut line = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_white) {
        line.push_str(&rest[..start]);
        rest = &rest[start..];
        let end = rest.find(|c| !is_white(c)).unwrap_or(rest.len());
        let run = &rest[..end];
        line.push_str(if run.contains(is_break) { " " } else { run });
        rest = &rest[end..];
    }
    line.push_str(rest);
    Cow::Owned(line)
}

/// Whether nothing of the text can be seen.
pub(crate) fn is_blank(text: &str) -> bool {
    text.chars().all(is_white)
}

/// Whether the text has more characters than that.
pub(crate) fn is_longer(text: &str, most: usize) -> bool {
    text.len() > most && text.chars().count() > most
}

/// Writes a cell; `always_quoted` is for textual columns.
pub(crate) fn write_cell(out: &mut RowBuffer, text: &str, always_quoted: bool) {
    let bytes = text.as_bytes();
    if !always_quoted && bytes.iter().all(|byte| CLASSES[*byte as usize] & QUOTED == 0) {
        out.extend_from_slice(bytes);
        return;
    }
    out.push(b'"');
    let mut rest = bytes;
    while let Some(at) = memchr::memchr2(b'"', b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(&[b'\\', rest[at]]);
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(text: &str) -> String {
        let mut out = RowBuffer::default();
        write_cell(&mut out, text, false);
        String::from_utf8(out.as_slice().to_vec()).unwrap()
    }

    #[test]
    fn runs_with_a_break_become_one_space() {
        for (text, expected) in [
            ("a\nb", "a b"),
            ("a \t\r\n b", "a b"),
            ("a  b", "a  b"),
            ("\na  b\u{2028}c\u{85}", " a  b c "),
            ("é\u{e9} “x”", "éé “x”"),
        ] {
            assert_eq!(one_line(text), expected);
        }
    }

    #[test]
    fn cells_are_quoted_only_where_they_must() {
        for (text, expected) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", r#""say \"hi\"""#),
            (r"back\slash", r#""back\\slash""#),
            ("#1", "\"#1\""),
            ("a|b", "a|b"),
        ] {
            assert_eq!(cell(text), expected);
        }
        let mut out = RowBuffer::default();
        write_cell(&mut out, "plain", true);
        assert_eq!(out.as_slice(), b"\"plain\"");
    }
}
