//! Reads a source by range for libraries that ask for small pieces of large ones.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Buf as _, Bytes};

use crate::input::Source;

/// What is read at once at least, so that small pieces are no requests of their own.
const LEAST_READ: u64 = 64 * 1024;
/// What is read ahead of all chunks together.
const READ_AHEAD: u64 = 32 * 1024 * 1024;

/// A source, read ahead within the chunks that will be wanted and nowhere else.
#[derive(Clone)]
pub(crate) struct Ranged {
    source: Arc<Source>,
    chunks: Arc<Mutex<Vec<Chunk>>>,
    read_ahead: u64,
}

/// A range that is read from beginning to end, and the part of it that is at hand.
struct Chunk {
    range: Range<u64>,
    start: u64,
    bytes: Bytes,
}

impl Ranged {
    pub(crate) fn new(source: Arc<Source>) -> Self {
        Self { source, chunks: Arc::default(), read_ahead: LEAST_READ }
    }

    /// The same source, of which these ranges will be read side by side.
    pub(crate) fn with_chunks(&self, chunks: impl IntoIterator<Item = Range<u64>>) -> Self {
        let chunks: Vec<_> = chunks
            .into_iter()
            .map(|range| Chunk { start: range.start, range, bytes: Bytes::new() })
            .collect();
        let read_ahead = (READ_AHEAD / (chunks.len() as u64).max(1)).clamp(LEAST_READ, 4 << 20);
        Self { source: Arc::clone(&self.source), chunks: Arc::new(Mutex::new(chunks)), read_ahead }
    }

    pub(crate) fn size(&self) -> u64 {
        self.source.size()
    }

    /// Exactly `length` bytes from `start` on.
    pub(crate) fn bytes(&self, start: u64, length: u64) -> io::Result<Bytes> {
        let end = start.checked_add(length).filter(|end| *end <= self.size());
        let end = end.ok_or_else(|| {
            let size = self.size();
            let fault = format!("bytes {start} to {start}+{length} of {size} are asked for");
            io::Error::new(io::ErrorKind::UnexpectedEof, fault)
        })?;
        let mut chunks = self.chunks.lock().unwrap_or_else(PoisonError::into_inner);
        let holds = |chunk: &&mut Chunk| chunk.range.start <= start && end <= chunk.range.end;
        let Some(chunk) = chunks.iter_mut().find(holds) else {
            drop(chunks);
            return self.read(start..end);
        };
        let at_hand = chunk.start..chunk.start + chunk.bytes.len() as u64;
        if start < at_hand.start || at_hand.end < end {
            let ahead = (start + self.read_ahead).max(end).min(chunk.range.end);
            chunk.bytes = self.read(start..ahead)?;
            chunk.start = start;
        }
        let from = (start - chunk.start) as usize;
        Ok(chunk.bytes.slice(from..from + length as usize))
    }

    /// At most `most` bytes from `start` on, and none that the chunk there does not have.
    pub(crate) fn peek(&self, start: u64, most: u64) -> io::Result<Bytes> {
        let chunks = self.chunks.lock().unwrap_or_else(PoisonError::into_inner);
        let chunk = chunks.iter().find(|chunk| chunk.range.contains(&start));
        let end = chunk.map_or(start, |chunk| chunk.range.end.min(self.size()));
        drop(chunks);
        self.bytes(start, most.min(end.saturating_sub(start)))
    }

    /// At least one byte from `start` on, unless that is the end.
    fn some_bytes(&self, start: u64) -> io::Result<Bytes> {
        let rest = self.size().saturating_sub(start);
        let chunks = self.chunks.lock().unwrap_or_else(PoisonError::into_inner);
        let chunk = chunks.iter().find(|chunk| chunk.range.contains(&start));
        let most = chunk.map_or(LEAST_READ, |chunk| {
            let at_hand = chunk.start..chunk.start + chunk.bytes.len() as u64;
            if at_hand.contains(&start) { at_hand.end - start } else { chunk.range.end - start }
        });
        drop(chunks);
        self.bytes(start, rest.min(most).min(LEAST_READ))
    }

    fn read(&self, range: Range<u64>) -> io::Result<Bytes> {
        let length = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
        self.source.read_range(range.start, length)
    }

    /// A reader from `start` to the end.
    pub(crate) fn reader(&self, start: u64) -> RangedReader {
        RangedReader { ranged: self.clone(), at: start, bytes: Bytes::new() }
    }
}

/// Reads on from some place.
pub(crate) struct RangedReader {
    ranged: Ranged,
    at: u64,
    bytes: Bytes,
}

impl Read for RangedReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.bytes.is_empty() {
            self.bytes = self.ranged.some_bytes(self.at)?;
            self.at += self.bytes.len() as u64;
        }
        let count = buffer.len().min(self.bytes.len());
        self.bytes.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranged(length: usize) -> (Bytes, Ranged) {
        let bytes: Bytes = (0..length).map(|n| (n % 251) as u8).collect();
        (bytes.clone(), Ranged::new(Source::new(Arc::new(bytes))))
    }

    #[test]
    fn pieces_are_those_of_the_source_whatever_is_read_ahead() {
        let (bytes, ranged) = ranged(1_000_000);
        let ranged = ranged.with_chunks([1000..500_000, 500_000..900_000]);
        for (start, length) in [(0, 10), (1000, 5), (1005, 300_000), (499_990, 20), (600_000, 1)] {
            let found = ranged.bytes(start, length).unwrap();
            assert_eq!(found, bytes[start as usize..(start + length) as usize]);
        }
        let mut rest = Vec::new();
        ranged.reader(899_000).read_to_end(&mut rest).unwrap();
        assert_eq!(rest, bytes[899_000..]);
        assert_eq!(ranged.peek(499_990, 64).unwrap(), bytes[499_990..500_000]);
        assert!(ranged.peek(999_990, 64).unwrap().is_empty());
    }

    #[test]
    fn only_wanted_chunks_are_read() {
        let (_, ranged) = ranged(50_000_000);
        let wanted = ranged.with_chunks([1_000_000..1_200_000, 40_000_000..40_100_000]);
        for at in (1_000_000..1_200_000).step_by(1000) {
            wanted.bytes(at, 1000).unwrap();
        }
        wanted.bytes(40_000_000, 100_000).unwrap();
        assert_eq!(wanted.source.bytes_read(), 300_000);
    }

    #[test]
    fn what_lies_behind_the_end_is_refused() {
        let (_, ranged) = ranged(100);
        for (start, length) in [(90, 11), (u64::MAX, 2), (101, 0)] {
            assert!(ranged.bytes(start, length).is_err(), "{start} {length}");
        }
    }
}
