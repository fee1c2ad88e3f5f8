//! Recognises compression by the leading bytes and undoes it, layer by layer, within limits.

mod guard;

use std::fmt;
use std::io::{BufReader, Cursor, Read};
use std::sync::Arc;

use personalize_plan::Limits;

use crate::input::Source;
use guard::Guard;
pub use guard::LimitFault;

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
const MAGIC_LENGTH: usize = 16;
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

    /// A reader of what these compressed bytes hold.
    fn decoder<'a>(self, input: Box<dyn Read + 'a>) -> std::io::Result<Box<dyn Read + 'a>> {
        let blocks = BufReader::with_capacity(BLOCK, input);
        Ok(match self {
            Self::None => Box::new(blocks),
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(blocks)),
            Self::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(blocks)),
            Self::Zstd => Box::new(zstd::Decoder::with_buffer(blocks)?),
        })
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A file's bytes without their compression.
pub(crate) struct Decompressed<'a> {
    /// The outermost
    pub(crate) compression: Compression,
    pub(crate) reader: Box<dyn Read + 'a>,
}

/// Undoes every layer of compression around a source's bytes.
///
/// # Errors
///
/// Whatever reading the first bytes gives; [`LimitFault`] where there are too many layers.
pub(crate) fn decompress<'a>(
    input: impl Read + 'a,
    source: &Arc<Source>,
    limits: Limits,
) -> std::io::Result<Decompressed<'a>> {
    let mut reader: Box<dyn Read + 'a> = Box::new(input);
    let mut outermost = Compression::None;
    for layer in 0.. {
        let mut head = Vec::with_capacity(MAGIC_LENGTH);
        reader.by_ref().take(MAGIC_LENGTH as u64).read_to_end(&mut head)?;
        let compression = Compression::of(&head);
        reader = Box::new(Cursor::new(head).chain(reader));
        if compression == Compression::None {
            break;
        }
        if layer == 0 {
            outermost = compression;
        }
        if layer == limits.nesting {
            return Err(LimitFault::Nesting { most: limits.nesting }.into());
        }
        let decoder = compression.decoder(reader)?;
        reader = Box::new(Guard::new(decoder, Arc::clone(source), limits));
    }
    Ok(Decompressed { compression: outermost, reader })
}
