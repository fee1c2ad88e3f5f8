//! Recognises compression by the leading bytes and undoes it.

use std::fmt;
use std::io::{BufReader, Read};

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
}

/// How many bytes [`Compression::of`] needs.
const MAGIC_LENGTH: usize = 4;
/// Compressed bytes are read in blocks of this size.
const BLOCK: usize = 64 * 1024;
impl Compression {
    /// What the first bytes of a file say.
    pub fn of(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Self::Bzip2,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            // A skippable frame, as parallel compressors put first.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
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
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A file's bytes without their compression.
pub(crate) struct Decompressed<'a> {
    pub(crate) compression: Compression,
    pub(crate) reader: Box<dyn Read + 'a>,
}

/// Looks at the first bytes and chooses the decoder.
///
/// # Errors
///
/// Whatever reading the first bytes gives.
pub(crate) fn decompress<'a>(input: impl Read + 'a) -> std::io::Result<Decompressed<'a>> {
    let mut input = input;
    let mut head = Vec::with_capacity(MAGIC_LENGTH);
    input.by_ref().take(MAGIC_LENGTH as u64).read_to_end(&mut head)?;
    let compression = Compression::of(&head);
    let whole = std::io::Cursor::new(head).chain(input);
    let blocks = |whole| BufReader::with_capacity(BLOCK, whole);
    let reader: Box<dyn Read + 'a> = match compression {
        Compression::None => Box::new(whole),
        Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(blocks(whole))),
        Compression::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(blocks(whole))),
        Compression::Zstd => Box::new(zstd::Decoder::with_buffer(blocks(whole))?),
    };
    Ok(Decompressed { compression, reader })
}
