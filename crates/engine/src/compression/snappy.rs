//! Snappy: Google's framing format, and the blocks that Hadoop's `SnappyCodec` writes.
//!
//! Hadoop's file is a sequence of blocks. Each begins with the length of its content and goes on
//! with chunks, of a length and that many bytes of raw Snappy, until the content is complete.
//! There is no magic number, no checksum and no end mark: a file that is cut between two blocks
//! cannot be told from a whole one.

use std::io::{self, BufRead, Read};

use snap::raw::{Decoder, decompress_len, max_compress_len};

/// The first chunk of a framed stream.
pub(super) const FRAMED: [u8; 10] = *b"\xff\x06\0\0sNaPpY";
/// The longest block; Hadoop's are of 256 KiB unless told otherwise.
const MOST_BLOCK: usize = 64 * 1024 * 1024;
/// Raw Snappy makes at most 64 bytes of 3.
const MOST_EXPANSION: usize = 22;
/// What an empty file is in Hadoop's format: one empty block.
const EMPTY: [u8; 4] = [0; 4];

/// A reader of either format.
pub(super) fn decoder(mut reader: impl BufRead + Send + 'static) -> io::Result<super::Reader> {
    Ok(match reader.fill_buf()?.first() {
        Some(0xff) => Box::new(snap::read::FrameDecoder::new(reader)),
        _ => Box::new(HadoopBlocks::new(reader)),
    })
}

/// Whether a file that begins like this is in Hadoop's format: its lengths agree with the length
/// that the first chunk itself begins with, and the chunk goes on with a literal, since there is
/// nothing yet that it could repeat. There is a zero among the lengths, so it is no text.
pub(super) fn is_hadoop(head: &[u8]) -> bool {
    if head == EMPTY {
        return true;
    }
    let Some((lengths, chunk)) = head.split_at_checked(8) else { return false };
    let [block, compressed] = [&lengths[..4], &lengths[4..]].map(big_endian);
    let (Ok(length), Some(tag)) = (decompress_len(chunk), literal_tag(chunk)) else { return false };
    lengths.contains(&0)
        && (1..=MOST_BLOCK).contains(&block)
        && (1..=block).contains(&length)
        && compressed <= max_compress_len(length)
        && length <= compressed.saturating_mul(MOST_EXPANSION)
        && tag & 3 == 0
}

/// What stands behind the length at a chunk's beginning.
fn literal_tag(chunk: &[u8]) -> Option<u8> {
    let length_end = chunk.iter().position(|byte| *byte < 0x80)?;
    chunk.get(length_end + 1).copied()
}

fn big_endian(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
}

/// Reads Hadoop's blocks, one chunk at a time.
struct HadoopBlocks<R> {
    reader: R,
    decoder: Decoder,
    /// Bytes of the block's content that are still to come
    left: usize,
    chunk: Vec<u8>,
    content: Vec<u8>,
    /// How far the chunk's content was handed on
    at: usize,
}

impl<R: BufRead> HadoopBlocks<R> {
    fn new(reader: R) -> Self {
        Self {
            reader,
            decoder: Decoder::new(),
            left: 0,
            chunk: Vec::new(),
            content: Vec::new(),
            at: 0,
        }
    }

    /// Decodes the next chunk; false at the end of the file.
    fn next_chunk(&mut self) -> io::Result<bool> {
        while self.left == 0 {
            if self.reader.fill_buf()?.is_empty() {
                return Ok(false);
            }
            self.left = self.length(MOST_BLOCK)?;
        }
        let compressed = self.length(max_compress_len(self.left))?;
        // Memory follows what is there, not what is claimed.
        self.chunk.clear();
        self.reader.by_ref().take(compressed as u64).read_to_end(&mut self.chunk)?;
        if self.chunk.len() < compressed {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let length = decompress_len(&self.chunk)?;
        if length == 0 || length > self.left.min(compressed.saturating_mul(MOST_EXPANSION)) {
            return Err(damaged("a chunk and its block disagree on their lengths"));
        }
        self.content.resize(length, 0);
        self.decoder.decompress(&self.chunk, &mut self.content)?;
        self.left -= length;
        self.at = 0;
        Ok(true)
    }

    fn length(&mut self, most: usize) -> io::Result<usize> {
        let mut bytes = [0; 4];
        self.reader.read_exact(&mut bytes)?;
        let length = big_endian(&bytes);
        if length > most {
            return Err(damaged("a block or a chunk is too long"));
        }
        Ok(length)
    }
}

impl<R: BufRead> Read for HadoopBlocks<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.content.len() && !self.next_chunk()? {
            return Ok(0);
        }
        let count = (&self.content[self.at..]).read(buffer)?;
        self.at += count;
        Ok(count)
    }
}

