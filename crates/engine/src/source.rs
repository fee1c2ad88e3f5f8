//! The reader a file's bytes come from: counts them and marks its errors.

use std::io::{self, Read};

use crate::error::SourceError;

/// Counts the bytes of the reader inside and marks its errors as its own.
pub(crate) struct SourceReader<'a, R> {
    reader: R,
    bytes: &'a std::cell::Cell<u64>,
}

impl<'a, R: Read> SourceReader<'a, R> {
    pub(crate) fn new(reader: R, bytes: &'a std::cell::Cell<u64>) -> Self {
        Self { reader, bytes }
    }
}

impl<R: Read> Read for SourceReader<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.reader.read(buffer) {
            Ok(count) => {
                self.bytes.set(self.bytes.get() + count as u64);
                Ok(count)
            }
            Err(fault) if fault.kind() == io::ErrorKind::Interrupted => Err(fault),
            Err(fault) => Err(io::Error::new(fault.kind(), SourceError(fault))),
        }
    }
}
