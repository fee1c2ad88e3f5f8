//! A small file of one member, decompressed at once.

use libdeflater::Decompressor;
use memchr::memmem;

/// Files up to this size are read whole.
pub(super) const LONGEST: u64 = 128 << 10;
/// More is better decompressed bit by bit, the more so where only its beginning is looked at.
const MOST_CONTENT: usize = 512 << 10;

/// CRC-32 and size of a member's content, at its end (RFC 1952, section 2.3.1).
const TRAILER: usize = 8;
/// The byte with a header's flags, and the one that says that the header has a checksum.
const FLAGS: usize = 3;
const HEADER_CRC: u8 = 1 << 1;

/// The content of a file that is one member and nothing else.
///
/// The library does not tell where the member ends. If the file's last bytes are its trailer and are
/// nowhere else in the file, it ends with the file. Nor does it look at a header's checksum.
pub(super) fn content(file: &[u8]) -> Option<Vec<u8>> {
    let trailer: &[u8; TRAILER] = file.last_chunk()?;
    let [crc @ .., s0, s1, s2, s3] = *trailer;
    let size = u32::from_le_bytes([s0, s1, s2, s3]) as usize;
    let before = &file[..file.len() - 1];
    if size > MOST_CONTENT
        || file[FLAGS] & HEADER_CRC != 0
        || memmem::find(before, trailer).is_some()
    {
        return None;
    }
    let mut content = vec![0; size];
    let length = Decompressor::new().gzip_decompress(file, &mut content).ok()?;
    let is_whole = length == size && crc32fast::hash(&content).to_le_bytes() == crc;
    is_whole.then_some(content)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use proptest::prelude::*;

    use super::super::Members;
    use super::*;
    use crate::compression::tests::{gzip, text};

    /// What the reader of members makes of a file; nothing if it is refused.
    fn of_members(file: &[u8]) -> Option<Vec<u8>> {
        let mut content = Vec::new();
        Members::new(file).read_to_end(&mut content).ok().map(|_| content)
    }

    #[test]
    fn one_member_is_decompressed_at_once() {
        for text in [b"{}".as_slice(), &text()] {
            assert_eq!(content(&gzip(text)).unwrap(), text);
        }
    }

    #[test]
    fn anything_else_is_left() {
        let one = gzip(b"{\"user_id\":1}\n");
        let trailer = &one[one.len() - TRAILER..];
        let mut other_magic = one.clone();
        other_magic[1] = 0;
        for file in [
            &[&one[..], &one].concat(),
            &[&one[..], &other_magic].concat(),
            &[&one[..], &gzip(b"")].concat(),
            &[&gzip(b""), &b"{}\n"[..], &[0; TRAILER]].concat(),
            &[&one[..], &[0; 512]].concat(),
            &[&one[..], b"{}"].concat(),
            &[&one[..], trailer].concat(),
            &[&one[..], &trailer[..1]].concat(),
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
    fn headers_with_a_checksum_are_left() {
        let mut file = gzip(b"{}");
        file[FLAGS] |= HEADER_CRC;
        let header = 10;
        let checksum = crc32fast::hash(&file[..header]) as u16;
        file.splice(header..header, checksum.to_le_bytes());
        assert_eq!((content(&file), of_members(&file).unwrap()), (None, b"{}".to_vec()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn content_is_that_of_members(
            parts in prop::collection::vec((0..4_usize, 0..40_usize), 1..4),
            change in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
            cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
        ) {
            let mut file = Vec::new();
            for (kind, length) in parts {
                let text = b"{\"user_id\":1}\n".repeat(length);
                match kind {
                    0 | 1 => file.extend(gzip(&text)),
                    2 => file.extend(vec![0; length]),
                    _ => file.extend(file.last_chunk::<TRAILER>().copied().unwrap_or_default()),
                }
            }
            if let (Some((place, byte)), false) = (change, file.is_empty()) {
                let place = place.index(file.len());
                file[place] = byte;
            }
            let end = cut.map_or(file.len(), |cut| cut.index(file.len() + 1));
            if let Some(content) = content(&file[..end]) {
                // The library takes some codes that another refuses, which the checksum makes harmless.
                match of_members(&file[..end]) {
                    None if change.is_some() => {}
                    other => prop_assert_eq!(Some(content), other),
                }
            }
        }
    }
}
