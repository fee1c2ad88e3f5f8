//! What became of an object, stored once its results are.
//!
//! The receipt makes repetition harmless: it says where the results of the object's earlier
//! version lie, so that they go when the new ones come, and it is written only over the receipt
//! that was read before, so that of two conversions at the same time one wins.

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use personalize_aws::{Location, in_words, status};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::failure::Failure;

/// What became of one version of an object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Receipt {
    pub(crate) source: Source,
    /// The time that says to which hour's folder the results belong
    pub(crate) event_time: String,
    /// SHA-256 of the `plan.json` that was applied
    pub(crate) plan_sha256: String,
    /// None where no record became a row
    pub(crate) output_key: Option<String>,
    /// None where no record was rejected
    pub(crate) rejects_key: Option<String>,
    /// Those of the engine, and `rejected`
    pub(crate) counts: Value,
    pub(crate) milliseconds: u64,
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

    /// Where results lie.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &String> {
        self.output_key.iter().chain(&self.rejects_key)
    }
}

/// The place of an object's receipt, and what was found there.
#[derive(Debug)]
pub(crate) struct ReceiptSlot {
    s3: Client,
    location: Location,
    found: Option<(Receipt, String)>,
}

/// Another conversion wrote its receipt first.
#[derive(Debug)]
pub(crate) struct Overtaken;

impl ReceiptSlot {
    pub(crate) async fn read(s3: &Client, location: Location) -> Result<Self, Failure> {
        let get = s3.get_object().bucket(&location.bucket).key(&location.key);
        let fail = |fault| Failure::Receipt { location: location.clone(), fault };
        let found = match get.send().await {
            Ok(found) => {
                let etag = found.e_tag.unwrap_or_default();
                let text = found.body.collect().await.map_err(|fault| fail(fault.to_string()))?;
                let receipt = serde_json::from_slice(&text.into_bytes());
                Some((receipt.map_err(|fault| fail(format!("it is no receipt: {fault}")))?, etag))
            }
            Err(fault)
                if fault.as_service_error().is_some_and(|service| service.is_no_such_key()) =>
            {
                None
            }
            Err(fault) if status(&fault) == Some(404) => {
                return Err(fail(in_words(&fault)));
            }
            Err(fault) => return Err(fail(in_words(&fault))),
        };
        Ok(Self { s3: s3.clone(), location, found })
    }

    /// The receipt that was found.
    pub(crate) fn receipt(&self) -> Option<&Receipt> {
        self.found.as_ref().map(|(receipt, _)| receipt)
    }

    /// Reads again what is there.
    pub(crate) async fn read_again(self) -> Result<Self, Failure> {
        Self::read(&self.s3, self.location).await
    }

    /// Writes the receipt, unless another one than the one found is there by now.
    pub(crate) async fn write(&self, receipt: &Receipt) -> Result<Result<(), Overtaken>, Failure> {
        let fail = |fault| Failure::Receipt { location: self.location.clone(), fault };
        let text = serde_json::to_vec_pretty(receipt).map_err(|fault| fail(fault.to_string()))?;
        let put = self.s3.put_object().bucket(&self.location.bucket).key(&self.location.key);
        let put = put.content_type("application/json").body(ByteStream::from(text));
        let put = match &self.found {
            Some((_, etag)) => put.if_match(etag),
            None => put.if_none_match("*"),
        };
        match put.send().await {
            Ok(_) => Ok(Ok(())),
            // 412: another is there; 409: another is being written; 404: the one found is gone.
            Err(fault) if matches!(status(&fault), Some(404 | 409 | 412)) => Ok(Err(Overtaken)),
            Err(fault) => Err(fail(in_words(&fault))),
        }
    }
}
