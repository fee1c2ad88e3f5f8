//! Which objects an event is about, whatever sent it.
//!
//! | sent by | key | shape |
//! | --- | --- | --- |
//! | S3 to a function, queue or topic | encoded as in a form | S3 user guide, "Event message structure" |
//! | EventBridge | as it is | S3 user guide, "Amazon S3 event message structure (EventBridge)" |
//! | SNS | | one of the above as text in `Message` |
//! | SQS | | one of the above as text in `body` |

use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use personalize_aws::Location;
use serde_json::{Value, json};

/// Envelopes lie in envelopes at most so deep: SQS, SNS, EventBridge.
const MAX_DEPTH: usize = 4;

/// An object that was created.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ObjectCreated {
    pub(crate) location: Location,
    pub(crate) version_id: Option<String>,
    /// Without quotes
    pub(crate) etag: Option<String>,
    pub(crate) size: Option<u64>,
    pub(crate) time: Option<Timestamp>,
    /// An event about this object alone, for the dead letters
    pub(crate) event: Value,
}

/// What a function was called with.
#[derive(Debug)]
pub(crate) enum Delivery {
    /// Messages of a queue, each of which succeeds or fails alone
    Messages(Vec<Message>),
    /// Anything else succeeds or fails as a whole
    Direct(Value),
}

/// A message of a queue.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) body: String,
    /// How often the queue has delivered it, this time included
    pub(crate) receive_count: u32,
}

/// Why an event is about no object that could be named.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EnvelopeError {
    #[error("the message is no JSON: {0}")]
    NotJson(String),
    #[error("the event is none of S3's, EventBridge's, SNS' or SQS'; it begins {0}")]
    Unknown(String),
    #[error("the event lacks {0}")]
    Missing(&'static str),
    #[error("the key `{0}` is no encoded UTF-8")]
    Key(String),
    #[error("the event lies in more envelopes than {MAX_DEPTH}")]
    TooDeep,
}

impl Delivery {
    pub(crate) fn of(event: Value) -> Self {
        let records = event["Records"].as_array();
        let is_queue = |records: &Vec<Value>| {
            !records.is_empty() && records.iter().all(|record| record["eventSource"] == "aws:sqs")
        };
        match records.filter(|records| is_queue(records)) {
            Some(records) => Self::Messages(records.iter().map(Message::of).collect()),
            None => Self::Direct(event),
        }
    }
}

impl Message {
    fn of(record: &Value) -> Self {
        let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
        let count = &record["attributes"]["ApproximateReceiveCount"];
        Self {
            id: text("messageId"),
            body: text("body"),
            receive_count: count.as_str().and_then(|count| count.parse().ok()).unwrap_or(1),
        }
    }

    pub(crate) fn objects(&self) -> Result<Vec<ObjectCreated>, EnvelopeError> {
        objects_in_text(&self.body, 1)
    }
}

/// The objects that an event says were created; none for S3's test event and for events of
/// another kind, such as removals.
pub(crate) fn objects(event: &Value) -> Result<Vec<ObjectCreated>, EnvelopeError> {
    objects_at(event, 0)
}

fn objects_in_text(text: &str, depth: usize) -> Result<Vec<ObjectCreated>, EnvelopeError> {
    let event = serde_json::from_str(text).map_err(|fault| {
        EnvelopeError::NotJson(format!("{fault}; it begins {}", start_of(text)))
    })?;
    objects_at(&event, depth)
}

