//! The answer to CloudFormation.

use std::time::Duration;

use personalize_aws::put_presigned;
use serde_json::{Map, Value, json};

use crate::request::ResourceRequest;

/// CloudFormation takes no longer answer (user guide, "Custom resource response objects").
const MAX_BYTES: usize = 4096;
/// CloudFormation shows about as much of a reason.
const MAX_REASON: usize = 1000;
const TRIES: u32 = 6;

/// What became of a request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) physical_resource_id: String,
    /// The attributes, or the reason of the failure
    pub(crate) result: Result<Map<String, Value>, String>,
}

/// The answer did not get through.
#[derive(Debug, thiserror::Error)]
#[error("CloudFormation could not be answered in {TRIES} tries: {0}")]
pub(crate) struct AnswerError(String);

impl Answer {
    /// The answer as CloudFormation takes it; texts are shortened where it would be too long.
    fn body(&self, request: &ResourceRequest) -> String {
        let mut body = json!({
            "PhysicalResourceId": self.physical_resource_id,
            "StackId": request.stack_id,
            "RequestId": request.request_id,
            "LogicalResourceId": request.logical_resource_id,
        });
        match &self.result {
            Ok(data) => {
                body["Status"] = "SUCCESS".into();
                body["Data"] = data.clone().into();
            }
            Err(reason) => {
                body["Status"] = "FAILED".into();
                body["Reason"] = shortened(reason, MAX_REASON).into();
            }
        }
        let excess = body.to_string().len().saturating_sub(MAX_BYTES);
        if excess > 0
            && let Some(longest) = longest_attribute(&mut body)
        {
            let text = longest.as_str().unwrap_or_default();
            // What JSON escapes is longer there than here, and a mark is put behind the text.
            let keep = text.len().saturating_sub(2 * excess + 16);
            *longest = shortened(text, keep).into();
        }
        body.to_string()
    }

    /// Sends the answer; tries again where that may help.
    pub(crate) async fn send(&self, request: &ResourceRequest) -> Result<(), AnswerError> {
        let body = self.body(request);
        let mut wait = Duration::from_millis(200);
        let mut last = String::new();
        for _ in 0..TRIES {
            match put_presigned(&request.response_url.0, &body).await {
                Ok(status) if (200..300).contains(&status) => return Ok(()),
                Ok(status) => last = format!("HTTP status {status}"),
                Err(fault) => last = fault,
            }
            tracing::warn!(fault = last, "CloudFormation could not be answered; trying again");
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
        Err(AnswerError(last))
    }
}

fn longest_attribute(body: &mut Value) -> Option<&mut Value> {
    let data = body.get_mut("Data")?.as_object_mut()?;
    data.values_mut().max_by_key(|value| value.as_str().map_or(0, str::len))
}

/// The text, or its first `limit` bytes or less with a mark behind them.
fn shortened(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let end = (0..=limit).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{} […]", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Event;

    fn body(result: Result<Map<String, Value>, String>) -> String {
        let event = json!({"ResponseURL": "u", "StackId": "s", "RequestId": "r",
                           "LogicalResourceId": "l"});
        let Event::Resource(request) = Event::read(event) else { panic!("a resource") };
        Answer { physical_resource_id: "p".into(), result }.body(&request)
    }

    #[test]
    fn a_failure_has_its_reason_and_the_ids() {
        let answer: Value = serde_json::from_str(&body(Err("no such table".into()))).unwrap();
        let expected = json!({"Status": "FAILED", "Reason": "no such table", "StackId": "s",
            "PhysicalResourceId": "p", "RequestId": "r", "LogicalResourceId": "l"});
        assert_eq!(answer, expected);
    }

    #[test]
    fn an_answer_is_never_longer_than_cloudformation_takes() {
        for text in ["é\"\n".repeat(3000), "x".repeat(5000)] {
            let answer = body(Err(text.clone()));
            assert!(answer.len() <= MAX_BYTES, "{}", answer.len());
            let data = json!({"Script": "s3://b/k", "Warnings": text});
            let answer = body(Ok(data.as_object().unwrap().clone()));
            assert!(answer.len() <= MAX_BYTES, "{}", answer.len());
            let answer: Value = serde_json::from_str(&answer).unwrap();
            assert_eq!(answer["Data"]["Script"], "s3://b/k");
        }
    }
}
