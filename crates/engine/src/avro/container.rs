//! The container around the data: header, blocks and their compression.
//!
//! Source: Avro specification 1.12, "Object Container Files".

use std::io::{self, BufRead as _, BufReader, Read};

use crc32fast::hash as crc32;

use super::{NAME, unreadable};
use crate::compression::{Compression, xz};
use crate::error::ConvertError;
use crate::text::decoding_error;

const MAGIC: &[u8; 4] = b"Obj\x01";
/// The header's metadata may be so long, and each block, compressed or not.
const MAX_HEADER: u64 = 16 * 1024 * 1024;
const MAX_BLOCK: u64 = 64 * 1024 * 1024;
const SYNC: usize = 16;

/// How blocks are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Codec {
    Null,
    Deflate,
    Snappy,
    Bzip2,
    Xz,
    Zstandard,
}

/// A container whose header has been read.
pub(crate) struct Container<R> {
    bytes: Bytes<R>,
    /// JSON
    pub(crate) schema: Vec<u8>,
    codec: Codec,
    sync: [u8; SYNC],
    blocks: u64,
    compressed: Vec<u8>,
    decoded: Vec<u8>,
}

/// Data that were written together.
pub(crate) struct Block<'b> {
    pub(crate) count: u64,
    pub(crate) bytes: &'b [u8],
}

impl<R: Read> Container<R> {
    /// Reads the header; `compression` is what was undone around the container.
    pub(crate) fn open(reader: R, compression: Compression) -> Result<Self, ConvertError> {
        let reader = BufReader::with_capacity(64 * 1024, reader);
        let mut bytes = Bytes { reader, compression, read: 0 };
        if bytes.array()? != *MAGIC {
            return Err(ConvertError::OtherFormat { found: "no Avro file", expected: NAME });
        }
        let (mut schema, mut codec) = (None, Codec::Null);
        let mut left = MAX_HEADER;
        loop {
            let mut count = bytes.long()?;
            if count < 0 {
                bytes.long()?;
                count = count.saturating_neg();
            }
            if count == 0 {
                break;
            }
            for _ in 0..count {
                let key = bytes.header_text(&mut left)?;
                let value = bytes.header_text(&mut left)?;
                match key.as_slice() {
                    b"avro.schema" => schema = Some(value),
                    b"avro.codec" => codec = Codec::of(&value)?,
                    _ => {}
                }
            }
        }
        let sync = bytes.array()?;
        let schema = schema.ok_or_else(|| unreadable("its header has no schema"))?;
        let (compressed, decoded) = (Vec::new(), Vec::new());
        Ok(Self { bytes, schema, codec, sync, blocks: 0, compressed, decoded })
    }

    /// The next block, if there is one.
    pub(crate) fn next(&mut self) -> Result<Option<Block<'_>>, ConvertError> {
        if self.bytes.is_at_end()? {
            return Ok(None);
        }
        let number = self.blocks;
        self.blocks += 1;
        let fault = |fault: &str| unreadable(format!("block {number}: {fault}"));
        let count = self.bytes.long()?;
        let count = u64::try_from(count).map_err(|_| fault("it has a negative count"))?;
        let size = u64::try_from(self.bytes.long()?).map_err(|_| fault("its size is negative"))?;
        if size > MAX_BLOCK {
            return Err(fault("it is larger than 64 MiB"));
        }
        self.compressed.clear();
        self.bytes.take(size, &mut self.compressed)?;
        if self.bytes.array()? != self.sync {
            return Err(fault("it does not end with the file's sync marker"));
        }
        let bytes = if self.codec == Codec::Null {
            &self.compressed
        } else {
            self.decoded.clear();
            let decoded = self.codec.decode(&self.compressed, &mut self.decoded);
            let codec = self.codec;
            decoded.map_err(|e| fault(&format!("its {codec:?} content is damaged: {e}")))?;
            &self.decoded
        };
        Ok(Some(Block { count, bytes }))
    }
}

/// The container's bytes in order.
struct Bytes<R> {
    reader: BufReader<R>,
    compression: Compression,
    read: u64,
}

