//! Reads a source by range for libraries that ask for small pieces of large ones.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Buf as _, Bytes};

use crate::input::Source;

/// What is read at once at least, so that small pieces are no requests of their own.
const LEAST_READ: u64 = 64 * 1024;
/// The pieces of all chunks together that are at hand, and as much again is on its way.
const READ_AHEAD: u64 = 16 * 1024 * 1024;
const LARGEST_PIECE: u64 = 4 * 1024 * 1024;

/// A source, read ahead within the chunks that will be wanted and nowhere else.
#[derive(Clone)]
pub(crate) struct Ranged {
    source: Arc<Source>,
    chunks: Arc<Mutex<Vec<Chunk>>>,
    piece: u64,
}

/// A range that is read from beginning to end, piece by piece.
struct Chunk {
    range: Range<u64>,
    /// The last pieces, one behind the other, and where the first begins and the last ends
    pieces: VecDeque<Bytes>,
    at_hand: Range<u64>,
    /// Where the piece ends that will be read next
    announced: u64,
}

/// Pieces of a chunk that are kept: a page's header may lie in two, and is looked at before it is
/// read.
const MOST_PIECES: usize = 2;

impl Chunk {
    fn new(range: Range<u64>) -> Self {
        let start = range.start;
        Self { range, pieces: VecDeque::new(), at_hand: start..start, announced: start }
    }

    /// Says that the piece behind what is at hand will be read next.
    fn announce(&mut self, source: &Source, piece: u64) {
        let end = self.at_hand.end;
        self.announced = end.saturating_add(piece).min(self.range.end);
        if end < self.announced {
            source.will_read(end, (self.announced - end) as usize);
        }
    }

    /// Reads the piece that was announced.
    fn read_piece(&mut self, source: &Source, piece: u64) -> io::Result<()> {
        let start = self.at_hand.end;
        let length = usize::try_from(self.announced - start).map_err(io::Error::other)?;
        self.pieces.push_back(source.read_range(start, length)?);
        self.at_hand.end = self.announced;
        if self.pieces.len() > MOST_PIECES {
            self.drop_first();
        }
        self.announce(source, piece);
        Ok(())
    }

    fn drop_first(&mut self) {
        let first = self.pieces.pop_front();
        self.at_hand.start += first.map_or(0, |first| first.len() as u64);
    }

    /// These bytes, which begin where those before began or behind it.
    fn bytes(&mut self, wanted: Range<u64>, source: &Source, piece: u64) -> io::Result<Bytes> {
        if self.announced < wanted.start {
            *self = Self { range: self.range.clone(), ..Self::new(wanted.start..wanted.start) };
            self.announce(source, piece);
        }
        while let Some(first) = self.pieces.front()
            && self.at_hand.start + first.len() as u64 <= wanted.start
        {
            self.drop_first();
        }
        let (mut at, mut joined) = (wanted.start, Vec::new());
        while at < wanted.end {
            while self.at_hand.end <= at {
                self.read_piece(source, piece)?;
            }
            let bytes = self.part(at..wanted.end);
            if at == wanted.start && bytes.len() as u64 == wanted.end - at {
                return Ok(bytes);
            }
            joined.reserve_exact((wanted.end - at) as usize);
            joined.extend_from_slice(&bytes);
            at += bytes.len() as u64;
        }
        Ok(joined.into())
    }

    /// As much of a range, the beginning of which is at hand, as there is in one piece.
    fn part(&self, range: Range<u64>) -> Bytes {
        let mut start = self.at_hand.start;
        for piece in &self.pieces {
            let end = start + piece.len() as u64;
            if range.start < end {
                return piece
                    .slice((range.start - start) as usize..(range.end.min(end) - start) as usize);
            }
            start = end;
        }
        Bytes::new()
    }
}

impl Ranged {
    pub(crate) fn new(source: Arc<Source>) -> Self {
        Self { source, chunks: Arc::default(), piece: LEAST_READ }
    }

    /// The same source, of which these ranges will be read side by side.
    pub(crate) fn with_chunks(&self, chunks: impl IntoIterator<Item = Range<u64>>) -> Self {
        let chunks: Vec<_> = chunks.into_iter().map(Chunk::new).collect();
        let piece = (READ_AHEAD / (chunks.len() as u64).max(1)).clamp(LEAST_READ, LARGEST_PIECE);
        self.with_pieces(chunks, piece)
    }

