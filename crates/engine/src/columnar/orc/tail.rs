//! The end of an ORC file, made whole where an early writer left something out.
//!
//! Source: ORC specification v1, "File Tail". Writers before Hive 0.12 have no `metadataLength`,
//! which is then zero; the library that reads ORC here asks for it.

use std::io;

use bytes::Bytes;

use super::protobuf::Message;

/// The longest postscript: its length is one byte.
pub(super) const MAX_POSTSCRIPT: u64 = 255;
/// The field `metadataLength`, and as it is written where it is zero.
const METADATA_LENGTH: u64 = 5;
const NO_METADATA: [u8; 2] = [(METADATA_LENGTH as u8) << 3, 0];

/// A postscript that is read in place of the file's own.
#[derive(Debug, Clone)]
pub(super) struct Tail {
    /// Where the file's own begins
    pub(super) start: u64,
    /// With its length behind it
    pub(super) bytes: Bytes,
}

/// The postscript that the last bytes of a file of that size should end with; none if they do, or
/// if they are no postscript at all.
pub(super) fn completed(size: u64, last: &[u8]) -> Option<Tail> {
    let (length, before) = last.split_last()?;
    let start = before.len().checked_sub(usize::from(*length))?;
    let postscript = &before[start..];
    if has_metadata_length(postscript)? {
        return None;
    }
    let mut bytes = postscript.to_vec();
    bytes.extend(NO_METADATA);
    bytes.push(length.checked_add(2)?);
    Some(Tail { start: size - 1 - u64::from(*length), bytes: bytes.into() })
}

/// Nothing if it is no message.
fn has_metadata_length(postscript: &[u8]) -> Option<bool> {
    let mut message = Message::new(postscript);
    while let Some((field, _)) = message.next()? {
        if field == METADATA_LENGTH {
            return Some(true);
        }
    }
    Some(false)
}

impl Tail {
    /// The size of a file that ends with it.
    pub(super) fn file_size(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// The part of a range that lies in it, and how much lies before it.
    pub(super) fn split(&self, offset: u64, length: u64) -> io::Result<(u64, Bytes)> {
        let end = offset.checked_add(length).filter(|end| *end <= self.file_size());
        let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
        let before = self.start.saturating_sub(offset).min(length);
        let from = offset.saturating_sub(self.start).min(self.bytes.len() as u64);
        let to = end.saturating_sub(self.start);
        Ok((before, self.bytes.slice(from as usize..to.max(from) as usize)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_length_is_added_and_nothing_else() {
        // footerLength 10, compression 1, magic "ORC".
        let early = b"....\x08\x0a\x10\x01\x82\xf4\x03\x03ORC\x0b";
        let tail = completed(100, early).unwrap();
        assert_eq!((tail.start, tail.file_size()), (88, 102));
        assert_eq!(&tail.bytes[..], b"\x08\x0a\x10\x01\x82\xf4\x03\x03ORC\x28\x00\x0d");
        let later = b"....\x08\x0a\x28\x07\x04";
        assert!(completed(100, later).is_none());
        assert!(completed(100, b"\xff").is_none());
        assert!(completed(100, b"\x08\x02").is_none());
    }

    #[test]
    fn ranges_are_split_at_the_tail() {
        let tail = Tail { start: 10, bytes: Bytes::from_static(b"abc") };
        assert_eq!(tail.split(8, 4).unwrap(), (2, Bytes::from_static(b"ab")));
        assert_eq!(tail.split(0, 5).unwrap(), (5, Bytes::new()));
        assert_eq!(tail.split(11, 2).unwrap(), (0, Bytes::from_static(b"bc")));
        assert!(tail.split(11, 3).is_err());
    }
}
