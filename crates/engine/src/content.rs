//! Tells text from other content by the first bytes.

use std::io;

use crate::error::ConvertError;
use crate::input::Source;
use crate::lanes::{self, LANES};

/// How much of a file is looked at.
pub(crate) const HEAD: usize = 8 * 1024;

/// How many bytes tell a binary format.
const MAGIC: usize = 16;
pub(crate) const AVRO: &[u8] = b"Obj\x01";

/// A columnar format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Columnar {
    Parquet,
    Orc,
}

/// The columnar format of a source. A header of CSV may begin with the letters of ORC, but does not
/// end with them.
pub(crate) fn columnar(source: &Source) -> io::Result<Option<Columnar>> {
    let size = source.size();
    let length = usize::try_from(size).unwrap_or(MAGIC).min(MAGIC);
    let head = source.read_range(0, length)?;
    Ok(match &head[..] {
        [b'P', b'A', b'R', b'1', ..] => Some(Columnar::Parquet),
        [b'O', b'R', b'C', rest @ ..] if rest.len() > 3 => {
            let tail = source.read_range(size - 4, 4)?;
            (tail.starts_with(b"ORC") || rest.contains(&0)).then_some(Columnar::Orc)
        }
        _ => None,
    })
}

/// Refuses a source that does not begin as its format does.
pub(crate) fn expect(
    source: &Source,
    magic: &[u8],
    expected: &'static str,
) -> Result<(), ConvertError> {
    let length = usize::try_from(source.size()).unwrap_or(HEAD).min(HEAD);
    let head = source.read_range(0, length).map_err(ConvertError::Read)?;
    if head.starts_with(magic) {
        return Ok(());
    }
    let found = not_text(&head).unwrap_or("text");
    Err(ConvertError::OtherFormat { found, expected })
}

/// A file's content that is no UTF-8 text, in words.
pub(crate) fn not_text(head: &[u8]) -> Option<&'static str> {
    let known = match head {
        [b'P', b'A', b'R', b'1', ..] => Some("Parquet"),
        [b'P', b'A', b'R', b'E', ..] => Some("encrypted Parquet"),
        [b'O', b'R', b'C', ..] if !head[3..].starts_with(b"\"") => Some("ORC"),
        [b'O', b'b', b'j', 1, ..] => Some("Avro"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("UTF-16 text, which must become UTF-8 first"),
        _ => None,
    };
    known.or_else(|| looks_binary(head).then_some("not UTF-8 text"))
}

/// Control characters that are not those of text.
const CONTROL: [bool; 256] = {
    let mut is_control = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        is_control[byte] = matches!(byte, 0x02..=0x08 | 0x0e..=0x1a | 0x1c | 0x1d | 0x1f | 0x7f);
        byte += 1;
    }
    is_control
};

/// Text holds no NUL, few control characters besides white space and the separators of Hive and
/// RFC 7464, and little that is not UTF-8.
fn looks_binary(head: &[u8]) -> bool {
    const FEW: usize = 8;
    // Most heads are plain.
    if head.len() >= LANES && lanes::all_blocks(head, lanes::is_plain_text) {
        return false;
    }
    let controls = head.iter().map(|byte| usize::from(CONTROL[usize::from(*byte)])).sum::<usize>();
    let invalid = match simdutf8::basic::from_utf8(head) {
        Ok(_) => 0,
        Err(_) => head.utf8_chunks().filter(|chunk| !chunk.invalid().is_empty()).count(),
    };
    let odd = controls + invalid;
    head.contains(&0) || (odd > FEW && odd * 7 > head.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_told_from_other_content() {
        for text in
            ["{\"a\":1}", "[\"\u{2}\"]", "a\u{1}b\u{1}c\n", "", "ORC\",1", "日本語", "\u{1e}{}"]
        {
            assert_eq!(not_text(text.as_bytes()), None, "{text}");
        }
        assert_eq!(not_text(b"PAR1\x15\x04"), Some("Parquet"));
        assert_eq!(not_text(b"ORC\x0a\x0b"), Some("ORC"));
        assert_eq!(not_text(b"abc\0def"), Some("not UTF-8 text"));
        let noise: Vec<u8> = (1..=255).map(|n: u8| n.wrapping_mul(97)).collect();
        assert_eq!(not_text(&noise), Some("not UTF-8 text"));
    }
}