    /// The same source, of which these ranges will be read, each of them at once.
    pub(crate) fn with_whole_chunks(&self, chunks: impl IntoIterator<Item = Range<u64>>) -> Self {
        self.with_pieces(chunks.into_iter().map(Chunk::new).collect(), u64::MAX)
    }

    fn with_pieces(&self, mut chunks: Vec<Chunk>, piece: u64) -> Self {
        for chunk in &mut chunks {
            chunk.announce(&self.source, piece);
        }
        Self { source: Arc::clone(&self.source), chunks: Arc::new(Mutex::new(chunks)), piece }
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
        let mut chunks = self.chunks();
        let holds = |chunk: &&mut Chunk| chunk.at_hand.start <= start && end <= chunk.range.end;
        if let Some(chunk) = chunks.iter_mut().find(holds) {
            return chunk.bytes(start..end, &self.source, self.piece);
        }
        drop(chunks);
        self.source.read_range(start, usize::try_from(length).map_err(io::Error::other)?)
    }

    /// At most `most` bytes from `start` on, and none that the chunk there does not have.
    pub(crate) fn peek(&self, start: u64, most: u64) -> io::Result<Bytes> {
        let chunks = self.chunks();
        let chunk = chunks.iter().find(|chunk| chunk.range.contains(&start));
        let end = chunk.map_or(start, |chunk| chunk.range.end.min(self.size()));
        drop(chunks);
        self.bytes(start, most.min(end.saturating_sub(start)))
    }

    /// At least one byte from `start` on, unless that is the end.
    fn some_bytes(&self, start: u64) -> io::Result<Bytes> {
        let rest = self.size().saturating_sub(start);
        let chunks = self.chunks();
        let chunk = chunks.iter().find(|chunk| chunk.range.contains(&start));
        let most = chunk.map_or(LEAST_READ, |chunk| {
            let is_at_hand = chunk.at_hand.contains(&start);
            if is_at_hand { chunk.at_hand.end - start } else { chunk.range.end - start }
        });
        drop(chunks);
        self.bytes(start, rest.min(most).min(LEAST_READ))
    }

    fn chunks(&self) -> MutexGuard<'_, Vec<Chunk>> {
        self.chunks.lock().unwrap_or_else(PoisonError::into_inner)
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
    use crate::input::tests::Watched;

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
    fn what_is_longer_than_a_piece_is_whole_and_few_pieces_are_kept() {
        let (bytes, ranged) = ranged(20_000_000);
        let ranged = ranged.with_chunks(std::iter::once(7..19_999_999));
        let piece = LARGEST_PIECE + 7;
        // A page's header across two pieces, looked at first; a page of many pieces; what is behind.
        for (start, length) in [
            (7, 100),
            (piece - 10, 64),
            (piece - 10, 20),
            (piece + 10, 12_000_000),
            (18_000_000, 9),
        ] {
            let found = ranged.bytes(start, length).unwrap();
            assert_eq!(found, bytes[start as usize..(start + length) as usize], "{start}");
            assert!(ranged.chunks()[0].pieces.len() <= MOST_PIECES);
        }
        assert!(ranged.source.bytes_read() < 20_000_000, "nothing is read twice");
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
    fn what_was_announced_is_what_is_read() {
        let end = 3 * READ_AHEAD;
        let input = Watched::new(vec![0; end as usize + 100].into());
        let ranged = Ranged::new(Source::new(Arc::clone(&input) as _));
        let ranged = ranged.with_chunks([0..end, end..end + 100]);
        for start in (0..end).step_by(1_000_000) {
            let length = 1_000_000.min(end - start);
            assert_eq!(ranged.bytes(start, length).unwrap().len() as u64, length);
        }
        ranged.bytes(end, 100).unwrap();
        assert_eq!(input.announced(), [], "all of it was read, and each piece once");
        assert_eq!(input.take_surprises(), []);
        // What is passed over is not read.
        let ranged = ranged.with_chunks([0..end, end..end + 100]);
        let before = ranged.source.bytes_read();
        ranged.bytes(10, 10).unwrap();
        ranged.bytes(end - 10, 10).unwrap();
        assert!(ranged.source.bytes_read() - before <= LARGEST_PIECE + 10);
    }

    #[test]
    fn what_lies_behind_the_end_is_refused() {
        let (_, ranged) = ranged(100);
        for (start, length) in [(90, 11), (u64::MAX, 2), (101, 0)] {
            assert!(ranged.bytes(start, length).is_err(), "{start} {length}");
        }
    }
}
