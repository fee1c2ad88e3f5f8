//! Which objects are sources, and where their results go.

use jiff::Timestamp;
use personalize_aws::{Location, sha256_hex};
use personalize_plan::{ConversionPlan, Destination};

/// The longest readable part of an output's name.
const MAX_READABLE: usize = 80;

/// Why an object is no source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotASource {
    #[error("it is an output of this system")]
    OwnOutput,
    #[error("it does not lie under the source prefix")]
    Outside,
    #[error("a name on its path begins with `.` or `_`, which crawlers pass over")]
    Hidden,
    #[error("it is a folder's mark")]
    Folder,
}

/// The key below the plan's source folder.
pub(crate) fn relative_key<'a>(
    plan: &ConversionPlan,
    object: &'a Location,
) -> Result<&'a str, NotASource> {
    let Destination { bucket, prefix, incremental_prefix, rejected_prefix, .. } = &plan.destination;
    let outputs = [prefix, incremental_prefix, rejected_prefix];
    if object.bucket == *bucket && outputs.iter().any(|p| below(&object.key, p).is_some()) {
        return Err(NotASource::OwnOutput);
    }
    if object.bucket != plan.source.bucket {
        return Err(NotASource::Outside);
    }
    let relative = below(&object.key, &plan.source.prefix).ok_or(NotASource::Outside)?;
    if relative.is_empty() || relative.ends_with('/') || relative.ends_with("_$folder$") {
        return Err(NotASource::Folder);
    }
    if relative.split('/').any(|name| name.starts_with(['.', '_'])) {
        return Err(NotASource::Hidden);
    }
    Ok(relative)
}

/// The key's part below a folder.
fn below<'a>(key: &'a str, folder: &str) -> Option<&'a str> {
    if folder.is_empty() {
        return Some(key);
    }
    key.strip_prefix(folder)?.strip_prefix('/')
}

/// Where the results of one version of an object go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OutputKeys {
    pub(crate) rows: String,
    pub(crate) rejects: String,
}

impl OutputKeys {
    /// The same object content, time and destination give the same keys. Rows lie in a folder per
    /// hour, flat, since Personalize imports the first level of a folder only.
    pub(crate) fn new(
        destination: &Destination,
        object: &Location,
        etag: &str,
        time: Timestamp,
    ) -> Self {
        let batch = time.strftime("%Y-%m-%d-%H");
        let name = format!("{}{}", readable(&object.key), hash(object, Some(etag)));
        Self {
            rows: within(&destination.incremental_prefix, &format!("{batch}/{name}.csv")),
            rejects: within(&destination.rejected_prefix, &format!("{batch}/{name}.jsonl")),
        }
    }
}

/// Where the receipt of an object lies, whichever version it is of. Engines pass over folders
/// whose names begin with `_`.
pub(crate) fn receipt_key(destination: &Destination, object: &Location) -> String {
    let name = format!("_receipts/{}{}.json", readable(&object.key), hash(object, None));
    within(&destination.incremental_prefix, &name)
}

/// Whether a key lies where the stack writes incremental results now.
pub(crate) fn lies_in_output(destination: &Destination, key: &str) -> bool {
    let Destination { incremental_prefix, rejected_prefix, .. } = destination;
    [incremental_prefix, rejected_prefix].iter().any(|folder| below(key, folder).is_some())
}

fn within(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// The object's own name as far as it may stand in any path, with a dash behind it.
fn readable(key: &str) -> String {
    let name = key.rsplit('/').next().unwrap_or_default();
    let stem = name.split('.').next().unwrap_or_default();
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    let readable: String = stem.chars().map(plain).take(MAX_READABLE).collect();
    let readable = readable.trim_start_matches('_').trim_matches('-');
    if readable.is_empty() { String::new() } else { format!("{readable}-") }
}

/// 16 hexadecimal digits that tell objects, and with an ETag their contents, apart.
fn hash(object: &Location, etag: Option<&str>) -> String {
    let parts = [object.bucket.as_str(), object.key.as_str()].into_iter().chain(etag);
    let text = parts.fold(String::new(), |text, part| text + part + "\0");
    sha256_hex(text).chars().take(16).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(source: (&str, &str), destination: &str) -> ConversionPlan {
        let table = r#"{"Name": "t", "Parameters": {"classification": "json"},
            "StorageDescriptor": {"Columns": [{"Name": "user_id", "Type": "string"},
                {"Name": "item_id", "Type": "string"}, {"Name": "timestamp", "Type": "bigint"}]}}"#;
        let table = personalize_plan::glue::Table::from_json(table).unwrap();
        let parameters = [
            ("SourceBucketName", source.0),
            ("SourceDataPrefix", source.1),
            ("DestinationBucketName", destination),
        ];
        let parameters = personalize_plan::Parameters::from_pairs(parameters).unwrap();
        personalize_plan::resolve(&parameters, &table).unwrap()
    }

    #[test]
    fn only_objects_under_the_source_prefix_are_sources() {
        let plan = plan(("b", "/raw/events"), "b");
        let relative = |key| relative_key(&plan, &Location::new("b", key)).map(str::to_owned);
        assert_eq!(relative("raw/events/y=1/a.json"), Ok("y=1/a.json".into()));
        for (key, expected) in [
            ("incremental/2026-11-22-19/a.csv", NotASource::OwnOutput),
            ("converted/interactions.csv", NotASource::OwnOutput),
            ("rejected/x.jsonl", NotASource::OwnOutput),
            ("raw/events2/a.json", NotASource::Outside),
            ("raw/events", NotASource::Outside),
            ("raw/events/", NotASource::Folder),
            ("raw/events/year=1/", NotASource::Folder),
            ("raw/events/_temporary/a.json", NotASource::Hidden),
            ("raw/events/.part", NotASource::Hidden),
        ] {
            assert_eq!(relative(key), Err(expected), "{key}");
        }
        let elsewhere = Location::new("c", "raw/events/a.json");
        assert_eq!(relative_key(&plan, &elsewhere), Err(NotASource::Outside));
    }

    #[test]
    fn keys_follow_content_and_hour_and_are_flat() {
        let plan = plan(("s", "/raw"), "d");
        let time: Timestamp = "2026-11-22T19:59:59.999Z".parse().unwrap();
        let keys = |key: &str, etag: &str| {
            OutputKeys::new(&plan.destination, &Location::new("s", key), etag, time)
        };
        let a = keys("raw/x/part 1+é.json.gz", "e1");
        assert_eq!(a, keys("raw/x/part 1+é.json.gz", "e1"));
        let rows = a.rows.strip_prefix("incremental/2026-11-22-19/part-1-").unwrap();
        assert_eq!(rows.strip_suffix(".csv").map(str::len), Some("--".len() - 2 + 16));
        assert!(a.rejects.starts_with("rejected/2026-11-22-19/part-1-"));
        assert_ne!(a.rows, keys("raw/x/part 1+é.json.gz", "e2").rows);
        assert_ne!(a.rows, keys("raw/y/part 1+é.json.gz", "e1").rows);
        assert!(!keys("raw/_._", "e").rows.contains("/_"));
        let receipt = receipt_key(&plan.destination, &Location::new("s", "raw/x.json"));
        assert!(receipt.starts_with("incremental/_receipts/x-"), "{receipt}");
    }
}