impl<R: Read> Bytes<R> {
    fn is_at_end(&mut self) -> Result<bool, ConvertError> {
        let (compression, read) = (self.compression, self.read);
        let bytes = self.reader.fill_buf();
        bytes.map(<[u8]>::is_empty).map_err(|fault| decoding_error(&fault, compression, read))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ConvertError> {
        let mut bytes = [0; N];
        let read = self.reader.read_exact(&mut bytes);
        read.map_err(|fault| self.fault(&fault))?;
        self.read += N as u64;
        Ok(bytes)
    }

    /// Appends exactly so many bytes.
    fn take(&mut self, count: u64, out: &mut Vec<u8>) -> Result<(), ConvertError> {
        let read = self.reader.by_ref().take(count).read_to_end(out);
        let read = read.map_err(|fault| self.fault(&fault))? as u64;
        self.read += read;
        if read == count { Ok(()) } else { Err(cut()) }
    }

    /// A zigzag varint.
    fn long(&mut self) -> Result<i64, ConvertError> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed());
            }
        }
        Err(unreadable("it has a number of more than 64 bits"))
    }

    fn header_text(&mut self, left: &mut u64) -> Result<Vec<u8>, ConvertError> {
        let length = u64::try_from(self.long()?).unwrap_or(u64::MAX);
        *left = left
            .checked_sub(length.saturating_add(1))
            .ok_or_else(|| unreadable("its header is longer than 16 MiB"))?;
        let mut bytes = Vec::new();
        self.take(length, &mut bytes)?;
        Ok(bytes)
    }

    /// The file itself ends, or what is around it is damaged.
    fn fault(&self, fault: &io::Error) -> ConvertError {
        match (self.compression, fault.kind()) {
            (Compression::None, io::ErrorKind::UnexpectedEof) => cut(),
            (compression, _) => decoding_error(fault, compression, self.read),
        }
    }
}

fn cut() -> ConvertError {
    unreadable("it ends before its content does; it was probably cut while being written or copied")
}

impl Codec {
    fn of(name: &[u8]) -> Result<Self, ConvertError> {
        Ok(match name {
            b"null" | b"" => Self::Null,
            b"deflate" => Self::Deflate,
            b"snappy" => Self::Snappy,
            b"bzip2" => Self::Bzip2,
            b"xz" => Self::Xz,
            b"zstandard" => Self::Zstandard,
            other => {
                let name = String::from_utf8_lossy(other);
                return Err(unreadable(format!("its codec `{name}` is not known")));
            }
        })
    }

    fn decode(self, bytes: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        match self {
            Self::Null => out.extend_from_slice(bytes),
            Self::Deflate => read_all(flate2::bufread::DeflateDecoder::new(bytes), out)?,
            Self::Bzip2 => read_all(bzip2::bufread::BzDecoder::new(bytes), out)?,
            Self::Xz => read_all(xz::streams(bytes), out)?,
            Self::Zstandard => read_all(zstd::Decoder::with_buffer(bytes)?, out)?,
            Self::Snappy => return snappy(bytes, out),
        }
        Ok(())
    }
}

fn read_all(decoder: impl Read, out: &mut Vec<u8>) -> io::Result<()> {
    decoder.take(MAX_BLOCK + 1).read_to_end(out)?;
    if out.len() as u64 > MAX_BLOCK {
        return Err(io::Error::other("it is larger than 64 MiB"));
    }
    Ok(())
}

/// Raw snappy, with the checksum of what it holds behind it.
fn snappy(bytes: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    let (content, checksum) = bytes.split_last_chunk::<4>().ok_or(io::ErrorKind::UnexpectedEof)?;
    let length = snap::raw::decompress_len(content)?;
    if length as u64 > MAX_BLOCK {
        return Err(io::Error::other("it is larger than 64 MiB"));
    }
    out.resize(length, 0);
    snap::raw::Decoder::new().decompress(content, out)?;
    if crc32(out) != u32::from_be_bytes(*checksum) {
        return Err(io::Error::other("its checksum is another"));
    }
    Ok(())
}