fn objects_at(event: &Value, depth: usize) -> Result<Vec<ObjectCreated>, EnvelopeError> {
    if depth > MAX_DEPTH {
        return Err(EnvelopeError::TooDeep);
    }
    let text =
        |value: &Value, name| value.as_str().map(str::to_owned).ok_or(EnvelopeError::Missing(name));
    if event["Event"] == "s3:TestEvent" {
        return Ok(Vec::new());
    }
    if event["source"] == "aws.s3" {
        return from_event_bridge(event).map(Vec::from_iter);
    }
    if event["Type"] == "Notification" {
        return objects_in_text(&text(&event["Message"], "Message")?, depth + 1);
    }
    let Some(records) = event["Records"].as_array() else {
        return Err(EnvelopeError::Unknown(start_of(&event.to_string())));
    };
    let mut objects = Vec::new();
    for record in records {
        let source = record["eventSource"].as_str().or_else(|| record["EventSource"].as_str());
        match source {
            Some("aws:s3") => objects.extend(from_s3(record)?),
            Some("aws:sns") => {
                let message = text(&record["Sns"]["Message"], "Sns.Message")?;
                objects.extend(objects_in_text(&message, depth + 1)?);
            }
            Some("aws:sqs") => {
                objects.extend(objects_in_text(&text(&record["body"], "body")?, depth + 1)?);
            }
            _ => return Err(EnvelopeError::Unknown(start_of(&record.to_string()))),
        }
    }
    Ok(objects)
}

fn from_s3(record: &Value) -> Result<Option<ObjectCreated>, EnvelopeError> {
    // Queues and functions get the name without `s3:`, some tools write it with.
    let name = record["eventName"].as_str().unwrap_or_default();
    if !name.trim_start_matches("s3:").starts_with("ObjectCreated") {
        return Ok(None);
    }
    let (bucket, object) = (&record["s3"]["bucket"], &record["s3"]["object"]);
    let encoded = object["key"].as_str().ok_or(EnvelopeError::Missing("s3.object.key"))?;
    let spaced = encoded.replace('+', " ");
    let key = percent_decode_str(&spaced).decode_utf8();
    let key = key.map_err(|_| EnvelopeError::Key(encoded.to_owned()))?;
    let bucket = bucket["name"].as_str().ok_or(EnvelopeError::Missing("s3.bucket.name"))?;
    Ok(Some(ObjectCreated {
        location: Location::new(bucket, key),
        version_id: version_id(&object["versionId"]),
        etag: etag(&object["eTag"]),
        size: object["size"].as_u64(),
        time: time(&record["eventTime"]),
        event: json!({"Records": [record]}),
    }))
}

fn from_event_bridge(event: &Value) -> Result<Option<ObjectCreated>, EnvelopeError> {
    if event["detail-type"] != "Object Created" {
        return Ok(None);
    }
    let detail = &event["detail"];
    let object = &detail["object"];
    let bucket = detail["bucket"]["name"].as_str();
    Ok(Some(ObjectCreated {
        location: Location::new(
            bucket.ok_or(EnvelopeError::Missing("detail.bucket.name"))?,
            object["key"].as_str().ok_or(EnvelopeError::Missing("detail.object.key"))?,
        ),
        version_id: version_id(&object["version-id"]),
        etag: etag(&object["etag"]),
        size: object["size"].as_u64(),
        time: time(&event["time"]),
        event: event.clone(),
    }))
}

/// Buckets without versions have none, or the version `null`.
fn version_id(value: &Value) -> Option<String> {
    value.as_str().filter(|id| !id.is_empty() && *id != "null").map(str::to_owned)
}

fn etag(value: &Value) -> Option<String> {
    let etag = value.as_str().map(|etag| etag.trim_matches('"'));
    etag.filter(|etag| !etag.is_empty()).map(str::to_owned)
}

fn time(value: &Value) -> Option<Timestamp> {
    value.as_str().and_then(|time| time.parse().ok())
}

