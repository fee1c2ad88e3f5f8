//! The blocks that a file's streams and footers are compressed in.
//!
//! Source: ORC specification v1, "Compression".

use bytes::Bytes;
use libdeflater::Decompressor;

use super::fault::Fault;
use crate::caught::catch;

/// What a block has decompressed unless the postscript says otherwise, and what it can have: its
/// header has 23 bits for its length.
const DEFAULT_BLOCK: u64 = 256 * 1024;
const LARGEST_BLOCK: u64 = 1 << 23;
/// The bytes of a block's header.
const HEADER: u64 = 3;

/// How blocks are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Compression {
    codec: Codec,
    /// No block has more bytes decompressed
    largest_block: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Codec {
    Zlib,
    Snappy,
    Lzo,
    Lz4,
    Zstd,
}

impl Compression {
    /// Of the number in a postscript; none if there are no blocks.
    pub(super) fn of(number: u64, block_size: Option<u64>) -> Result<Option<Self>, Fault> {
        let codec = match number {
            0 => return Ok(None),
            1 => Codec::Zlib,
            2 => Codec::Snappy,
            3 => Codec::Lzo,
            4 => Codec::Lz4,
            5 => Codec::Zstd,
            _ => return Err(Fault::Compression(number)),
        };
        let size = block_size.unwrap_or(DEFAULT_BLOCK);
        if size > LARGEST_BLOCK {
            return Err(Fault::LargeBlocks(size));
        }
        Ok(Some(Self { codec, largest_block: size as usize }))
    }

    /// Decompresses a block into a buffer that is made large enough, and gives its length there.
    fn decompress(self, block: &[u8], buffer: &mut Vec<u8>) -> Result<usize, Fault> {
        if buffer.is_empty() {
            // Of such a buffer no more is in memory than was written to.
            *buffer = vec![0; self.largest_block];
        }
        match self.codec {
            Codec::Zlib => Decompressor::new()
                .deflate_decompress(block, buffer)
                .map_err(|fault| damaged(&fault)),
            Codec::Snappy => {
                snap::raw::Decoder::new().decompress(block, buffer).map_err(|fault| damaged(&fault))
            }
            Codec::Lzo => {
                // The library panics where a block refers to what is before it.
                let decompressed = catch(|| lzokay_native::decompress_all(block, None));
                let content = decompressed
                    .map_err(|panic| damaged(&panic))?
                    .map_err(|fault| damaged(&fault))?;
                let own = buffer.get_mut(..content.len());
                own.ok_or_else(|| damaged(&"it is too long"))?.copy_from_slice(&content);
                Ok(content.len())
            }
            Codec::Lz4 => {
                lz4_flex::block::decompress_into(block, buffer).map_err(|fault| damaged(&fault))
            }
            Codec::Zstd => zstd::bulk::Decompressor::new()?
                .decompress_to_buffer(block, buffer.as_mut_slice())
                .map_err(|fault| damaged(&fault)),
        }
    }
}

fn damaged(fault: &dyn std::fmt::Display) -> Fault {
    Fault::Block(fault.to_string())
}

/// Gives out what is stored, from its beginning to its end.
pub(super) trait Stored {
    /// How many bytes are left.
    fn left(&self) -> u64;

    /// The next bytes, of which so many are left.
    fn next(&mut self, count: u64) -> Result<Bytes, Fault>;
}

impl Stored for Bytes {
    fn left(&self) -> u64 {
        self.len() as u64
    }

    fn next(&mut self, count: u64) -> Result<Bytes, Fault> {
        Ok(self.split_to(count as usize))
    }
}

/// The content of what is stored, block after block.
pub(super) struct Blocks<S> {
    stored: S,
    compression: Option<Compression>,
    buffer: Vec<u8>,
    block: Block,
    /// How many of the block's bytes were read
    read: usize,
}

enum Block {
    /// As it is stored
    Original(Bytes),
    /// So many bytes of the buffer
    Decompressed(usize),
}

/// What is not compressed is taken in pieces of this size.
const PIECE: u64 = 64 * 1024;

impl<S: Stored> Blocks<S> {
    pub(super) fn new(stored: S, compression: Option<Compression>) -> Self {
        let block = Block::Original(Bytes::new());
        Self { stored, compression, buffer: Vec::new(), block, read: 0 }
    }

    /// What was not read yet of a block that is not empty; empty behind the last.
    pub(super) fn rest(&mut self) -> Result<&[u8], Fault> {
        while self.read == self.block_length() && self.stored.left() > 0 {
            self.next_block()?;
        }
        Ok(match &self.block {
            Block::Original(bytes) => &bytes[self.read..],
            Block::Decompressed(length) => &self.buffer[self.read..*length],
        })
    }

    /// Is done with so many bytes of the rest.
    pub(super) fn consume(&mut self, count: usize) {
        self.read += count;
    }

    fn block_length(&self) -> usize {
        match &self.block {
            Block::Original(bytes) => bytes.len(),
            Block::Decompressed(length) => *length,
        }
    }

