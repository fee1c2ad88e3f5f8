//! Ends the reading of archives that unpack to far more than they are.

use std::io::{self, Read};
use std::sync::Arc;

use personalize_plan::Limits;

use crate::input::Source;

/// Content up to this size is taken at any rate.
const HARMLESS: u64 = 256 * 1024 * 1024;

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
}

impl From<LimitFault> for io::Error {
    fn from(fault: LimitFault) -> Self {
        Self::new(io::ErrorKind::InvalidData, fault)
    }
}

/// Counts what a decoder makes of a source's bytes.
pub(crate) struct Guard<R> {
    decoder: R,
    source: Arc<Source>,
    limits: Limits,
    decoded: u64,
}

impl<R> Guard<R> {
    pub(crate) fn new(decoder: R, source: Arc<Source>, limits: Limits) -> Self {
        Self { decoder, source, limits, decoded: 0 }
    }
}

impl<R: Read> Read for Guard<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.decoder.read(buffer)?;
        self.decoded += count as u64;
        let most = self.source.bytes_read().saturating_mul(self.limits.expansion);
        if self.decoded > HARMLESS.max(most) {
            return Err(LimitFault::Expansion { most: self.limits.expansion }.into());
        }
        Ok(count)
    }
}
