//! What becomes of an object: claimed before its results appear, completed once they have.
//!
//! A receipt is only ever written over the receipt that was read before. So of two conversions of
//! an object at the same time one wins, and it knows which results the other may have left. There is
//! no moment at which results lie in the bucket that no receipt speaks of, unless their conversion
//! was killed after another one had claimed the object; its redelivery removes those.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use jiff::{SignedDuration, Timestamp};
use personalize_aws::{Deadline, Location, in_words, status};
use personalize_plan::Dataset;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::failure::Failure;

/// What became of one version of an object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Receipt {
    pub(crate) state: State,
    pub(crate) dataset: Dataset,
    pub(crate) source: Source,
    /// The time that says to which hour's folder the results belong
    pub(crate) event_time: String,
    /// SHA-256 of the `plan.json` that was applied
    pub(crate) plan_sha256: String,
    /// None where no record became a row
    pub(crate) output_key: Option<String>,
    /// None where no record was rejected
    pub(crate) rejects_key: Option<String>,
    /// Results of earlier versions that are still to be removed
    pub(crate) superseded: Vec<String>,
    /// Those of the engine, and `rejected`
    pub(crate) counts: Value,
    pub(crate) milliseconds: u64,
    /// Tells receipts of equal conversions apart, and says how old a claim is
    pub(crate) written_at: String,
}

/// How far a conversion has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// Its results are appearing
    Publishing,
    /// They are there, and earlier ones are gone
    Complete,
}

/// The version of the object that was converted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Source {
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) version_id: Option<String>,
    /// Without quotes
    pub(crate) etag: String,
    pub(crate) size: u64,
}

impl Receipt {
    /// Whether it is of this content of the object.
    pub(crate) fn is_of(&self, etag: &str) -> bool {
        self.source.etag == etag
    }

    /// Whether both are of the same content under the same plan, hence of the same bytes.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.is_of(&other.source.etag) && self.plan_sha256 == other.plan_sha256
    }

    /// Where its results lie, or will.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &String> {
        self.output_key.iter().chain(&self.rejects_key)
    }

    /// Whether whoever wrote it may still be under way: no invocation lives longer than its time.
    fn may_be_under_way(&self, invocation: Duration) -> bool {
        let written: Result<Timestamp, _> = self.written_at.parse();
        let age = written.map(|written| Timestamp::now().duration_since(written));
        age.is_ok_and(|age| {
            age < SignedDuration::try_from(invocation).unwrap_or(SignedDuration::MAX)
        })
    }

    /// Whether its conversion may still be making its results appear.
    pub(crate) fn may_be_publishing(&self, invocation: Duration) -> bool {
        self.state == State::Publishing && self.may_be_under_way(invocation)
    }

    /// Whether one of these keys may still be about to be removed.
    pub(crate) fn may_remove<'a>(
        &self,
        keys: impl Iterator<Item = &'a String>,
        invocation: Duration,
    ) -> bool {
        self.may_be_under_way(invocation) && { keys }.any(|key| self.superseded.contains(key))
    }

    /// Every key that may hold something of the object, but for those in `kept`.
    pub(crate) fn keys_but<'a>(&self, kept: impl Iterator<Item = &'a String>) -> Vec<String> {
        let kept: Vec<&String> = kept.collect();
        let all = self.keys().chain(&self.superseded);
        all.filter(|key| !kept.contains(key)).cloned().collect()
    }
}

/// The place of an object's receipt, and what lies there.
#[derive(Debug)]
pub(crate) struct ReceiptSlot<'a> {
    s3: &'a Client,
    deadline: &'a Deadline,
    location: Location,
    found: Option<(Receipt, String)>,
}

impl<'a> ReceiptSlot<'a> {
    pub(crate) async fn read(
        s3: &'a Client,
        deadline: &'a Deadline,
        location: Location,
    ) -> Result<Self, Failure> {
        let mut slot = Self { s3, deadline, location, found: None };
        slot.read_again().await?;
        Ok(slot)
    }