fn damaged(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::compression::Compression;
    use crate::compression::tests::{read, text};

    /// Blocks of that many bytes, in chunks of that many.
    fn hadoop(content: &[u8], block: usize, chunk: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        for block in content.chunks(block) {
            bytes.extend((block.len() as u32).to_be_bytes());
            for chunk in block.chunks(chunk) {
                let chunk = snap::raw::Encoder::new().compress_vec(chunk).unwrap();
                bytes.extend((chunk.len() as u32).to_be_bytes());
                bytes.extend(chunk);
            }
        }
        bytes
    }

    #[test]
    fn hadoops_blocks_are_recognised_and_read() {
        let text = text();
        for (block, chunk) in [(262_144, 262_144), (1000, 300), (150_000, 70_000), (1, 1)] {
            let content = &text[..if block == 1 { 500 } else { text.len() }];
            let bytes = hadoop(content, block, chunk);
            assert_eq!(Compression::of(&bytes), Compression::Snappy);
            assert!(read(&bytes).unwrap() == content, "{block} {chunk}");
        }
        let noise: Vec<u8> =
            (0..20_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        assert_eq!(read(&hadoop(&noise, 5000, 5000)).unwrap(), noise);
        let spaces = vec![b' '; 40 << 20];
        assert!(read(&hadoop(&spaces, 33 << 20, 20 << 20)).unwrap() == spaces);
        assert_eq!(read(&EMPTY).unwrap(), b"");
        assert_eq!(read(&[hadoop(b"one\n", 9, 9), EMPTY.to_vec()].concat()).unwrap(), b"one\n");
    }

    #[test]
    fn a_cut_block_is_not_whole() {
        let text = text();
        let bytes = hadoop(&text, 100_000, 30_000);
        for cut in (14..bytes.len()).step_by(499).chain(bytes.len() - 20..bytes.len()) {
            let fault = read(&bytes[..cut]).unwrap_err();
            assert_eq!(fault.kind(), io::ErrorKind::UnexpectedEof, "cut at {cut}: {fault}");
        }
    }

    #[test]
    fn lengths_that_lie_take_no_memory() {
        let good = hadoop(b"one\n", 9, 9);
        let chunk = &hadoop(&text(), 70_000, 70_000)[8..];
        for lengths in [[u32::MAX, 40], [(64 << 20) + 1, 40], [70_000, u32::MAX], [70_000, 0]] {
            let bytes = [&good, lengths.map(u32::to_be_bytes).as_flattened(), chunk].concat();
            assert_eq!(read(&bytes).unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
        // A chunk that says it is more than its block, and one that is more than it can be.
        for (block, chunk) in
            [(3_u32, b"\x04\x0cone\n".as_slice()), (1 << 25, b"\x80\x80\x80\x08\0o")]
        {
            let lengths = [block.to_be_bytes(), (chunk.len() as u32).to_be_bytes()];
            let bytes = [&good, lengths.as_flattened(), chunk].concat();
            assert_eq!(read(&bytes).unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
    }

    #[test]
    fn other_binary_formats_are_not_taken_for_hadoops() {
        let wide = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
        for bytes in [wide("{\"user_id\":1}"), wide("a,b,c\n1,2,3\n"), vec![0; 16], vec![0; 5]] {
            assert!(!is_hadoop(&bytes), "{bytes:?}");
        }
        for length in 5..70_000_u32 {
            for field in ["\u{2}user_id\0\u{5}\0\0", "\u{10}times\0\0\0\0\0", "\u{12}ééé\0\0\0\0\0"]
            {
                let field = field.as_bytes();
                assert!(!is_hadoop(&[&length.to_le_bytes(), field].concat()));
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_is_in_hadoops_blocks_reads_back(
            content in prop::collection::vec(any::<u8>(), 1..3000),
            block in 1..4000_usize,
            chunk in 1..4000_usize,
        ) {
            let bytes = hadoop(&content, block, chunk);
            prop_assert_eq!(Compression::of(&bytes), Compression::Snappy);
            prop_assert_eq!(read(&bytes).unwrap(), content);
        }

        #[test]
        fn damaged_blocks_end_with_content_or_an_error(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        ) {
            let mut bytes = hadoop(&b"{\"user_id\":1}\n".repeat(60), 300, 200);
            for (place, value) in changes {
                let place = place.index(bytes.len());
                bytes[place] = value;
            }
            drop(read(&bytes));
        }
    }
}
