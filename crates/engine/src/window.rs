//! A window over a file's bytes: grows to hold one record, moves on when records are done.

use std::io::{self, Read};
use std::ops::Range;

/// Bytes that are read at once.
const BLOCK: usize = 256 * 1024;
/// Bytes that are read first: of a small file all.
const FIRST_BLOCK: usize = 64 * 1024;

/// The longest record: a bound on memory, far above what Personalize could use of one.
pub(crate) const MAX_RECORD: usize = 16 * 1024 * 1024;

/// The bytes read and not yet done with.
pub(crate) struct Window<R> {
    reader: R,
    buffer: Vec<u8>,
    /// What of the buffer is filled and not done with
    filled: Range<usize>,
    /// The file's offset of the buffer's first byte
    offset: u64,
    ended: bool,
}

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The first byte, counted from zero, after decompression
    pub(crate) offset: u64,
    /// The first line, counted from one
    pub(crate) line: u64,
}

impl Place {
    pub(crate) const BEGINNING: Self = Self { offset: 0, line: 1 };
}

impl<R: Read> Window<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self::within(Vec::new(), reader)
    }

    /// A window in memory that was used before.
    pub(crate) fn within(buffer: Vec<u8>, reader: R) -> Self {
        Self { reader, buffer, filled: 0..0, offset: 0, ended: false }
    }

    /// The memory, whatever is in it.
    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }

    /// The bytes at hand.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[self.filled.clone()]
    }

    /// A reader of the bytes at hand and all that follow.
    pub(crate) fn into_reader(mut self) -> impl Read {
        self.buffer.truncate(self.filled.end);
        let mut at_hand = io::Cursor::new(self.buffer);
        at_hand.set_position(self.filled.start as u64);
        at_hand.chain(self.reader)
    }

    /// Whether nothing follows the bytes at hand.
    pub(crate) fn is_last(&self) -> bool {
        self.ended
    }

    /// Whether the bytes at hand are as many as one record may have.
    pub(crate) fn is_full(&self) -> bool {
        self.filled.len() >= MAX_RECORD
    }

    /// Is done with the first `count` bytes at hand.
    pub(crate) fn consume(&mut self, count: usize) {
        self.filled.start += count;
    }

    /// The file's offset of the first byte at hand.
    pub(crate) fn offset(&self) -> u64 {
        self.offset + self.filled.start as u64
    }

    /// Reads on until there is no more room or nothing left, and gives the number of bytes added.
    ///
    /// # Errors
    ///
    /// Whatever the reader gives.
    pub(crate) fn read(&mut self) -> io::Result<usize> {
        if self.filled.start > 0 {
            self.offset += self.filled.start as u64;
            self.buffer.copy_within(self.filled.clone(), 0);
            self.filled = 0..self.filled.len();
        }
        // At least doubled and always filled, so that a long record is not walked again for every
        // small piece of it.
        let before = self.filled.end;
        let block = if self.buffer.is_empty() { FIRST_BLOCK } else { BLOCK };
        let room = (2 * before).max(before + block);
        if self.buffer.len() < room {
            self.buffer.resize(room, 0);
        }
        while self.filled.end < room {
            match self.reader.read(&mut self.buffer[self.filled.end..room]) {
                Ok(0) => {
                    self.ended = true;
                    break;
                }
                Ok(count) => self.filled.end += count,
                Err(fault) if fault.kind() == io::ErrorKind::Interrupted => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(self.filled.end - before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_hold_across_reads() {
        let text = "one\ntwo\nthree\n".repeat(50_000);
        let mut window = Window::new(text.as_bytes());
        let mut at = 0_usize;
        while !window.is_last() {
            let step = window.bytes().len() / 2;
            window.consume(step);
            at += step;
            assert_eq!(window.offset(), at as u64);
            window.read().unwrap();
            assert_eq!(window.bytes(), &text.as_bytes()[at..at + window.bytes().len()]);
        }
        assert_eq!(at + window.bytes().len(), text.len());
    }
}
