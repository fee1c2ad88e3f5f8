//! Metrics in CloudWatch's embedded metric format: a log line that CloudWatch Logs also counts.
//! Shape: CloudWatch user guide, "Specification: Embedded metric format".

use std::io::Write as _;
use std::time::SystemTime;

use serde_json::{Map, Value, json};

/// The namespace of every metric.
const NAMESPACE: &str = "PersonalizePipeline";

/// A metric's unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// How many
    Count,
    /// Bytes
    Bytes,
    /// Milliseconds
    Milliseconds,
}

/// How grave a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// As expected
    Info,
    /// A person should look at it
    Warn,
    /// Something failed
    Error,
}

/// One line with metrics, and what a person needs to understand them.
#[derive(Debug)]
pub struct Metrics {
    line: Map<String, Value>,
    definitions: Vec<Value>,
}

impl Metrics {
    /// A line about the stack `stack`, which is the metrics' dimension.
    pub fn new(stack: &str, level: Level, message: impl Into<String>) -> Self {
        let mut line = Map::new();
        line.insert("timestamp".into(), jiff::Timestamp::now().to_string().into());
        line.insert("level".into(), format!("{level:?}").to_uppercase().into());
        line.insert("message".into(), message.into().into());
        line.insert("Stack".into(), stack.into());
        Self { line, definitions: Vec::new() }
    }

    /// A metric's value.
    #[must_use]
    pub fn metric(mut self, name: &str, unit: Unit, value: u64) -> Self {
        self.definitions.push(json!({"Name": name, "Unit": format!("{unit:?}")}));
        self.line.insert(name.into(), value.into());
        self
    }

    /// Anything else about it.
    #[must_use]
    pub fn property(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.line.insert(name.into(), value.into());
        self
    }

    /// The line, without its line break.
    fn into_line(mut self) -> String {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let metadata = json!({
            "Timestamp": u64::try_from(now.as_millis()).unwrap_or_default(),
            "CloudWatchMetrics": [{
                "Namespace": NAMESPACE,
                "Dimensions": [["Stack"]],
                "Metrics": self.definitions,
            }],
        });
        self.line.insert("_aws".into(), metadata);
        Value::Object(self.line).to_string()
    }

    /// Writes the line to stdout, whole.
    pub fn emit(self) {
        let line = self.into_line() + "\n";
        // A log that cannot be written is no reason to fail the work.
        let _ = std::io::stdout().lock().write_all(line.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_embedded_metric_format() {
        let line = Metrics::new("shop", Level::Info, "converted")
            .metric("RecordsRead", Unit::Count, 7)
            .metric("Duration", Unit::Milliseconds, 12)
            .property("source", "s3://b/k")
            .into_line();
        let line: Value = serde_json::from_str(&line).unwrap();
        let metrics = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(metrics["Namespace"], "PersonalizePipeline");
        assert_eq!(metrics["Dimensions"], json!([["Stack"]]));
        assert_eq!(
            metrics["Metrics"],
            json!([{"Name": "RecordsRead", "Unit": "Count"},
                   {"Name": "Duration", "Unit": "Milliseconds"}])
        );
        assert!(line["_aws"]["Timestamp"].as_u64() > Some(1_700_000_000_000));
        assert_eq!((&line["RecordsRead"], &line["Duration"]), (&json!(7), &json!(12)));
        assert_eq!((&line["Stack"], &line["level"]), (&json!("shop"), &json!("INFO")));
        assert_eq!((&line["message"], &line["source"]), (&json!("converted"), &json!("s3://b/k")));
    }
}
