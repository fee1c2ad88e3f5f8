//! One log line per object, which CloudWatch also counts.

use personalize_aws::{Level, Location, Metrics, Unit};
use serde_json::{Value, json};

use crate::failure::{Failure, Skip};
use crate::receipt::Receipt;

/// Writes the lines of a stack.
pub(crate) struct Report {
    pub(crate) stack: String,
}

impl Report {
    pub(crate) fn converted(&self, receipt: &Receipt) {
        let count = |name: &str| receipt.counts[name].as_u64().unwrap_or_default();
        let rejected = count("rejected");
        let level = if rejected > 0 { Level::Warn } else { Level::Info };
        let source = Location::new(&receipt.source.bucket, &receipt.source.key);
        self.line(level, "converted", &source)
            .metric("ObjectsConverted", Unit::Count, 1)
            .metric("RecordsRead", Unit::Count, count("records_read"))
            .metric("RecordsWritten", Unit::Count, count("records_written"))
            .metric("RowsWritten", Unit::Count, count("rows_written"))
            .metric("RecordsFiltered", Unit::Count, count("filtered"))
            .metric("RecordsRejected", Unit::Count, rejected)
            .metric("BytesRead", Unit::Bytes, count("bytes_read"))
            .metric("ConversionTime", Unit::Milliseconds, receipt.milliseconds)
            .property("rejected_by_reason", receipt.counts["rejected_by_reason"].clone())
            .property("etag", receipt.source.etag.as_str())
            .property("version_id", json!(receipt.source.version_id))
            .property("output_key", json!(receipt.output_key))
            .property("rejects_key", json!(receipt.rejects_key))
            .property("plan_sha256", receipt.plan_sha256.as_str())
            .emit();
    }

    pub(crate) fn skipped(&self, object: &Location, skip: &Skip) {
        self.line(Level::Info, "passed over", object)
            .metric("ObjectsSkipped", Unit::Count, 1)
            .property("reason", skip.to_string())
            .emit();
    }

    pub(crate) fn failed(&self, object: &Location, failure: &Failure) {
        let (message, metric, level) = if failure.is_poison() {
            ("failed for good", "ObjectsFailed", Level::Error)
        } else {
            ("failed for now", "ObjectsRetried", Level::Warn)
        };
        self.line(level, message, object)
            .metric(metric, Unit::Count, 1)
            .property("reason", failure.to_string())
            .emit();
    }

    /// A message that names no object.
    pub(crate) fn unreadable(&self, reason: &str) {
        Metrics::new(&self.stack, Level::Error, "a message cannot be read")
            .metric("ObjectsFailed", Unit::Count, 1)
            .property("reason", reason)
            .emit();
    }

    fn line(&self, level: Level, message: &str, object: &Location) -> Metrics {
        let object = Value::String(object.to_string());
        Metrics::new(&self.stack, level, message).property("object", object)
    }
}
