//! What a framer finds: the record, the fault, or that more bytes are needed.

use std::ops::Range;

use crate::fault::RecordFault;

/// What comes next in a window of bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Frame {
    /// A record, which has just been decoded.
    Record(Range<usize>),
    /// Bytes that are no record.
    Fault(Range<usize>, RecordFault),
    /// More bytes are needed, from this one on.
    More(usize),
    /// Nothing is left.
    Done,
}
