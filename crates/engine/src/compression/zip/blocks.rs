//! A source in blocks that lie side by side, each asked for while the one before it is used.

use std::io::{self, BufRead, Read};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Buf as _, Bytes};
use rawzip::ReaderAt;

use crate::input::Source;

const BLOCK: u64 = 1024 * 1024;

/// A source, of which the last block that was read is kept.
pub(super) struct Blocks {
    source: Arc<Source>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Where the block begins that is kept
    start: u64,
    block: Bytes,
    /// The end of what is read in order
    end: u64,
}

impl Blocks {
    pub(super) fn new(source: Arc<Source>) -> Self {
        Self { source, state: Mutex::default() }
    }

    /// Says that what lies before `end` will be read in order, most likely all of it.
    pub(super) fn will_read_to(&self, end: u64) {
        self.state().end = end;
    }

    /// Some bytes from a place on; none at the end.
    fn at(&self, offset: u64) -> io::Result<Bytes> {
        let mut state = self.state();
        if offset < state.start || offset - state.start >= state.block.len() as u64 {
            let Some(block) = self.block(offset) else {
                return Ok(Bytes::new());
            };
            let length = |block: &Range<u64>| (block.end - block.start) as usize;
            state.block = self.source.read_range(block.start, length(&block))?;
            state.start = block.start;
            if let Some(next) = self.block(block.end).filter(|next| next.start < state.end) {
                self.source.will_read(next.start, length(&next));
            }
        }
        Ok(state.block.slice((offset - state.start) as usize..))
    }

    /// The block that has the byte at `offset`. The last one is whole, not the first: the index is
    /// there, and all of a small archive.
    fn block(&self, offset: u64) -> Option<Range<u64>> {
        let size = self.source.size();
        let behind = size.checked_sub(offset)?.checked_sub(1)?;
        let end = size - behind / BLOCK * BLOCK;
        Some(end.saturating_sub(BLOCK)..end)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReaderAt for Blocks {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let bytes = self.at(offset)?;
        let count = bytes.len().min(buffer.len());
        buffer[..count].copy_from_slice(&bytes[..count]);
        Ok(count)
    }
}

/// The bytes between two places.
pub(super) struct Extent {
    blocks: Arc<Blocks>,
    at: u64,
    end: u64,
    block: Bytes,
}

impl Extent {
    pub(super) fn new(blocks: Arc<Blocks>, range: Range<u64>) -> Self {
        Self { blocks, at: range.start, end: range.end, block: Bytes::new() }
    }
}

impl BufRead for Extent {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.block.is_empty() && self.at < self.end {
            self.block = self.blocks.at(self.at)?;
            if self.block.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let most = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
            self.block.truncate(most);
        }
        Ok(&self.block)
    }

    fn consume(&mut self, count: usize) {
        self.block.advance(count);
        self.at += count as u64;
    }
}

impl Read for Extent {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::tests::Watched;

    #[test]
    fn blocks_lie_side_by_side_and_are_announced() {
        let size = 5 * BLOCK + 1000;
        let bytes: Bytes = (0..size).map(|at| (at % 251) as u8).collect();
        let input = Watched::new(bytes.clone());
        let blocks = Arc::new(Blocks::new(Source::new(Arc::clone(&input) as _)));
        assert_eq!(blocks.at(size - 10).unwrap(), bytes[bytes.len() - 10..]);
        assert_eq!(input.take_surprises(), [(size - BLOCK, BLOCK as usize)], "the end");
        let end = size - BLOCK - 10;
        blocks.will_read_to(end);
        for (start, end) in [(7, 2_000_000), (2_000_100, 2_000_200), (2_000_300, end)] {
            let mut read = Vec::new();
            Extent::new(Arc::clone(&blocks), start..end).read_to_end(&mut read).unwrap();
            assert_eq!(read, bytes[start as usize..end as usize]);
        }
        assert_eq!(input.take_surprises(), [(0, 1000)], "the first");
        assert_eq!(input.announced(), []);
        assert!(blocks.at(size).unwrap().is_empty());
    }

    #[test]
    fn a_small_source_is_one_block() {
        let input = Watched::new(vec![7; 100].into());
        let source = Source::new(Arc::clone(&input) as _);
        let blocks = Blocks::new(Arc::clone(&source));
        for at in [99, 0, 50] {
            assert_eq!(blocks.at(at).unwrap().len() as u64, 100 - at);
        }
        assert_eq!(source.bytes_read(), 100);
    }
}
