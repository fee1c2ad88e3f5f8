//! Generates what a conversion needs from the crawled table.
//!
//! Called by CloudFormation for the custom resources `Custom::ConversionArtifacts` and
//! `Custom::SourceBucketEvents`, and by EventBridge when the crawler has run. CloudFormation is
//! answered whatever happens: success, failure, panic, or time running out.

mod answer;
mod artifacts;
mod bucket_events;
mod catalog;
mod changes;
mod crawl;
mod guard;
mod request;
mod settings;
mod store;

use std::time::Duration;

use aws_sdk_lambda::Client as Lambda;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use personalize_aws::{Deadline, in_words, sdk_config};
use serde_json::{Map, Value, json};

use crate::answer::Answer;
use crate::artifacts::{ArtifactsResource, Made};
use crate::bucket_events::BucketEventsResource;
use crate::guard::{Stopped, guarded};
use crate::request::{Continuation, Event, RequestType, ResourceRequest};
use crate::store::Store;

/// Less time than this is not enough to look at a crawler once more and to make the artifacts.
const SHORTEST_PATIENCE: Duration = Duration::from_secs(20);

/// A role that was made or changed just now may be refused for some seconds.
const NEW_ROLE_TRIES: u32 = 8;
const NEW_ROLE_PAUSE: Duration = Duration::from_secs(4);

/// What became of a request.
enum Fulfilled {
    Answer(Answer),
    /// The next invocation of this function answers
    Continued,
}

struct Function {
    artifacts: ArtifactsResource,
    bucket_events: BucketEventsResource,
    lambda: Lambda,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    personalize_aws::init_logging();
    let config = sdk_config().await;
    let required = |name: &str| std::env::var(name).map_err(|_| format!("{name} is not set"));
    let bucket = required("ARTIFACT_BUCKET")?;
    let s3 = aws_sdk_s3::Client::new(&config);
    let store = Store { s3: s3.clone(), bucket };
    let function = Function {
        artifacts: ArtifactsResource {
            glue: aws_sdk_glue::Client::new(&config),
            store: store.clone(),
            stack: required("STACK_NAME")?,
        },
        bucket_events: BucketEventsResource {
            s3,
            events: aws_sdk_eventbridge::Client::new(&config),
            store,
            own_rule: required("NEW_OBJECTS_RULE")?,
        },
        lambda: Lambda::new(&config),
    };
    let function = &function;
    run(service_fn(move |event: LambdaEvent<Value>| function.handle(event))).await
}

impl Function {
    async fn handle(&self, event: LambdaEvent<Value>) -> Result<Value, Error> {
        let deadline = Deadline::new(event.context.deadline());
        match Event::read(event.payload) {
            Event::Resource(request) => {
                self.fulfil(&request, &deadline, &event.context.invoked_function_arn).await
            }
            Event::CrawlerState { crawler, state } if state == "Succeeded" => {
                self.artifacts.crawled(&crawler).await.map_err(|fault| fault.to_string())?;
                Ok(json!({"crawler": crawler}))
            }
            Event::CrawlerState { crawler, state } => {
                tracing::info!(crawler, state, "nothing to do");
                Ok(Value::Null)
            }
            Event::Unknown => Err("the event is neither CloudFormation's nor a crawler's".into()),
        }
    }

    /// Does what CloudFormation asks for, and answers.
    async fn fulfil(
        &self,
        request: &ResourceRequest,
        deadline: &Deadline,
        function_arn: &str,
    ) -> Result<Value, Error> {
        tracing::info!(
            request_type = ?request.request_type,
            resource_type = request.resource_type,
            logical_resource_id = request.logical_resource_id,
            "CloudFormation asks"
        );
        let limit = deadline.remaining().unwrap_or(request.patience());
        let work = self.work(request, deadline, function_arn);
        let fulfilled = guarded(work, limit).await.unwrap_or_else(|stopped| {
            let reason = match stopped {
                Stopped::Panicked(message) => format!(
                    "internal error: {message}. This is a fault of the program; its log has the \
                     details"
                ),
                Stopped::OutOfTime => format!(
                    "the function's {} seconds were over before the work was done; see its log \
                     for what took so long, and deploy again",
                    deadline.total().unwrap_or(limit).as_secs()
                ),
            };
            let physical_resource_id = physical_id(request);
            Fulfilled::Answer(Answer { physical_resource_id, result: Err(reason) })
        });
        let Fulfilled::Answer(answer) = fulfilled else {
            return Ok(json!({"continued": true}));
        };
        if let Err(reason) = &answer.result {
            tracing::error!(reason, "the request failed");
        }
        answer.send(request).await.map_err(|fault| fault.to_string())?;
        Ok(json!({"answered": answer.result.is_ok()}))
    }