fn start_of(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: &str) -> Value {
        json!({
            "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
            "eventTime": "2026-11-22T19:05:33.123Z",
            "s3": {"bucket": {"name": "b"},
                   "object": {"key": key, "size": 7, "eTag": "abc", "versionId": "v1"}},
        })
    }

    fn event_bridge(key: &str) -> Value {
        json!({
            "source": "aws.s3", "detail-type": "Object Created", "time": "2026-11-22T19:05:33Z",
            "detail": {"bucket": {"name": "b"},
                       "object": {"key": key, "size": 7, "etag": "abc", "version-id": "v1"}},
        })
    }

    fn sns(message: &Value) -> Value {
        json!({"Type": "Notification", "MessageId": "m", "Message": message.to_string()})
    }

    fn keys(event: &Value) -> Vec<String> {
        objects(event).unwrap().into_iter().map(|object| object.location.key).collect()
    }

    #[test]
    fn keys_are_decoded_by_their_envelope() {
        let encoded = "a+b%2B%25%3D/%C3%A9%20x.json";
        let decoded = "a b+%=/é x.json";
        assert_eq!(keys(&json!({"Records": [record(encoded)]})), [decoded]);
        assert_eq!(keys(&event_bridge(decoded)), [decoded]);
        assert_eq!(keys(&event_bridge("a+b%20c")), ["a+b%20c"]);
    }

    #[test]
    fn every_envelope_holds_the_same_object() {
        let s3 = json!({"Records": [record("k")]});
        let inner = [s3.clone(), event_bridge("k"), sns(&s3), sns(&event_bridge("k"))];
        for event in &inner {
            assert_eq!(keys(event), ["k"], "{event}");
            let message = Message { id: "m".into(), body: event.to_string(), receive_count: 1 };
            let object = message.objects().unwrap().remove(0);
            assert_eq!(object.location, Location::new("b", "k"));
            assert_eq!((object.etag.as_deref(), object.size), (Some("abc"), Some(7)));
            assert_eq!(object.version_id.as_deref(), Some("v1"));
            assert_eq!(object.time.unwrap().strftime("%Y-%m-%d-%H").to_string(), "2026-11-22-19");
        }
        let lambda = json!({"Records": [{"EventSource": "aws:sns",
                                         "Sns": {"Message": s3.to_string()}}]});
        assert_eq!(keys(&lambda), ["k"]);
    }

    #[test]
    fn a_queue_delivers_messages_one_by_one() {
        let record = |body: &str, count: &str| {
            json!({"messageId": body, "body": body, "eventSource": "aws:sqs",
                   "attributes": {"ApproximateReceiveCount": count}})
        };
        let event = json!({"Records": [record("{}", "1"), record("x", "5")]});
        let Delivery::Messages(messages) = Delivery::of(event) else { panic!("messages") };
        assert_eq!(messages[1].receive_count, 5);
        assert!(matches!(messages[0].objects(), Err(EnvelopeError::Unknown(_))));
        assert!(matches!(messages[1].objects(), Err(EnvelopeError::NotJson(_))));
        assert!(matches!(Delivery::of(event_bridge("k")), Delivery::Direct(_)));
    }

    #[test]
    fn test_events_and_removals_are_about_nothing() {
        let test = json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"});
        assert_eq!(keys(&test), Vec::<String>::new());
        assert_eq!(keys(&sns(&test)), Vec::<String>::new());
        let mut removal = record("k");
        removal["eventName"] = "ObjectRemoved:Delete".into();
        assert_eq!(keys(&json!({"Records": [removal]})), Vec::<String>::new());
        let mut tagged = event_bridge("k");
        tagged["detail-type"] = "Object Tags Added".into();
        assert_eq!(keys(&tagged), Vec::<String>::new());
    }

    #[test]
    fn what_is_missing_is_named() {
        let mut broken = record("%ff");
        let event = |record: &Value| json!({"Records": [record]});
        assert_eq!(objects(&event(&broken)), Err(EnvelopeError::Key("%ff".into())));
        broken["s3"]["object"] = json!({});
        assert_eq!(objects(&event(&broken)), Err(EnvelopeError::Missing("s3.object.key")));
        let mut nested = json!({"Records": [record("k")]});
        for _ in 0..6 {
            nested = sns(&nested);
        }
        assert_eq!(objects(&nested), Err(EnvelopeError::TooDeep));
    }
}
