//! Recognises compression by the leading bytes and undoes it, layer by layer, within limits.
//!
//! - `files` gives the files in an input: itself, or the entries of the zip archive that it is
//! - `layers` undoes what is around one of them, whatever the order
//! - `gzip`, `lz4`, `snappy`, `xz`, `zstd` and `zip` add what a format has beyond its library
//! - `guard` keeps all of it within the plan's limits

mod files;
mod guard;
mod gzip;
mod layers;
mod lz4;
mod snappy;
pub(crate) mod xz;
mod zip;
mod zstd;

use std::fmt;
use std::io::{self, BufReader, Read};

pub(crate) use files::Files;
pub use guard::LimitFault;
pub(crate) use layers::Decompressed;
pub use zip::ArchiveFault;

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all
    None,
    /// gzip, of one or several members
    Gzip,
    /// bzip2, of one or several streams
    Bzip2,
    /// Zstandard, of one or several frames
    Zstd,
    /// Snappy, framed or in Hadoop's blocks
    Snappy,
    /// LZ4, of one or several frames
    Lz4,
    /// xz, of one or several streams
    Xz,
    /// A zip archive, whose entries are files
    Zip,
}

/// How many bytes [`Compression::of`] needs.
const MAGIC_LENGTH: usize = 16;
/// Compressed bytes are read in blocks of this size.
const BLOCK: u64 = 64 * 1024;
/// The least of them, also where a file was empty or is a device that has no size.
const LEAST_BLOCK: u64 = 512;

type Reader = Box<dyn Read + Send>;

impl Compression {
    /// What the first bytes of a file say.
    pub fn of(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [b'B', b'Z', b'h', b'1'..=b'9', rest @ ..] if is_bzip2_block(rest) => Self::Bzip2,
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Self::Zip,
            _ if head.starts_with(&zstd::MAGIC) => Self::Zstd,
            // Parallel compressors put one first. LZ4's are the same.
            _ if is_skippable(head) => Self::Zstd,
            _ if head.starts_with(&lz4::MAGIC) => Self::Lz4,
            _ if head.starts_with(&xz::MAGIC) => Self::Xz,
            _ if head.starts_with(&snappy::FRAMED) || snappy::is_hadoop(head) => Self::Snappy,
            _ => Self::None,
        }
    }

    /// The name as a crawler writes it in `compressionType`.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Bzip2 => "bzip2",
            Self::Zstd => "zstd",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Xz => "xz",
            Self::Zip => "zip",
        }
    }

    /// A reader of what these compressed bytes hold; that they are no more than `size` is a hint.
    fn decoder(self, input: Reader, size: u64) -> io::Result<Reader> {
        let blocks = BufReader::with_capacity(size.clamp(LEAST_BLOCK, BLOCK) as usize, input);
        Ok(match self {
            Self::None => Box::new(blocks),
            Self::Gzip => gzip::decoder(blocks, size)?,
            Self::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(blocks)),
            Self::Zstd => zstd::decoder(blocks)?,
            Self::Snappy => snappy::decoder(blocks)?,
            Self::Lz4 => Box::new(lz4::Frames::new(blocks)),
            Self::Xz => xz::decoder(blocks),
            Self::Zip => return Err(ArchiveFault::Nested.into()),
        })
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether this goes on as the first block of a bzip2 stream, or as the end of an empty one: text
/// may well begin with the letters before it.
fn is_bzip2_block(rest: &[u8]) -> bool {
    let marks = [[0x31, 0x41, 0x59, 0x26, 0x53, 0x59], [0x17, 0x72, 0x45, 0x38, 0x50, 0x90]];
    let known = rest.len().min(6);
    marks.iter().any(|mark| mark[..known] == rest[..known])
}

