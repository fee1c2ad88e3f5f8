//! The plan in force.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_s3::Client;
use personalize_aws::{Location, in_words, sha256_hex, status};
use personalize_engine::Converter;
use personalize_plan::{ConversionPlan, PlanTextError};

/// A plan, ready for converting.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) plan: ConversionPlan,
    pub(crate) converter: Converter,
    /// Of the text of `plan.json`, in hexadecimal digits
    pub(crate) sha256: String,
    etag: String,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoPlan {
    #[error("the plan {location} cannot be read: {fault}")]
    Read { location: Location, fault: String },
    #[error("the plan {location} cannot be used: {fault}")]
    Text { location: Location, fault: PlanTextError },
}

/// Where the plan lies, and the last one read.
pub(crate) struct Plans {
    s3: Client,
    location: Location,
    last: Mutex<Option<Arc<Plan>>>,
}

impl Plans {
    pub(crate) fn new(s3: Client, location: Location) -> Self {
        Self { s3, location, last: Mutex::new(None) }
    }

    /// The plan in force now. It is read again only if it has changed.
    pub(crate) async fn current(&self) -> Result<Arc<Plan>, NoPlan> {
        let fail = |fault| NoPlan::Read { location: self.location.clone(), fault };
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let get = self.s3.get_object().bucket(&self.location.bucket).key(&self.location.key);
        let known = last.as_ref().map(|plan| plan.etag.clone());
        let found = match (get.set_if_none_match(known).send().await, last) {
            (Ok(found), _) => found,
            (Err(fault), Some(last)) if status(&fault) == Some(304) => return Ok(last),
            (Err(fault), _) => return Err(fail(in_words(&fault))),
        };
        let etag = found.e_tag.unwrap_or_default();
        let bytes = found.body.collect().await.map_err(|fault| fail(fault.to_string()))?;
        let bytes = bytes.into_bytes();
        let plan = Arc::new(
            read(&bytes, etag)
                .map_err(|fault| NoPlan::Text { location: self.location.clone(), fault })?,
        );
        tracing::info!(plan_sha256 = plan.sha256, "plan read");
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&plan));
        Ok(plan)
    }
}

fn read(bytes: &[u8], etag: String) -> Result<Plan, PlanTextError> {
    let plan = ConversionPlan::from_json(&String::from_utf8_lossy(bytes))?;
    let sha256 = sha256_hex(bytes);
    Ok(Plan { converter: Converter::new(&plan), plan, sha256, etag })
}