    async fn work(
        &self,
        request: &ResourceRequest,
        deadline: &Deadline,
        function_arn: &str,
    ) -> Fulfilled {
        let result = match (&request.request_type, request.resource_type.as_str()) {
            (RequestType::Unknown(kind), _) => Err(format!("there is no request type `{kind}`")),
            (RequestType::Delete, "Custom::ConversionArtifacts") => {
                let removed = self.artifacts.remove(request, deadline).await;
                removed.map(|()| Map::new()).map_err(|fault| fault.to_string())
            }
            (_, "Custom::ConversionArtifacts") => {
                match self.artifacts.make(request, deadline).await {
                    Ok(Made::Attributes(attributes)) => Ok(attributes),
                    Ok(Made::NotYet(next)) => {
                        match self.hand_on(request, next, function_arn).await {
                            Ok(()) => return Fulfilled::Continued,
                            Err(reason) => {
                                self.artifacts.stop_crawling(request, deadline).await;
                                Err(reason)
                            }
                        }
                    }
                    Err(fault) => Err(fault.to_string()),
                }
            }
            (RequestType::Delete, "Custom::SourceBucketEvents") => {
                let id = request.physical_resource_id.as_deref().unwrap_or_default();
                let turned_off = self.bucket_events.turn_off(id).await;
                turned_off.map(|()| Map::new()).map_err(|fault| fault.to_string())
            }
            (_, "Custom::SourceBucketEvents") => {
                match self.bucket_events.turn_on(request.property("Bucket")).await {
                    Ok(physical_resource_id) => {
                        let result = Ok(Map::new());
                        return Fulfilled::Answer(Answer { physical_resource_id, result });
                    }
                    Err(fault) => Err(fault.to_string()),
                }
            }
            // Nothing of an unknown type was ever made.
            (RequestType::Delete, _) => Ok(Map::new()),
            (_, other) => Err(format!("there is no resource type `{other}`")),
        };
        Fulfilled::Answer(Answer { physical_resource_id: physical_id(request), result })
    }

    /// Invokes this function again, with what it has to go on with.
    async fn hand_on(
        &self,
        request: &ResourceRequest,
        next: Continuation,
        function_arn: &str,
    ) -> Result<(), String> {
        if request.patience() < SHORTEST_PATIENCE {
            return Err(
                "the crawler still runs, and CloudFormation waits no longer. Deploy again when it \
                 is done; the crawler's page in the Glue console shows its progress"
                    .to_owned(),
            );
        }
        let event = request.continued(next).to_string();
        let invoke = self.lambda.invoke().function_name(function_arn);
        let invoke = invoke.invocation_type(InvocationType::Event).payload(Blob::new(event));
        invoke.send().await.map_err(|fault| {
            format!("the function cannot go on waiting for the crawler: {}", in_words(&fault))
        })?;
        tracing::info!("the crawler still runs; the next invocation goes on waiting");
        Ok(())
    }
}

/// The resource's own id once it has one. Before, an id that follows from the request, so that a
/// repeated request does not make another resource.
fn physical_id(request: &ResourceRequest) -> String {
    let stack = request.stack_id.rsplit(':').next().unwrap_or_default();
    let stack = stack.split('/').nth(1).unwrap_or(stack);
    let id = request.physical_resource_id.clone();
    id.unwrap_or_else(|| format!("{stack}-{}", request.logical_resource_id))
}
