//! What the function is called with.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The member that this function adds to a request when it hands it on to itself.
const CONTINUATION: &str = "Continuation";

/// An event in the shape of what sent it.
#[derive(Debug)]
pub(crate) enum Event {
    /// CloudFormation wants a custom resource made, changed or removed.
    Resource(Box<ResourceRequest>),
    /// A crawler has changed its state.
    CrawlerState {
        /// The crawler's name.
        crawler: String,
        /// `Started`, `Succeeded` or `Failed`.
        state: String,
    },
    /// Nothing that this function knows.
    Unknown,
}

/// CloudFormation's request for a custom resource.
/// Shape: CloudFormation user guide, "Custom resource request objects".
#[derive(Debug)]
pub(crate) struct ResourceRequest {
    pub(crate) request_type: RequestType,
    pub(crate) resource_type: String,
    pub(crate) stack_id: String,
    pub(crate) request_id: String,
    pub(crate) logical_resource_id: String,
    /// There is none at creation
    pub(crate) physical_resource_id: Option<String>,
    pub(crate) properties: Map<String, Value>,
    /// Where the answer goes. Whoever knows it can answer: it is never logged
    pub(crate) response_url: ResponseUrl,
    pub(crate) continuation: Continuation,
    event: Value,
}

/// A presigned URL, which shows nothing of itself in logs.
#[derive(Clone)]
pub(crate) struct ResponseUrl(pub(crate) String);

impl std::fmt::Debug for ResponseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ResponseUrl(…)")
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RequestType {
    Create,
    Update,
    Delete,
    Unknown(String),
}

/// What an invocation leaves to the next one.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Continuation {
    /// When the first invocation began, in epoch milliseconds
    pub(crate) began: u64,
    /// Whether the crawler's run has begun
    pub(crate) crawling: bool,
}

impl Event {
    /// Tells events apart. Never fails, so that even a malformed request can be answered.
    pub(crate) fn read(event: Value) -> Self {
        if let Some(url) = event["ResponseURL"].as_str() {
            let url = ResponseUrl(url.to_owned());
            return Self::Resource(Box::new(ResourceRequest::read(url, event)));
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        if event["source"] == "aws.glue" && event["detail-type"] == "Glue Crawler State Change" {
            let detail = &event["detail"];
            return Self::CrawlerState {
                crawler: text(&detail["crawlerName"]),
                state: text(&detail["state"]),
            };
        }
        Self::Unknown
    }
}

impl ResourceRequest {
    fn read(response_url: ResponseUrl, event: Value) -> Self {
        let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        let request_type = match event["RequestType"].as_str().unwrap_or_default() {
            "Create" => RequestType::Create,
            "Update" => RequestType::Update,
            "Delete" => RequestType::Delete,
            other => RequestType::Unknown(other.to_owned()),
        };
        let continuation = serde_json::from_value(event[CONTINUATION].clone());
        Self {
            request_type,
            resource_type: text("ResourceType"),
            stack_id: text("StackId"),
            request_id: text("RequestId"),
            logical_resource_id: text("LogicalResourceId"),
            physical_resource_id: event["PhysicalResourceId"].as_str().map(str::to_owned),
            properties: event["ResourceProperties"].as_object().cloned().unwrap_or_default(),
            response_url,
            continuation: continuation
                .unwrap_or_else(|_| Continuation { began: now(), crawling: false }),
            event,
        }
    }

    /// The request as the next invocation gets it.
    pub(crate) fn continued(&self, continuation: Continuation) -> Value {
        let mut event = self.event.clone();
        event[CONTINUATION] = serde_json::json!(continuation);
        event
    }

    /// A property as text; CloudFormation sends every scalar as text already.
    pub(crate) fn property(&self, name: &str) -> Option<String> {
        self.properties.get(name).map(scalar)
    }

    /// How long CloudFormation still waits for an answer: the property `ServiceTimeout`, by
    /// default an hour, since the first invocation.
    pub(crate) fn patience(&self) -> Duration {
        let timeout = self.property("ServiceTimeout").and_then(|seconds| seconds.parse().ok());
        let elapsed = now().saturating_sub(self.continuation.began);
        Duration::from_secs(timeout.unwrap_or(3600)).saturating_sub(Duration::from_millis(elapsed))
    }
}

/// A property's value as text.
pub(crate) fn scalar(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn create() -> Value {
        json!({
            "RequestType": "Create", "ResponseURL": "https://secret", "StackId": "s",
            "RequestId": "r", "LogicalResourceId": "l", "ResourceType": "Custom::X",
            "ResourceProperties": {"ServiceTimeout": "120", "Flag": true},
        })
    }

    fn read(event: Value) -> ResourceRequest {
        match Event::read(event) {
            Event::Resource(request) => *request,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_request_keeps_its_url_to_itself() {
        let request = read(create());
        assert_eq!(request.request_type, RequestType::Create);
        assert_eq!(request.property("Flag").as_deref(), Some("true"));
        let mut shown = request;
        shown.event = Value::Null;
        assert!(!format!("{shown:?}").contains("secret"));
    }

    #[test]
    fn anything_with_a_response_url_can_be_answered() {
        let request = read(json!({"ResponseURL": "u", "RequestType": 7, "ResourceProperties": []}));
        assert_eq!(request.request_type, RequestType::Unknown(String::new()));
        assert!(request.properties.is_empty());
    }

    #[test]
    fn a_continuation_survives_the_way_to_the_next_invocation() {
        let request = read(create());
        let began = request.continuation.began;
        let next = read(request.continued(Continuation { began, crawling: true }));
        assert!(next.continuation.crawling);
        assert_eq!(next.continuation.began, began);
        let late = request.continued(Continuation { began: began - 100_000, crawling: true });
        assert!(read(late).patience() <= Duration::from_secs(20));
    }

    #[test]
    fn crawler_events_and_strangers_are_told_apart() {
        let event = json!({"source": "aws.glue", "detail-type": "Glue Crawler State Change",
                           "detail": {"crawlerName": "c", "state": "Succeeded"}});
        assert!(matches!(
            Event::read(event),
            Event::CrawlerState { crawler, state } if crawler == "c" && state == "Succeeded"
        ));
        assert!(matches!(Event::read(json!([1])), Event::Unknown));
    }
}
