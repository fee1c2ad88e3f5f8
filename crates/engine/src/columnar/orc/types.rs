//! Looks at an ORC file's types before the library that reads them does: it follows them from one to
//! the next, and where they go round in a circle that would end the process.
//!
//! Source: ORC specification v1, "File Tail" and "Type Information": types are in the order of a walk
//! over their tree, each before those it holds.

use std::collections::HashMap;
use std::io::{self, Read as _};

use bytes::Bytes;
use orc_rust::compression::{Compression, Decompressor};
use orc_rust::reader::metadata::read_metadata;

use super::protobuf::{Message, Value, push_varint};

/// Types may be nested this deep.
const MAX_NESTING: usize = 256;
/// The longest footer, decompressed.
const MAX_FOOTER: u64 = 64 * 1024 * 1024;

// Fields of the postscript, the footer and a type.
const FOOTER_LENGTH: u64 = 1;
const COMPRESSION: u64 = 2;
const BLOCK_SIZE: u64 = 3;
const TYPES: u64 = 4;
const SUBTYPES: u64 = 2;

/// Why types must not be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("its type {0} is held by its type {1}, which should come before it and alone hold it")]
    NoTree(u32, u32),
    #[error("its types are nested deeper than {MAX_NESTING} levels")]
    Nesting,
    #[error("its footer is longer than 64 MiB")]
    TooLong,
}

/// What a postscript says of the footer before it.
pub(super) struct Footer {
    pub(super) length: u64,
    compression: Option<Compression>,
}

impl Footer {
    /// Nothing if that is no postscript; then the library says why.
    pub(super) fn of(postscript: &[u8]) -> Option<Self> {
        let mut footer = None;
        let (mut kind, mut block_size) = (0, 256 * 1024);
        let mut message = Message::new(postscript);
        while let Some((field, value)) = message.next()? {
            match (field, value) {
                (FOOTER_LENGTH, Value::Number(length)) => footer = Some(length),
                (COMPRESSION, Value::Number(number)) => kind = number,
                (BLOCK_SIZE, Value::Number(size)) => block_size = size,
                _ => {}
            }
        }
        Some(Self { length: footer?, compression: compression(kind, block_size)? })
    }

    /// Checks the types in the footer.
    pub(super) fn check(&self, bytes: Bytes) -> io::Result<()> {
        let mut footer = Vec::new();
        let decompressed = Decompressor::new(bytes, self.compression, Vec::new());
        decompressed.take(MAX_FOOTER + 1).read_to_end(&mut footer)?;
        if footer.len() as u64 > MAX_FOOTER {
            return Err(io::Error::other(Refusal::TooLong));
        }
        check_types(&footer).map_err(io::Error::other)
    }
}

/// A compression as the library knows it. It tells of files alone, so it gets the least of them.
fn compression(kind: u64, block_size: u64) -> Option<Option<Compression>> {
    // One type, a struct of nothing.
    const ONE_TYPE: [u8; 4] = [0x22, 0x02, 0x08, 0x0c];
    let mut file = Vec::new();
    if kind != 0 {
        // The header of a block that is not compressed.
        file.extend([(ONE_TYPE.len() as u8) << 1 | 1, 0, 0]);
    }
    file.extend(ONE_TYPE);
    let start = file.len();
    for (field, value) in [(1, start as u64), (2, kind), (3, block_size), (5, 0)] {
        file.push(field << 3);
        push_varint(&mut file, value);
    }
    file.push(u8::try_from(file.len() - start).ok()?);
    read_metadata(&mut Bytes::from(file)).ok().map(|metadata| metadata.compression())
}

