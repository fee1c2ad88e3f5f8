//! `Custom::SourceBucketEvents`: the source bucket tells EventBridge of new objects.
//!
//! The bucket is the user's. Its notifications stay as they are, and EventBridge is turned off
//! again only if this stack turned it on, which the artifact bucket remembers, and no rule of
//! another needs it. Rule: S3 user guide, "Enabling Amazon EventBridge".

use aws_sdk_eventbridge::Client as EventBridge;
use aws_sdk_s3::Client as S3;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::get_bucket_notification_configuration::GetBucketNotificationConfigurationOutput;
use aws_sdk_s3::types::{EventBridgeConfiguration, NotificationConfiguration};
use personalize_aws::{in_words, status};

use crate::store::{Store, StoreError};
use crate::{NEW_ROLE_PAUSE, NEW_ROLE_TRIES};

/// What the resource needs of AWS.
#[derive(Debug, Clone)]
pub(crate) struct BucketEventsResource {
    pub(crate) s3: S3,
    pub(crate) events: EventBridge,
    pub(crate) store: Store,
    /// The rule of this stack that waits for new objects
    pub(crate) own_rule: String,
}

/// Why a bucket's notifications cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BucketEventsError {
    #[error("the custom resource has no property Bucket; the template has to set it")]
    NoBucket,
    #[error(
        "the notifications of bucket {bucket} cannot be read: {fault}. Does the bucket exist in \
         this Region, and may this account configure it?"
    )]
    Read { bucket: String, fault: String },
    #[error("EventBridge cannot be turned on or off for bucket {bucket}: {fault}")]
    Write { bucket: String, fault: String },
    #[error("the rules of EventBridge cannot be listed: {0}")]
    Rules(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl BucketEventsResource {
    /// Turns EventBridge on and gives the physical id, which names the bucket: that of another
    /// bucket is another resource, and the old one is then deleted.
    pub(crate) async fn turn_on(
        &self,
        bucket: Option<String>,
    ) -> Result<String, BucketEventsError> {
        let bucket = bucket.filter(|bucket| !bucket.is_empty());
        let bucket = bucket.ok_or(BucketEventsError::NoBucket)?;
        let current = self.read_as_new_role(&bucket).await.map_err(|fault| {
            BucketEventsError::Read { bucket: bucket.clone(), fault: fault.in_words }
        })?;
        if current.event_bridge_configuration.is_none() {
            // Remembered first: what is remembered and was not done is done by the repetition.
            self.store.put_turned_on(&bucket, true).await?;
            self.write(&bucket, current, Some(EventBridgeConfiguration::builder().build())).await?;
            tracing::info!(bucket, "EventBridge turned on");
        }
        Ok(physical_id(&bucket))
    }

    /// Turns EventBridge off if that is this stack's to do. A bucket that is gone, or that this
    /// account may no longer configure, is left alone.
    pub(crate) async fn turn_off(&self, physical_id: &str) -> Result<(), BucketEventsError> {
        let Some(bucket) = bucket_of(physical_id) else { return Ok(()) };
        if !self.store.has_turned_on(bucket).await? {
            return Ok(());
        }
        let current = match self.read(bucket).await {
            Ok(current) => current,
            Err(Unreadable { status: Some(403 | 404), in_words }) => {
                tracing::warn!(bucket, fault = in_words, "notifications left as they are");
                return Ok(());
            }
            Err(fault) => {
                let (bucket, fault) = (bucket.to_owned(), fault.in_words);
                return Err(BucketEventsError::Read { bucket, fault });
            }
        };
        if current.event_bridge_configuration.is_none() {
            return Ok(());
        }
        if let Some(rule) = self.other_rule(bucket).await? {
            tracing::warn!(bucket, rule, "EventBridge stays on: another rule needs it");
            return Ok(());
        }
        self.write(bucket, current, None).await?;
        self.store.put_turned_on(bucket, false).await?;
        tracing::info!(bucket, "EventBridge turned off");
        Ok(())
    }

    async fn read_as_new_role(
        &self,
        bucket: &str,
    ) -> Result<GetBucketNotificationConfigurationOutput, Unreadable> {
        for _ in 1..NEW_ROLE_TRIES {
            match self.read(bucket).await {
                Err(Unreadable { status: Some(403), .. }) => {
                    tokio::time::sleep(NEW_ROLE_PAUSE).await;
                }
                done => return done,
            }
        }
        self.read(bucket).await
    }

    async fn read(
        &self,
        bucket: &str,
    ) -> Result<GetBucketNotificationConfigurationOutput, Unreadable> {
        let read = self.s3.get_bucket_notification_configuration().bucket(bucket).send().await;
        match read {
            Ok(found) => Ok(found),
            // Where nothing is configured, some servers send a document that S3 would not.
            Err(fault) if is_empty_success(&fault) => {
                Ok(GetBucketNotificationConfigurationOutput::builder().build())
            }
            Err(fault) => Err(Unreadable { status: status(&fault), in_words: in_words(&fault) }),
        }
    }

    /// Writes what is there already, and EventBridge as given.
    async fn write(
        &self,
        bucket: &str,
        current: GetBucketNotificationConfigurationOutput,
        event_bridge: Option<EventBridgeConfiguration>,
    ) -> Result<(), BucketEventsError> {
        let configuration = NotificationConfiguration::builder()
            .set_topic_configurations(current.topic_configurations)
            .set_queue_configurations(current.queue_configurations)
            .set_lambda_function_configurations(current.lambda_function_configurations)
            .set_event_bridge_configuration(event_bridge)
            .build();
        let put = self.s3.put_bucket_notification_configuration().bucket(bucket);
        // What others configured may be out of order by now; that is theirs to mend.
        let put = put.notification_configuration(configuration).skip_destination_validation(true);
        put.send().await.map(|_| ()).map_err(|fault| BucketEventsError::Write {
            bucket: bucket.to_owned(),
            fault: in_words(&fault),
        })
    }

    /// A rule, not of this stack, that waits for events of the bucket.
    async fn other_rule(&self, bucket: &str) -> Result<Option<String>, BucketEventsError> {
        let mut token = None;
        loop {
            let page = self.events.list_rules().set_next_token(token.take()).send().await;
            let page = page.map_err(|fault| BucketEventsError::Rules(in_words(&fault)))?;
            let other = page.rules().iter().find(|rule| {
                let name = rule.name().unwrap_or_default();
                let pattern = rule.event_pattern().unwrap_or_default();
                name != self.own_rule && waits_for(pattern, bucket)
            });
            if let Some(rule) = other {
                return Ok(rule.name.clone());
            }
            match page.next_token {
                Some(next) => token = Some(next),
                None => return Ok(None),
            }
        }
    }
}

/// Why notifications could not be read.
struct Unreadable {
    status: Option<u16>,
    in_words: String,
}

/// Whether the answer is a success whose document has nothing in it.
fn is_empty_success<E>(fault: &SdkError<E>) -> bool {
    fault.raw_response().is_some_and(|response| {
        let body = response.body().bytes().map(String::from_utf8_lossy);
        response.status().is_success() && body.is_some_and(|body| has_no_content(&body))
    })
}

/// Whether an XML document is empty, or a root without children.
fn has_no_content(xml: &str) -> bool {
    let xml = xml.trim();
    let xml = xml.split_once("?>").map_or(xml, |(_, document)| document.trim());
    xml.is_empty() || (xml.matches('<').count() == 1 && xml.ends_with("/>"))
}

fn physical_id(bucket: &str) -> String {
    format!("{bucket}/event-bridge")
}

/// The bucket of a physical id; none for one that CloudFormation made up.
fn bucket_of(physical_id: &str) -> Option<&str> {
    physical_id.strip_suffix("/event-bridge")
}

/// Whether an event pattern may match events of the bucket: it is about S3, and names the bucket
/// or none at all.
fn waits_for(pattern: &str, bucket: &str) -> bool {
    let Ok(pattern) = serde_json::from_str::<serde_json::Value>(pattern) else { return false };
    let sources = pattern["source"].as_array().cloned().unwrap_or_default();
    if !sources.iter().any(|source| source.as_str() == Some("aws.s3") || source.is_object()) {
        return false;
    }
    match pattern["detail"]["bucket"]["name"].as_array() {
        None => true,
        Some(names) => names.iter().any(|name| name.as_str() == Some(bucket) || name.is_object()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_physical_id_names_the_bucket() {
        assert_eq!(bucket_of(&physical_id("b.c")), Some("b.c"));
        assert_eq!(bucket_of("2026/11/22/[$LATEST]abc"), None);
    }

    #[test]
    fn only_a_document_without_content_says_nothing() {
        for nothing in ["", "<?xml version='1.0'?>\n", "<A xmlns=\"x\"/>", "<?xml?><A />\n"] {
            assert!(has_no_content(nothing), "{nothing}");
        }
        for something in ["<A><B/></A>", "<A>", "text", "<?xml?><A><Queue>q</Queue></A>"] {
            assert!(!has_no_content(something), "{something}");
        }
    }

    #[test]
    fn rules_about_the_bucket_are_found() {
        let named = r#"{"source":["aws.s3"],"detail":{"bucket":{"name":["b"]}}}"#;
        assert!(waits_for(named, "b") && !waits_for(named, "c"));
        assert!(waits_for(r#"{"source":["aws.s3"]}"#, "b"));
        let prefixed =
            r#"{"source":[{"prefix":"aws."}],"detail":{"bucket":{"name":[{"prefix":"b"}]}}}"#;
        assert!(waits_for(prefixed, "b"));
        for other in [r#"{"source":["aws.glue"]}"#, "", "{}"] {
            assert!(!waits_for(other, "b"), "{other}");
        }
    }
}