/// Whether a frame that holds no content begins here, of Zstandard or LZ4.
fn is_skippable(head: &[u8]) -> bool {
    matches!(head, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

/// Reads over `count` bytes.
fn discard(reader: &mut impl Read, count: u64) -> io::Result<()> {
    match io::copy(&mut reader.take(count), &mut io::sink())? == count {
        true => Ok(()),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// What follows the content is none of it, and must not be lost unseen.
fn more_data(last: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("other data follows {last}"))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;

    use bytes::Bytes;
    use personalize_plan::Limits;
    use proptest::prelude::*;

    use super::*;
    use crate::input::{Input, Source};

    /// The content of all files in these bytes, one behind the other.
    pub(super) fn read(bytes: &[u8]) -> io::Result<Vec<u8>> {
        read_within(bytes, Limits::default())
    }

    pub(super) fn read_within(bytes: &[u8], limits: Limits) -> io::Result<Vec<u8>> {
        let source = Source::new(Arc::new(Bytes::copy_from_slice(bytes)));
        let mut content = Vec::new();
        for file in Files::of(&source, limits)? {
            file.open().reader.read_to_end(&mut content)?;
        }
        Ok(content)
    }

    /// Bytes of which it was not known how many there are.
    struct Unsized(Bytes);

    impl Input for Unsized {
        fn size(&self) -> u64 {
            0
        }

        fn stream(&self) -> io::Result<Box<dyn Read + Send>> {
            self.0.stream()
        }

        fn read_range(&self, offset: u64, length: usize) -> io::Result<Bytes> {
            self.0.read_range(offset, length)
        }
    }

    #[test]
    fn a_file_that_seemed_empty_is_read_to_its_end() {
        let text = b"a line that is longer than nothing\n".repeat(1000);
        let source = Source::new(Arc::new(Unsized(gzip(&text).into())));
        let mut content = Vec::new();
        for file in Files::of(&source, Limits::default()).unwrap() {
            file.open().reader.read_to_end(&mut content).unwrap();
        }
        assert_eq!(content, text);
    }

    pub(super) fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    pub(super) fn bzip2(content: &[u8]) -> Vec<u8> {
        let mut encoder = ::bzip2::write::BzEncoder::new(Vec::new(), ::bzip2::Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    pub(super) fn zstd(content: &[u8]) -> Vec<u8> {
        let mut encoder = ::zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.include_checksum(true).unwrap();
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    pub(super) fn snappy(content: &[u8]) -> Vec<u8> {
        let mut encoder = snap::write::FrameEncoder::new(Vec::new());
        encoder.write_all(content).unwrap();
        encoder.into_inner().unwrap()
    }

    pub(super) fn lz4(content: &[u8]) -> Vec<u8> {
        let info = lz4_flex::frame::FrameInfo::new()
            .block_size(lz4_flex::frame::BlockSize::Max64KB)
            .block_mode(lz4_flex::frame::BlockMode::Linked)
            .content_checksum(true);
        let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    pub(super) fn xz(content: &[u8]) -> Vec<u8> {
        let options = lzma_rust2::XzOptions::with_preset(0);
        let mut encoder = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    type Compress = fn(&[u8]) -> Vec<u8>;

    /// Those that check what they decode.
    const CHECKED: [(Compression, Compress); 6] = [
        (Compression::Gzip, gzip),
        (Compression::Bzip2, bzip2),
        (Compression::Zstd, zstd),
        (Compression::Snappy, snappy),
        (Compression::Lz4, lz4),
        (Compression::Xz, xz),
    ];

    /// Text that is compressed to several blocks.
    pub(super) fn text() -> Vec<u8> {
        let mut state = 1_u32;
        let mut text = Vec::new();
        while text.len() < 150_000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            writeln!(text, r#"{{"user_id":"u{}","item_id":"i{}"}}"#, state >> 12, state >> 20)
                .unwrap();
        }
        text
    }

    #[test]
    fn compression_is_recognised_and_undone() {
        for (compression, compress) in CHECKED {
            for content in [b"".as_slice(), b"{}", &text()] {
                let bytes = compress(content);
                if !bytes.is_empty() {
                    assert_eq!(Compression::of(&bytes), compression);
                }
                assert!(read(&bytes).unwrap() == content, "{compression}");
            }
        }
    }

    #[test]
    fn files_that_were_run_together_are_read_whole() {
        for (compression, compress) in CHECKED {
            let bytes = [compress(b"one\n"), compress(&text()), compress(b"two\n")].concat();
            let expected = [b"one\n".as_slice(), &text(), b"two\n"].concat();
            assert!(read(&bytes).unwrap() == expected, "{compression}");
        }
    }

    #[test]
    fn what_follows_the_content_is_never_dropped_silently() {
        for (compression, compress) in CHECKED {
            for rest in [b"{\"user_id\":1}\n".as_slice(), b"\n", &[0xff; 40], &[0x1f, 0x8b]] {
                let bytes = [&compress(b"{}"), rest].concat();
                assert!(read(&bytes).is_err(), "{compression} and {rest:?}");
            }
        }
    }

    /// Snappy has no end mark: where a chunk ends, so may the file.
    #[test]
    fn a_cut_file_never_seems_whole() {
        for (compression, compress) in CHECKED {
            for text in [b"{\"user_id\":1}\n".repeat(9), text()] {
                let bytes = compress(&text);
                for cut in (16..bytes.len()).step_by(1 + bytes.len() / 100) {
                    match read(&bytes[..cut]) {
                        Ok(content) if compression == Compression::Snappy => {
                            assert!(text.starts_with(&content) && content.len() % 65_536 == 0);
                        }
                        Ok(_) => panic!("{compression} cut at {cut} seems whole"),
                        Err(fault) => {
                            let kind = io::ErrorKind::UnexpectedEof;
                            assert_eq!(fault.kind(), kind, "{compression} cut at {cut}: {fault}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn letters_that_begin_a_magic_number_do_not_make_text_compressed() {
        for text in ["BZh91,2,3\n", "PK,name\n", "(id)", "{}", "", "sNaPpY", "\u{1}\u{1}\u{2}"] {
            assert_eq!(Compression::of(text.as_bytes()), Compression::None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_is_never_taken_for_compressed(text in "[^\0]{0,24}") {
            prop_assert_eq!(Compression::of(text.as_bytes()), Compression::None);
        }

        #[test]
        fn whatever_was_compressed_reads_back(
            content in prop::collection::vec(any::<u8>(), 0..2000),
            times in 1..60_usize,
            codec in 0..CHECKED.len(),
        ) {
            let content = [b"text ".as_slice(), &content].concat().repeat(times);
            prop_assert!(read(&CHECKED[codec].1(&content)).unwrap() == content);
        }

        // What is no longer recognised is not compressed, and no decoder's business.
        #[test]
        fn a_damaged_file_gives_its_content_or_an_error(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            is_long in prop::bool::weighted(0.1),
            codec in 0..CHECKED.len(),
        ) {
            let text = if is_long { text() } else { b"{\"user_id\":1}\n".repeat(20) };
            let (compression, compress) = CHECKED[codec];
            let mut bytes = compress(&text);
            for (place, value) in changes {
                let place = 10 + place.index(bytes.len() - 10);
                bytes[place] = value;
            }
            if let Ok(content) = read(&bytes) {
                // The type of a chunk is in no checksum, and there are types to be passed over.
                let lacks_chunks = compression == Compression::Snappy && content.len() < text.len();
                prop_assert!(content == text || lacks_chunks);
            }
        }

        #[test]
        fn no_bytes_behind_a_magic_number_make_a_decoder_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..300),
            codec in 0..CHECKED.len(),
            kept in 4..40_usize,
        ) {
            let head = CHECKED[codec].1(b"{\"user_id\":1}\n");
            let bytes = [&head[..kept.min(head.len())], &bytes].concat();
            drop(read(&bytes));
        }
    }
}
