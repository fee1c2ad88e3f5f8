//! LZ4 frames run together, skippable ones between them.

use std::io::{self, BufRead, Chain, Cursor, Read};

use lz4_flex::frame::FrameDecoder;

use super::{discard, is_skippable, more_data};

pub(super) const MAGIC: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];

/// Reads frame after frame, each with a decoder of its own: that of the library takes the end of
/// the file for the end of a frame, and does not pass over skippable ones.
pub(super) struct Frames<R: Read> {
    state: State<R>,
}

enum State<R: Read> {
    /// In a frame, whose magic number was read to learn that it is one
    Frame(Box<FrameDecoder<Frame<R>>>),
    Between(R),
    Ended,
}

type Frame<R> = Chain<Cursor<[u8; 4]>, EndNoted<R>>;

impl<R: BufRead> Frames<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { state: State::Between(reader) }
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let State::Frame(decoder) = &mut self.state {
                let count = decoder.read(buffer)?;
                if count > 0 {
                    return Ok(count);
                }
                if decoder.get_ref().get_ref().1.ended {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            self.state = match std::mem::replace(&mut self.state, State::Ended) {
                State::Frame(decoder) => State::Between(decoder.into_inner().into_inner().1.reader),
                State::Between(reader) => next(reader)?,
                State::Ended => return Ok(0),
            };
        }
    }
}

fn next<R: BufRead>(mut reader: R) -> io::Result<State<R>> {
    if reader.fill_buf()?.is_empty() {
        return Ok(State::Ended);
    }
    let mut magic = [0; 4];
    reader.read_exact(&mut magic)?;
    if is_skippable(&magic) {
        let mut length = [0; 4];
        reader.read_exact(&mut length)?;
        discard(&mut reader, u64::from(u32::from_le_bytes(length)))?;
        return Ok(State::Between(reader));
    }
    if magic != MAGIC {
        return Err(more_data("the last LZ4 frame"));
    }
    let frame = Cursor::new(magic).chain(EndNoted { reader, ended: false });
    Ok(State::Frame(Box::new(FrameDecoder::new(frame))))
}

/// Notes that there was an attempt to read behind the end.
struct EndNoted<R> {
    reader: R,
    ended: bool,
}

impl<R: Read> Read for EndNoted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.ended |= count == 0 && !buffer.is_empty();
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compression::tests::{lz4, read, text};

    /// The places in a file of one frame where one of its blocks ends.
    fn block_ends(bytes: &[u8]) -> Vec<usize> {
        let mut ends = vec![7];
        while let Some(length) = ends.last().and_then(|end| bytes.get(*end..end + 4)) {
            let length = u32::from_le_bytes(length.try_into().unwrap()) & 0x7fff_ffff;
            if length == 0 {
                break;
            }
            ends.push(ends[ends.len() - 1] + 4 + length as usize);
        }
        ends
    }

    #[test]
    fn a_frame_that_is_cut_between_its_blocks_is_not_whole() {
        let bytes = lz4(&text());
        let ends = block_ends(&bytes);
        assert!(ends.len() > 3);
        for end in ends {
            let fault = read(&bytes[..end]).unwrap_err();
            assert_eq!(fault.kind(), io::ErrorKind::UnexpectedEof, "cut at {end}");
        }
    }

    #[test]
    fn skippable_frames_may_lie_between_others() {
        let skippable = [0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
        let bytes = [&lz4(b"one\n"), skippable.as_slice(), &lz4(b"two\n"), &skippable].concat();
        assert_eq!(read(&bytes).unwrap(), b"one\ntwo\n");
        let fault = read(&bytes[..bytes.len() - 1]).unwrap_err();
        assert_eq!(fault.kind(), io::ErrorKind::UnexpectedEof);
    }
}
