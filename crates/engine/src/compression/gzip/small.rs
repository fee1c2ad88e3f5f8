//! A small file of one member, decompressed at once.

use libdeflater::Decompressor;
use memchr::memmem;

/// Files up to this size are read whole.
pub(super) const LONGEST: u64 = 128 << 10;
/// More is better decompressed bit by bit, the more so where only its beginning is looked at.
const MOST_CONTENT: usize = 512 << 10;

/// How every member begins.
const MAGIC: &[u8] = &[0x1f, 0x8b, 8];
/// CRC-32 and size of a member's content, at its end (RFC 1952, section 2.3.1).
const TRAILER: usize = 8;

/// The content of a file that is one member and nothing else.
///
/// The library does not tell where the member ends. It ends with the file if the file does with
/// its trailer: what follows could have the same one only as another member of the same content, and
/// that would begin with its magic number.
pub(super) fn content(file: &[u8]) -> Option<Vec<u8>> {
    let trailer: &[u8; TRAILER] = file.last_chunk()?;
    let [crc @ .., s0, s1, s2, s3] = *trailer;
    let size = u32::from_le_bytes([s0, s1, s2, s3]) as usize;
    if size > MOST_CONTENT || memmem::find(&file[1..], MAGIC).is_some() {
        return None;
    }
    let mut content = vec![0; size];
    let length = Decompressor::new().gzip_decompress(file, &mut content).ok()?;
    let is_whole = length == size && crc32fast::hash(&content).to_le_bytes() == crc;
    is_whole.then_some(content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compression::tests::{gzip, text};

    #[test]
    fn one_member_is_decompressed_at_once() {
        for text in [b"".as_slice(), b"{}", &text()] {
            assert_eq!(content(&gzip(text)).unwrap(), text);
        }
    }

    #[test]
    fn anything_else_is_left() {
        let one = gzip(b"{\"user_id\":1}\n");
        let padded = [&one[..], &[0; 512]].concat();
        let trailer = &one[one.len() - TRAILER..];
        for file in [
            &[&one[..], &one].concat(),
            &[&one[..], &gzip(b"")].concat(),
            &padded,
            &[&one[..], b"{}"].concat(),
            &one[..one.len() - 1],
            &one[..TRAILER],
            trailer,
            b"",
            &gzip(&vec![b' '; MOST_CONTENT + 1]),
        ] {
            assert_eq!(content(file), None, "{file:?}");
        }
    }

    #[test]
    fn damaged_bytes_never_give_other_content() {
        let text = text();
        let whole = gzip(&text);
        for at in (0..whole.len()).step_by(97).chain(whole.len() - TRAILER..whole.len()) {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x10;
            assert!(content(&damaged).is_none_or(|content| content == text), "{at}");
        }
    }
}