    fn next_block(&mut self) -> Result<(), Fault> {
        self.read = 0;
        let Some(compression) = self.compression else {
            self.block = Block::Original(self.stored.next(self.stored.left().min(PIECE))?);
            return Ok(());
        };
        let header = match self.stored.left() {
            HEADER.. => self.stored.next(HEADER)?,
            _ => return Err(Fault::Ended),
        };
        let header = u32::from_le_bytes([header[0], header[1], header[2], 0]);
        let (length, is_original) = (u64::from(header >> 1), header & 1 == 1);
        if self.stored.left() < length {
            return Err(Fault::Ended);
        }
        // What does not get shorter is stored as it was.
        if length > compression.largest_block as u64 {
            return Err(damaged(&"it is longer than the postscript allows"));
        }
        let block = self.stored.next(length)?;
        self.block = match is_original {
            true => Block::Original(block),
            false => Block::Decompressed(compression.decompress(&block, &mut self.buffer)?),
        };
        Ok(())
    }

    /// The next byte.
    pub(super) fn byte(&mut self) -> Result<u8, Fault> {
        let byte = *self.rest()?.first().ok_or(Fault::Ended)?;
        self.consume(1);
        Ok(byte)
    }

    /// Fills a slice with the next bytes.
    pub(super) fn fill(&mut self, mut out: &mut [u8]) -> Result<(), Fault> {
        while !out.is_empty() {
            let rest = self.rest()?;
            let count = rest.len().min(out.len());
            if count == 0 {
                return Err(Fault::Ended);
            }
            let (filled, unfilled) = out.split_at_mut(count);
            filled.copy_from_slice(&rest[..count]);
            self.consume(count);
            out = unfilled;
        }
        Ok(())
    }

    /// Appends the next bytes. No more memory is asked for than there are bytes.
    pub(super) fn append(&mut self, out: &mut Vec<u8>, mut count: usize) -> Result<(), Fault> {
        while count > 0 {
            let rest = self.rest()?;
            let some = rest.len().min(count);
            if some == 0 {
                return Err(Fault::Ended);
            }
            out.extend_from_slice(&rest[..some]);
            self.consume(some);
            count -= some;
        }
        Ok(())
    }
}

/// The longest footer, decompressed.
const LONGEST_FOOTER: usize = 64 * 1024 * 1024;

/// A footer, decompressed.
pub(super) fn footer(stored: Bytes, compression: Option<Compression>) -> Result<Vec<u8>, Fault> {
    let mut blocks = Blocks::new(stored, compression);
    let mut footer = Vec::new();
    loop {
        let rest = blocks.rest()?;
        if rest.is_empty() {
            return Ok(footer);
        }
        footer.extend_from_slice(rest);
        let count = rest.len();
        blocks.consume(count);
        if footer.len() > LONGEST_FOOTER {
            return Err(Fault::LongFooter);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write as _;

    use super::*;

    fn header(length: usize, is_original: bool) -> [u8; 3] {
        let [a, b, c, _] = ((length as u32) << 1 | u32::from(is_original)).to_le_bytes();
        [a, b, c]
    }

    /// A block as it is stored.
    fn block(content: &[u8], is_original: bool) -> Vec<u8> {
        [&header(content.len(), is_original), content].concat()
    }

    fn deflated(content: &[u8]) -> Vec<u8> {
        let mut out = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        out.write_all(content).unwrap();
        out.finish().unwrap()
    }

    fn content(stored: &[u8], number: u64, block_size: u64) -> Result<Vec<u8>, String> {
        let compression = Compression::of(number, Some(block_size)).unwrap();
        let stored = Bytes::copy_from_slice(stored);
        footer(stored, compression).map_err(|fault| fault.to_string())
    }

    #[test]
    fn blocks_are_compressed_or_not_one_after_the_other() {
        let text = b"abc".repeat(100);
        let stored =
            [block(&deflated(&text), false), block(b"", true), block(&text, true)].concat();
        assert_eq!(content(&stored, 1, 300).unwrap(), text.repeat(2));
        assert_eq!(content(&stored, 0, 300).unwrap(), stored);
        assert_eq!(content(b"", 1, 300).unwrap(), b"");
    }

    #[test]
    fn every_codec_is_the_one_of_its_number() {
        let text = b"abcd".repeat(1000);
        let snappy = snap::raw::Encoder::new().compress_vec(&text).unwrap();
        let lz4 = lz4_flex::block::compress(&text);
        let zstd = zstd::bulk::compress(&text, 0).unwrap();
        let lzo = lzokay_native::compress(&text).unwrap();
        for (number, compressed) in (1..).zip([deflated(&text), snappy, lzo, lz4, zstd]) {
            let stored = block(&compressed, false);
            assert_eq!(content(&stored, number, 4000).unwrap(), text, "{number}");
            assert!(content(&stored, number, 3999).is_err(), "{number} is too long");
            let cut = block(&compressed[..compressed.len() - 1], false);
            assert!(content(&cut, number, 4000).is_err(), "{number} is cut");
        }
    }

    #[test]
    fn what_is_cut_or_unknown_is_refused() {
        let stored = block(&deflated(b"abc"), false);
        for length in 1..stored.len() {
            assert!(content(&stored[..length], 1, 300).is_err(), "{length}");
        }
        assert!(matches!(Compression::of(6, None), Err(Fault::Compression(6))));
        assert!(matches!(Compression::of(1, Some(u64::MAX)), Err(Fault::LargeBlocks(_))));
        assert!(Compression::of(1, Some(LARGEST_BLOCK)).is_ok());
    }

    #[test]
    fn a_long_footer_is_refused() {
        let block = block(&deflated(&vec![0; 1 << 20]), false);
        let long = content(&block.repeat(65), 1, 1 << 20);
        assert_eq!(long, Err("its footer is longer than 64 MiB".into()));
        assert_eq!(content(&block.repeat(64), 1, 1 << 20).unwrap().len(), 64 << 20);
    }
}
