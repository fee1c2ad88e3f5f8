//! Ends the reading of archives that unpack to far more than they are.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use personalize_plan::Limits;

use crate::input::Source;

/// Content up to this size is taken at any rate.
const HARMLESS: u64 = 256 * 1024 * 1024;

/// Memory that a decoder may take for what it looks back at, where the file says how much that is.
pub(super) const MOST_MEMORY: u32 = 128 * 1024 * 1024;

/// An archive is beyond the plan's limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LimitFault {
    /// It unpacks to too much.
    #[error(
        "it unpacks to more than {most} times its size; if it is no attack, raise MaximumExpansion"
    )]
    Expansion {
        /// The limit, as a multiple of the archive's size.
        most: u64,
    },
    /// Too many layers.
    #[error(
        "it is compressed more than {most} times over; if it is no attack, raise MaximumNesting"
    )]
    Nesting {
        /// The limit.
        most: u64,
    },
    /// It was compressed with a window that is too large.
    #[error("it takes more than 128 MiB of memory to unpack")]
    Memory,
}

impl From<LimitFault> for io::Error {
    fn from(fault: LimitFault) -> Self {
        Self::new(io::ErrorKind::InvalidData, fault)
    }
}

/// What may still be unpacked of a source, over all layers and all entries of an archive.
pub(crate) struct Budget {
    source: Arc<Source>,
    pub(super) limits: Limits,
    pub(super) harmless: u64,
    decoded: AtomicU64,
}

impl Budget {
    pub(super) fn new(source: Arc<Source>, limits: Limits) -> Self {
        Self { source, limits, harmless: HARMLESS, decoded: AtomicU64::new(0) }
    }

    /// How many bytes the source has.
    pub(super) fn source_size(&self) -> u64 {
        self.source.size()
    }

    fn spend(&self, count: usize) -> Result<(), LimitFault> {
        let decoded = self.decoded.fetch_add(count as u64, Ordering::Relaxed) + count as u64;
        // What is read twice does not raise the limit.
        let read = self.source.bytes_read().min(self.source.size());
        let most = read.saturating_mul(self.limits.expansion);
        if decoded > self.harmless.max(most) {
            return Err(LimitFault::Expansion { most: self.limits.expansion });
        }
        Ok(())
    }
}

/// Counts what a decoder makes of a source's bytes.
pub(super) struct Guard<R> {
    decoder: R,
    budget: Arc<Budget>,
}

impl<R> Guard<R> {
    pub(super) fn new(decoder: R, budget: Arc<Budget>) -> Self {
        Self { decoder, budget }
    }
}

impl<R: Read> Read for Guard<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // Some decoders take an empty buffer for the end of their input.
        if buffer.is_empty() {
            return Ok(0);
        }
        let count = self.decoder.read(buffer)?;
        self.budget.spend(count)?;
        Ok(count)
    }
}

/// Tells a decoder's refusal to take more than [`MOST_MEMORY`] from its other errors.
pub(super) struct MemoryLimited<R> {
    decoder: R,
    is_refusal: fn(&io::Error) -> bool,
}

impl<R> MemoryLimited<R> {
    pub(super) fn new(decoder: R, is_refusal: fn(&io::Error) -> bool) -> Self {
        Self { decoder, is_refusal }
    }
}

impl<R: Read> Read for MemoryLimited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.decoder.read(buffer).map_err(|fault| match (self.is_refusal)(&fault) {
            true => LimitFault::Memory.into(),
            false => fault,
        })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    /// Reads on until there is an error, and says how much was read before it.
    fn read(mut reader: impl Read) -> (u64, Option<LimitFault>) {
        let (mut count, mut buffer) = (0, vec![0; 4096]);
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return (count, None),
                Ok(more) => count += more as u64,
                Err(fault) => {
                    let fault = fault.get_ref().and_then(|inner| inner.downcast_ref());
                    return (count, Some(*fault.unwrap()));
                }
            }
        }
    }

    fn budget(size: usize, expansion: u64, harmless: u64) -> Arc<Budget> {
        let source = Source::new(Arc::new(Bytes::from(vec![0; size])));
        let limits = Limits { expansion, ..Limits::default() };
        Arc::new(Budget { harmless, ..Budget::new(source, limits) })
    }

    #[test]
    fn content_ends_at_the_limit_whatever_is_behind() {
        let budget = budget(1000, 50, 100_000);
        let endless = || io::repeat(b' ');
        let (count, fault) = read(Guard::new(endless(), Arc::clone(&budget)));
        assert!((96_000..=100_000).contains(&count), "{count}");
        assert_eq!(fault, Some(LimitFault::Expansion { most: 50 }));
        // Another entry of the same archive gets nothing.
        assert_eq!(read(Guard::new(endless(), budget)).0, 0);
    }

    #[test]
    fn the_limit_grows_with_what_was_read_of_the_source() {
        for (read_of_source, most) in [(0, 10_000), (100, 10_000), (1000, 50_000)] {
            let budget = budget(1000, 50, 10_000);
            budget.source.read_range(0, read_of_source).unwrap();
            assert_eq!(read(Guard::new(io::repeat(0).take(most), budget)), (most, None));
        }
        let budget = budget(1000, 50, 10_000);
        for _ in 0..10 {
            budget.source.read_range(0, 1000).unwrap();
        }
        let (count, fault) = read(Guard::new(io::repeat(0), budget));
        assert!(count <= 50_000, "reading a part again and again unlocks {count} bytes");
        assert_eq!(fault, Some(LimitFault::Expansion { most: 50 }));
    }

    #[test]
    fn as_much_as_a_small_file_may_hold_is_taken_at_any_rate() {
        let budget = Budget::new(Source::new(Arc::new(Bytes::new())), Limits::default());
        assert!(budget.spend(256 << 20).is_ok());
        assert!(budget.spend(1).is_err());
    }
}
