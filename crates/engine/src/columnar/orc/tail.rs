//! The end of a file: how it is compressed, what columns it has, and where its stripes are.
//!
//! Source: ORC specification v1, "File Tail".

use std::ops::Range;

use super::compression::{self, Compression};
use super::fault::Fault;
use super::protobuf::{Message, Value};
use super::types::{self, Member, StoredType};
use crate::columnar::ranged::Ranged;

/// What is read of the end at first: the footer, unless it is longer.
const TAIL: u64 = 16 * 1024;
/// Types and stripes that a file may have: far more than any has, since a few bytes can say so.
const MOST_TYPES: usize = 1 << 20;
const MOST_STRIPES: usize = 1 << 22;

// Fields of the postscript.
const FOOTER_LENGTH: u64 = 1;
const COMPRESSION: u64 = 2;
const BLOCK_SIZE: u64 = 3;
const VERSION: u64 = 4;

// Fields of the footer, of an encryption and of its variant.
const STRIPES: u64 = 3;
const TYPES: u64 = 4;
const ENCRYPTION: u64 = 10;
const VARIANTS: u64 = 3;
const ENCRYPTED_ROOT: u64 = 1;

/// What a file says of itself.
#[derive(Debug)]
pub(super) struct Tail {
    pub(super) compression: Option<Compression>,
    /// The columns at the top
    pub(super) columns: Vec<Member>,
    /// The columns of which nothing but a mask can be read
    pub(super) encrypted: Vec<u64>,
    pub(super) stripes: Vec<StripePlace>,
}

/// Where a stripe is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct StripePlace {
    pub(super) offset: u64,
    index_length: u64,
    data_length: u64,
    footer_length: u64,
    pub(super) rows: u64,
}

impl StripePlace {
    /// Nothing if that is no place.
    fn new(bytes: &[u8]) -> Option<Self> {
        let mut place = Self::default();
        let mut message = Message::new(bytes);
        while let Some((field, value)) = message.next()? {
            match (field, value) {
                (1, Value::Number(number)) => place.offset = number,
                (2, Value::Number(number)) => place.index_length = number,
                (3, Value::Number(number)) => place.data_length = number,
                (4, Value::Number(number)) => place.footer_length = number,
                (5, Value::Number(number)) => place.rows = number,
                _ => {}
            }
        }
        Some(place)
    }

    /// Where its footer is, behind its streams.
    pub(super) fn footer(&self) -> Range<u64> {
        let lengths = [self.index_length, self.data_length];
        let start = lengths.iter().fold(self.offset, |at, length| at.saturating_add(*length));
        start..start.saturating_add(self.footer_length)
    }
}

/// What a postscript says.
#[derive(Debug, PartialEq, Eq)]
struct Postscript {
    footer_length: u64,
    compression: Option<Compression>,
}

impl Postscript {
    fn new(bytes: &[u8]) -> Result<Self, Fault> {
        let (mut footer_length, mut number, mut block_size) = (None, 0, None);
        let mut major_version = None;
        let mut message = Message::new(bytes);
        while let Some((field, value)) = message.next().ok_or(Fault::Postscript)? {
            match (field, value) {
                (FOOTER_LENGTH, Value::Number(length)) => footer_length = Some(length),
                (COMPRESSION, Value::Number(compression)) => number = compression,
                (BLOCK_SIZE, Value::Number(size)) => block_size = Some(size),
                (VERSION, Value::Number(version)) => {
                    major_version.get_or_insert(version);
                }
                (VERSION, Value::Bytes(packed)) => {
                    major_version = Message::new(packed).varint();
                }
                _ => {}
            }
        }
        if major_version.is_some_and(|version| version > 0) {
            return Err(Fault::Draft);
        }
        let footer_length = footer_length.ok_or(Fault::Postscript)?;
        Ok(Self { footer_length, compression: Compression::of(number, block_size)? })
    }
}

impl Tail {
    /// Reads the postscript and the footer.
    pub(super) fn read(file: &Ranged) -> Result<Self, Fault> {
        let size = file.size();
        let start = size.saturating_sub(TAIL);
        let end = file.with_chunks(std::iter::once(start..size)).bytes(start, size - start)?;
        let (postscript_length, before) = end.split_last().ok_or(Fault::Postscript)?;
        let footer_end = before.len().checked_sub(usize::from(*postscript_length));
        let footer_end = footer_end.ok_or(Fault::Postscript)?;
        let postscript = Postscript::new(&before[footer_end..])?;
        let footer_start = (start + footer_end as u64).checked_sub(postscript.footer_length);
        let footer_start = footer_start.ok_or(Fault::Postscript)?;
        let footer = match footer_start.checked_sub(start) {
            Some(from) => end.slice(from as usize..footer_end),
            None => file.bytes(footer_start, postscript.footer_length)?,
        };
        let footer = compression::footer(footer, postscript.compression)?;
        Self::new(&footer, postscript.compression)
    }

