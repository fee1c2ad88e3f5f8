//! Where a file's bytes come from.

use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Buf as _, Bytes};

/// A file's bytes: from first to last, or by range for formats whose index is at their end.
pub trait Input: Send + Sync {
    /// How many bytes there are.
    fn size(&self) -> u64;

    /// All bytes in order. Asked for once at most.
    ///
    /// # Errors
    ///
    /// Whatever opening gives.
    fn stream(&self) -> io::Result<Box<dyn Read + Send>>;

    /// Exactly `length` bytes from `offset` on.
    ///
    /// # Errors
    ///
    /// Whatever reading gives; [`io::ErrorKind::UnexpectedEof`] where there are not so many.
    fn read_range(&self, offset: u64, length: usize) -> io::Result<Bytes>;

    /// Says that a range is most likely to be read, exactly so, and soon: where it takes time to come,
    /// it can be asked for now.
    fn will_read(&self, _offset: u64, _length: usize) {}
}

impl Input for Bytes {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn stream(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(self.clone().reader()))
    }

    fn read_range(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let range = usize::try_from(offset).ok().and_then(|start| {
            let end = start.checked_add(length)?;
            (end <= self.len()).then_some(start..end)
        });
        range.map(|range| self.slice(range)).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

/// Counts what is read of an input and keeps its first error, whatever the libraries in between
/// make of it: it is told from those of the content by that.
pub(crate) struct Source {
    input: Arc<dyn Input>,
    bytes_read: AtomicU64,
    fault: Mutex<Option<io::Error>>,
}

impl Source {
    pub(crate) fn new(input: Arc<dyn Input>) -> Arc<Self> {
        Arc::new(Self { input, bytes_read: AtomicU64::new(0), fault: Mutex::new(None) })
    }

    pub(crate) fn size(&self) -> u64 {
        self.input.size()
    }

    pub(crate) fn stream(self: &Arc<Self>) -> io::Result<SourceReader> {
        let reader = self.input.stream().map_err(|fault| self.keep(fault))?;
        Ok(SourceReader { reader, source: Arc::clone(self) })
    }

    pub(crate) fn read_range(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let end = offset.checked_add(length as u64);
        if end.is_none_or(|end| end > self.size()) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let bytes = self.input.read_range(offset, length).map_err(|fault| self.keep(fault))?;
        self.bytes_read.fetch_add(length as u64, Ordering::Relaxed);
        Ok(bytes)
    }

    /// Passes on that a range will be read.
    pub(crate) fn will_read(&self, offset: u64, length: usize) {
        self.input.will_read(offset, length);
    }

    pub(crate) fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }

    /// The input's own error, if it had one.
    pub(crate) fn take_fault(&self) -> Option<io::Error> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn keep(&self, fault: io::Error) -> io::Error {
        let told = io::Error::new(fault.kind(), fault.to_string());
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(fault);
        told
    }
}

/// A source's bytes in order.
pub(crate) struct SourceReader {
    reader: Box<dyn Read + Send>,
    source: Arc<Source>,
}

impl Read for SourceReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.reader.read(buffer) {
                Ok(count) => {
                    self.source.bytes_read.fetch_add(count as u64, Ordering::Relaxed);
                    return Ok(count);
                }
                // Not every decoder goes on where it was after that.
                Err(fault) if fault.kind() == io::ErrorKind::Interrupted => {}
                Err(fault) => return Err(self.source.keep(fault)),
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    type Ranges = Vec<(u64, usize)>;

    /// Bytes, with notes of what was announced, and of what was read without that.
    pub(crate) struct Watched {
        bytes: Bytes,
        announced: Mutex<Ranges>,
        surprises: Mutex<Ranges>,
    }

    impl Watched {
        pub(crate) fn new(bytes: Bytes) -> Arc<Self> {
            Arc::new(Self { bytes, announced: Mutex::default(), surprises: Mutex::default() })
        }

        /// What was announced and not read since.
        pub(crate) fn announced(&self) -> Ranges {
            self.announced.lock().unwrap().clone()
        }

        /// What was read without having been announced.
        pub(crate) fn take_surprises(&self) -> Ranges {
            std::mem::take(&mut self.surprises.lock().unwrap())
        }
    }

    impl Input for Watched {
        fn size(&self) -> u64 {
            self.bytes.size()
        }

        fn stream(&self) -> io::Result<Box<dyn Read + Send>> {
            self.bytes.stream()
        }

        fn read_range(&self, offset: u64, length: usize) -> io::Result<Bytes> {
            let mut announced = self.announced.lock().unwrap();
            match announced.iter().position(|range| *range == (offset, length)) {
                Some(at) => _ = announced.remove(at),
                None => self.surprises.lock().unwrap().push((offset, length)),
            }
            self.bytes.read_range(offset, length)
        }

        fn will_read(&self, offset: u64, length: usize) {
            self.announced.lock().unwrap().push((offset, length));
        }
    }
}
