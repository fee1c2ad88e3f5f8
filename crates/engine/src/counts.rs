//! What became of the records: counts that add up.

use std::collections::BTreeMap;

use serde::Serialize;

/// Counts of one file, or of several added up.
///
/// Always: `records_read == records_written + filtered + rejected()`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Records that the source held, broken ones included.
    pub records_read: u64,
    /// Records that became rows.
    pub records_written: u64,
    /// The rows; more than the records where an array is exploded.
    pub rows_written: u64,
    /// Records of event types that are not kept.
    pub filtered: u64,
    /// Records set aside, by reason.
    pub rejected_by_reason: BTreeMap<String, u64>,
    /// Bytes read, compressed as they are.
    pub bytes_read: u64,
    /// Bytes after decompression.
    pub bytes_decoded: u64,
}

impl Counts {
    /// Records set aside.
    pub fn rejected(&self) -> u64 {
        self.rejected_by_reason.values().sum()
    }

    /// Adds another file's counts.
    pub fn add(&mut self, other: &Self) {
        self.records_read += other.records_read;
        self.records_written += other.records_written;
        self.rows_written += other.rows_written;
        self.filtered += other.filtered;
        self.bytes_read += other.bytes_read;
        self.bytes_decoded += other.bytes_decoded;
        for (reason, count) in &other.rejected_by_reason {
            *self.rejected_by_reason.entry(reason.clone()).or_default() += count;
        }
    }
}