    fn new(footer: &[u8], compression: Option<Compression>) -> Result<Self, Fault> {
        let (mut types, mut stripes, mut encrypted) = (Vec::new(), Vec::new(), Vec::new());
        let mut message = Message::new(footer);
        while let Some((field, value)) = message.next().ok_or(Fault::Footer)? {
            match (field, value) {
                (STRIPES, Value::Bytes(_)) if stripes.len() == MOST_STRIPES => {
                    return Err(Fault::ManyStripes(MOST_STRIPES));
                }
                (TYPES, Value::Bytes(_)) if types.len() == MOST_TYPES => {
                    return Err(Fault::ManyTypes(MOST_TYPES));
                }
                (STRIPES, Value::Bytes(place)) => {
                    stripes.push(StripePlace::new(place).ok_or(Fault::Footer)?);
                }
                (TYPES, Value::Bytes(stored)) => {
                    let stored = StoredType::new(stored, MOST_TYPES);
                    types.push(stored.ok_or(Fault::Type(types.len()))?);
                }
                (ENCRYPTION, Value::Bytes(encryption)) => {
                    encrypted = encrypted_columns(encryption).ok_or(Fault::Footer)?;
                }
                _ => {}
            }
        }
        Ok(Self { compression, columns: types::root(&types)?, encrypted, stripes })
    }
}

/// The roots of what is encrypted; nothing if that is no message.
fn encrypted_columns(encryption: &[u8]) -> Option<Vec<u64>> {
    let mut columns = Vec::new();
    let mut message = Message::new(encryption);
    while let Some((field, value)) = message.next()? {
        let (VARIANTS, Value::Bytes(variant)) = (field, value) else { continue };
        let mut column = 0;
        let mut variant = Message::new(variant);
        while let Some((field, value)) = variant.next()? {
            if let (ENCRYPTED_ROOT, Value::Number(root)) = (field, value) {
                column = root;
            }
        }
        columns.push(column);
    }
    Some(columns)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Of a footer that is not compressed.
    pub(in super::super) fn tail(footer: &[u8]) -> Tail {
        Tail::new(footer, None).unwrap()
    }

    #[test]
    fn postscripts_say_how_long_the_footer_is() {
        // footerLength 10, compression 1, magic "ORC": as Hive wrote it before 0.12.
        let early = Postscript::new(b"\x08\x0a\x10\x01\x82\xf4\x03\x03ORC").unwrap();
        assert_eq!(early.footer_length, 10);
        assert_eq!(early.compression, Compression::of(1, None).unwrap());
        assert!(Postscript::new(b"\x08\x0a\x22\x02\x00\x0c").is_ok(), "version 0.12");
        for draft in [b"\x08\x0a\x22\x03\x01\x8f\x4e".as_slice(), b"\x08\x0a\x20\x01\x20\x00"] {
            assert!(matches!(Postscript::new(draft), Err(Fault::Draft)));
        }
        for damaged in [b"\x08".as_slice(), b"\xff", b"", b"\x10\x01"] {
            assert!(matches!(Postscript::new(damaged), Err(Fault::Postscript)));
        }
    }

    #[test]
    fn stripes_may_be_anywhere_without_an_overflow() {
        let far =
            [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x10, 5, 0x20, 7];
        let place = StripePlace::new(&far).unwrap();
        assert_eq!(place.footer(), u64::MAX..u64::MAX);
        let place = StripePlace::new(&[0x08, 3, 0x10, 5, 0x18, 7, 0x20, 11, 0x28, 13]).unwrap();
        assert_eq!((place.footer(), place.rows), (15..26, 13));
    }

    #[test]
    fn encrypted_columns_are_those_of_the_variants() {
        assert_eq!(encrypted_columns(&[0x1a, 2, 0x08, 3, 0x1a, 2, 0x08, 5]), Some(vec![3, 5]));
        assert_eq!(encrypted_columns(&[0x1a, 2, 0x08]), None);
    }
}