    /// The receipt that was found or written.
    pub(crate) fn receipt(&self) -> Option<&Receipt> {
        self.found.as_ref().map(|(receipt, _)| receipt)
    }

    pub(crate) async fn read_again(&mut self) -> Result<(), Failure> {
        let get = self.s3.get_object().bucket(&self.location.bucket).key(&self.location.key);
        let read = async {
            match get.send().await {
                Ok(found) => {
                    let etag = found.e_tag.unwrap_or_default();
                    let text = found.body.collect().await.map_err(|fault| fault.to_string())?;
                    let receipt = serde_json::from_slice(&text.into_bytes());
                    Ok(Some((receipt.map_err(|fault| format!("it is no receipt: {fault}"))?, etag)))
                }
                Err(fault) if fault.as_service_error().is_some_and(|e| e.is_no_such_key()) => {
                    Ok(None)
                }
                Err(fault) => Err(in_words(&fault)),
            }
        };
        self.found = self.in_time(read).await?;
        Ok(())
    }

    /// Writes the receipt, unless another one than the one found is there by now: that is then
    /// the one found. Says whether it was written.
    pub(crate) async fn write(&mut self, receipt: Receipt) -> Result<bool, Failure> {
        let text = serde_json::to_vec_pretty(&receipt).unwrap_or_default();
        let put = self.s3.put_object().bucket(&self.location.bucket).key(&self.location.key);
        let put = put.content_type("application/json").body(ByteStream::from(text));
        let put = match &self.found {
            Some((_, etag)) => put.if_match(etag),
            None => put.if_none_match("*"),
        };
        let written = async {
            match put.send().await {
                Ok(done) => Ok(Some(done.e_tag.unwrap_or_default())),
                // 412: another is there; 409: another is being written; 404: the one found is gone.
                Err(fault) if matches!(status(&fault), Some(404 | 409 | 412)) => Ok(None),
                Err(fault) => Err(in_words(&fault)),
            }
        };
        if let Some(etag) = self.in_time(written).await? {
            self.found = Some((receipt, etag));
            return Ok(true);
        }
        self.read_again().await?;
        // The SDK repeats a request whose answer was lost, and is then told of its own receipt.
        Ok(self.receipt() == Some(&receipt))
    }

    async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, String>>,
    ) -> Result<T, Failure> {
        let fail = |fault| Failure::Receipt { location: self.location.clone(), fault };
        match self.deadline.limit(work).await {
            Some(done) => done.map_err(fail),
            None => Err(fail("the invocation's time was over".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(written_at: Timestamp) -> Receipt {
        Receipt {
            state: State::Publishing,
            dataset: Dataset::Interactions,
            source: Source {
                bucket: "b".into(),
                key: "k".into(),
                version_id: None,
                etag: "e".into(),
                size: 1,
            },
            event_time: "2026-11-22T19:05:33Z".into(),
            plan_sha256: "p".into(),
            output_key: Some("rows".into()),
            rejects_key: None,
            superseded: vec!["old".into(), "older".into()],
            counts: Value::Null,
            milliseconds: 1,
            written_at: written_at.to_string(),
        }
    }

    #[test]
    fn a_claim_is_feared_for_as_long_as_an_invocation_lives() {
        let (old, other) = ("old".to_owned(), "other".to_owned());
        let limit = Duration::from_secs(300);
        let now = Timestamp::now();
        assert!(receipt(now).may_remove([&other, &old].into_iter(), limit));
        assert!(!receipt(now).may_remove([&other].into_iter(), limit));
        let long_ago = now - SignedDuration::from_secs(301);
        assert!(!receipt(long_ago).may_remove([&old].into_iter(), limit));
    }

    #[test]
    fn the_next_receipt_takes_over_every_key_but_its_own() {
        let own = "older".to_owned();
        assert_eq!(receipt(Timestamp::now()).keys_but([&own].into_iter()), ["rows", "old"]);
    }
}
