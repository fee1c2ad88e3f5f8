//! Undoes every layer of compression around a file's bytes.

use std::io::{self, Cursor, Read};
use std::sync::Arc;

use super::guard::{Budget, Guard};
use super::{Compression, LimitFault, MAGIC_LENGTH, Reader, discard, is_skippable};

/// A skippable frame of no bytes.
const EMPTY_FRAME: [u8; 8] = [0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0];

/// A file's bytes without their compression.
pub(crate) struct Decompressed {
    /// The outermost
    pub(crate) compression: Compression,
    pub(crate) reader: Box<dyn Read + Send>,
}

impl Decompressed {
    /// Undoes the layers around these bytes; the outermost that was undone before, if any, is one
    /// of them. An error is the reader's first result, so that all of them come in one way.
    pub(super) fn new(
        input: io::Result<Reader>,
        outermost: Compression,
        budget: &Arc<Budget>,
    ) -> Self {
        let mut compression = outermost;
        let reader = input
            .and_then(|input| undo(input, &mut compression, budget))
            .unwrap_or_else(|fault| Box::new(Failed(Some(fault))));
        Self { compression, reader }
    }
}

fn undo(
    mut reader: Reader,
    outermost: &mut Compression,
    budget: &Arc<Budget>,
) -> io::Result<Reader> {
    let most = budget.limits.nesting;
    for layer in u64::from(*outermost != Compression::None).. {
        let (compression, content) = recognise(reader)?;
        if compression == Compression::None {
            return Ok(content);
        }
        if *outermost == Compression::None {
            *outermost = compression;
        }
        let size = if layer == 0 { budget.source_size() } else { u64::MAX };
        let decoder = compression.decoder(content, size)?;
        if layer >= most {
            break;
        }
        reader = Box::new(Guard::new(decoder, Arc::clone(budget)));
    }
    Err(LimitFault::Nesting { most }.into())
}

/// Tells the compression, and gives all bytes but those of skippable frames at the beginning:
/// Zstandard and LZ4 have the same, only the frame behind them shows which it is.
fn recognise(mut reader: Reader) -> io::Result<(Compression, Reader)> {
    let mut head = Vec::with_capacity(MAGIC_LENGTH);
    read_head(&mut reader, &mut head)?;
    let has_skippable = is_skippable(&head);
    while is_skippable(&head) {
        let length = head.get(4..8).ok_or(io::ErrorKind::UnexpectedEof)?;
        let length = length.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte));
        let here = head.len().min(usize::try_from(8 + length).unwrap_or(usize::MAX));
        head.drain(..here);
        discard(&mut reader, 8 + length - here as u64)?;
        read_head(&mut reader, &mut head)?;
    }
    let compression = match Compression::of(&head) {
        found if !has_skippable => found,
        found @ (Compression::Zstd | Compression::Lz4) => found,
        // There are such frames only; without any, it would be a cut file.
        _ if head.is_empty() => {
            head.extend(EMPTY_FRAME);
            Compression::Zstd
        }
        _ => {
            let what = "a skippable frame is followed by neither zstd nor lz4";
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
    };
    Ok((compression, Box::new(Cursor::new(head).chain(reader))))
}

/// Reads on until there are as many bytes as [`Compression::of`] needs.
pub(super) fn read_head(reader: &mut impl Read, head: &mut Vec<u8>) -> io::Result<()> {
    let missing = MAGIC_LENGTH - head.len();
    reader.take(missing as u64).read_to_end(head)?;
    Ok(())
}

/// Gives an error instead of content.
struct Failed(Option<io::Error>);

impl Read for Failed {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(self.0.take().unwrap_or_else(|| io::Error::other("the content was found damaged")))
    }
}

#[cfg(test)]
mod tests {
    use personalize_plan::Limits;

    use super::*;
    use crate::compression::tests::{bzip2, gzip, lz4, read, read_within, snappy, xz, zstd};

    /// A frame without content, of that length.
    fn skippable(length: usize) -> Vec<u8> {
        [&[0x53, 0x2a, 0x4d, 0x18], (length as u32).to_le_bytes().as_slice(), &vec![7; length]]
            .concat()
    }

    #[test]
    fn the_frame_behind_skippable_ones_decides() {
        for length in [0, 1, 7, 8, 9, 100_000] {
            let skipped = [skippable(length), skippable(3)].concat();
            assert_eq!(read(&[skipped.clone(), zstd(b"zstd")].concat()).unwrap(), b"zstd");
            assert_eq!(read(&[skipped.clone(), lz4(b"lz4")].concat()).unwrap(), b"lz4");
            assert_eq!(read(&skipped).unwrap(), b"");
            let fault = read(&[skipped.clone(), gzip(b"gzip")].concat()).unwrap_err();
            assert_eq!(fault.kind(), io::ErrorKind::InvalidData);
            let fault = read(&skipped[..skipped.len() - 1]).unwrap_err();
            assert_eq!(fault.kind(), io::ErrorKind::UnexpectedEof);
        }
        let many = skippable(0).repeat(200_000);
        assert_eq!(read(&[many, zstd(b"zstd")].concat()).unwrap(), b"zstd");
    }

    #[test]
    fn layers_of_all_kinds_are_undone_up_to_the_limit() {
        let layered = [gzip, bzip2, zstd, snappy, lz4, xz]
            .iter()
            .fold(b"{}\n".to_vec(), |content, compress| compress(&content));
        let within = |nesting| read_within(&layered, Limits { nesting, ..Limits::default() });
        assert_eq!(within(6).unwrap(), b"{}\n");
        for most in [0, 1, 5] {
            let fault = within(most).unwrap_err();
            let limit = fault.get_ref().and_then(|inner| inner.downcast_ref());
            assert_eq!(limit, Some(&LimitFault::Nesting { most }));
        }
    }

    #[test]
    fn the_outermost_compression_is_the_files() {
        let budget = || {
            let source = crate::input::Source::new(Arc::new(bytes::Bytes::new()));
            Arc::new(Budget::new(source, Limits::default()))
        };
        let bytes = gzip(&xz(b"{}"));
        let file =
            Decompressed::new(Ok(Box::new(Cursor::new(bytes))), Compression::None, &budget());
        assert_eq!(file.compression, Compression::Gzip);
        // A fault of the inner layer is told with it, too.
        let bytes = gzip(&gzip(b"{}")[..5]);
        let mut file =
            Decompressed::new(Ok(Box::new(Cursor::new(bytes))), Compression::None, &budget());
        assert_eq!(file.compression, Compression::Gzip);
        let fault = file.reader.read(&mut [0; 8]).unwrap_err();
        assert_eq!(fault.kind(), io::ErrorKind::UnexpectedEof);
        assert!(file.reader.read(&mut [0; 8]).is_err(), "an end would be taken for the file's");
    }
}