/// Each type must be held by one before it, and by that alone.
fn check_types(footer: &[u8]) -> Result<(), Refusal> {
    // How deep each type lies that another holds.
    let mut depths: HashMap<u32, usize> = HashMap::new();
    let mut at = 0;
    let mut footer = Message::new(footer);
    while let Some(Some((field, value))) = footer.next() {
        let (TYPES, Value::Bytes(bytes)) = (field, value) else { continue };
        let depth = depths.get(&at).copied().unwrap_or(0) + 1;
        let mut message = Message::new(bytes);
        while let Some(Some((field, value))) = message.next() {
            let mut hold = |held: u64| {
                // The library takes no more bits than these.
                let held = held as u32;
                if held <= at || depths.insert(held, depth).is_some() {
                    return Err(Refusal::NoTree(held, at));
                }
                if depth > MAX_NESTING {
                    return Err(Refusal::Nesting);
                }
                Ok(())
            };
            match (field, value) {
                (SUBTYPES, Value::Number(held)) => hold(held)?,
                (SUBTYPES, Value::Bytes(packed)) => {
                    let mut packed = Message::new(packed);
                    while let Some(held) = packed.varint() {
                        hold(held)?;
                    }
                }
                _ => {}
            }
        }
        at += 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use orc_rust::compression::CompressionType;

    use super::*;

    /// A footer with types that hold these.
    fn footer(types: &[&[u64]]) -> Vec<u8> {
        let mut footer = vec![0x08, 3];
        for held in types {
            let mut packed = Vec::new();
            held.iter().for_each(|held| push_varint(&mut packed, *held));
            let length = u8::try_from(packed.len()).unwrap();
            footer.extend([0x22, 4 + length, 0x08, 0x0c, 0x12, length]);
            footer.extend(packed);
        }
        footer
    }

    #[test]
    fn types_are_a_tree() {
        assert_eq!(check_types(&footer(&[&[1, 3], &[2], &[], &[]])), Ok(()));
        assert_eq!(check_types(&footer(&[&[0]])), Err(Refusal::NoTree(0, 0)));
        assert_eq!(check_types(&footer(&[&[1], &[1]])), Err(Refusal::NoTree(1, 1)));
        assert_eq!(check_types(&footer(&[&[1], &[2], &[1]])), Err(Refusal::NoTree(1, 2)));
        assert_eq!(check_types(&footer(&[&[1, 1], &[]])), Err(Refusal::NoTree(1, 0)));
        assert_eq!(check_types(&footer(&[&[u64::from(u32::MAX)]])), Ok(()));
    }

    #[test]
    fn types_are_nested_so_deep_and_no_deeper() {
        let nested = |depth: u64| {
            let held: Vec<[u64; 1]> = (1..=depth).map(|held| [held]).collect();
            let types: Vec<&[u64]> = held.iter().map(|held| &held[..]).collect();
            check_types(&footer(&types))
        };
        assert_eq!(nested(MAX_NESTING as u64), Ok(()));
        assert_eq!(nested(MAX_NESTING as u64 + 1), Err(Refusal::Nesting));
    }

    #[test]
    fn compressions_are_those_of_the_library() {
        let kinds = ["None", "Zlib", "Snappy", "Lzo", "Lz4", "Zstd"];
        for (number, kind) in (0..).zip(kinds) {
            let compression = compression(number, 64 * 1024).unwrap();
            let found = compression.map(|compression| compression.compression_type());
            let found = found.map_or("None".into(), |found: CompressionType| format!("{found:?}"));
            assert_eq!(found, kind);
        }
        assert!(Footer::of(b"\xff").is_none());
    }

    #[test]
    fn compressed_footers_are_looked_at() {
        let circle = footer(&[&[1], &[1]]);
        let mut deflated = Vec::new();
        flate2::read::DeflateEncoder::new(&circle[..], flate2::Compression::default())
            .read_to_end(&mut deflated)
            .unwrap();
        let block = [&[(deflated.len() as u8) << 1, 0, 0], &deflated[..]].concat();
        let length = u8::try_from(block.len()).unwrap();
        let footer = Footer::of(&[0x08, length, 0x10, 1, 0x28, 0]).unwrap();
        assert_eq!(footer.length, u64::from(length));
        assert!(footer.check(block.into()).is_err());
    }
}
