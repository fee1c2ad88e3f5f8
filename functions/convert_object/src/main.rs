//! Converts each new object, as it arrives in S3.
//!
//! Called with messages of a queue, or by S3, SNS or EventBridge directly. Objects succeed and
//! fail alone: what can never succeed goes to the dead-letter queue with the reason, what may
//! succeed later is left to the queue.

mod body;
mod checksum;
mod conversion;
mod dead_letters;
mod download;
mod envelope;
mod failure;
mod feed;
mod keys;
mod plans;
mod ranges;
mod receipt;
mod report;
mod upload;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse};
use aws_sdk_s3::Client as S3;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use personalize_aws::{Deadline, Location, panic_message, sdk_config};
use serde_json::{Value, json};

use crate::conversion::Conversion;
use crate::dead_letters::DeadLetters;
use crate::envelope::{Delivery, Message, ObjectCreated};
use crate::failure::{Failure, Unconverted};
use crate::plans::{Plan, Plans};
use crate::report::Report;

/// Messages of a batch that are worked on at the same time: small objects mostly wait for S3.
const AT_THE_SAME_TIME: usize = 4;

struct Function {
    s3: S3,
    plans: Plans,
    dead_letters: Option<DeadLetters>,
    /// The delivery after which the queue itself gives a message up
    last_delivery: u32,
    report: Report,
}

/// What an object's or a message's failure asks for.
enum Fault {
    /// Another try may help
    Transient(String),
    /// None can; with an event about the object alone
    Poison { event: String, reason: String },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    personalize_aws::init_logging();
    personalize_engine::hide_caught_panics();
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let required = |name: &str| variable(name).ok_or_else(|| format!("{name} is not set"));
    let config = sdk_config().await;
    let s3 = S3::new(&config);
    let plan = Location::new(required("ARTIFACT_BUCKET")?, "plan.json");
    let dead_letters = variable("DEAD_LETTER_QUEUE_URL")
        .map(|queue_url| DeadLetters { sqs: aws_sdk_sqs::Client::new(&config), queue_url });
    let function = Function {
        plans: Plans::new(s3.clone(), plan),
        s3,
        dead_letters,
        last_delivery: variable("MAX_RECEIVE_COUNT")
            .map_or(Ok(u32::MAX), |count| count.parse())
            .map_err(|_| "MAX_RECEIVE_COUNT is no number")?,
        report: Report { stack: required("STACK_NAME")? },
    };
    let function = &function;
    run(service_fn(move |event: LambdaEvent<Value>| function.handle(event))).await
}

impl Function {
    async fn handle(&self, event: LambdaEvent<Value>) -> Result<Value, Error> {
        let deadline = Deadline::new(event.context.deadline());
        match Delivery::of(event.payload) {
            Delivery::Messages(messages) => self.messages(&messages, &deadline).await,
            Delivery::Direct(event) => self.direct(&event, &deadline).await,
        }
    }

    /// Each message alone; those that should come again are named in the answer.
    async fn messages(&self, messages: &[Message], deadline: &Deadline) -> Result<Value, Error> {
        let plan = self.plan(deadline).await;
        let failed = stream::iter(messages)
            .map(async |message| {
                let done =
                    self.message(message, plan.as_deref(), deadline, messages.len() == 1).await;
                done.is_err().then(|| message.id.clone())
            })
            .buffer_unordered(AT_THE_SAME_TIME)
            .filter_map(async |failed| failed);
        let mut response = SqsBatchResponse::default();
        for id in failed.collect::<Vec<_>>().await {
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = id;
            response.batch_item_failures.push(failure);
        }
        Ok(serde_json::to_value(response)?)
    }

    /// The plan in force, or why there is none.
    async fn plan(&self, deadline: &Deadline) -> Result<Arc<Plan>, String> {
        let plan = deadline.limit(self.plans.current()).await;
        let plan = plan.map(|plan| plan.map_err(|fault| fault.to_string()));
        let late = || Err("the plan could not be read in time".to_owned());
        plan.unwrap_or_else(late).inspect_err(|reason| {
            tracing::error!(reason, "nothing can be converted now");
        })
    }

    /// Converts a message's objects. An error leaves the message to the queue.
    async fn message(
        &self,
        message: &Message,
        plan: Result<&Plan, &String>,
        deadline: &Deadline,
        is_alone: bool,
    ) -> Result<(), ()> {
        let faults = match (message.objects(), plan) {
            (Ok(objects), Ok(plan)) => {
                let conversion = Conversion {
                    s3: &self.s3,
                    plan,
                    deadline,
                    is_repeated: message.receive_count > 1,
                    is_alone: is_alone && objects.len() == 1,
                };
                self.objects(&objects, conversion).await
            }
            (Ok(_), Err(reason)) => vec![Fault::Transient(reason.clone())],
            (Err(fault), _) => {
                self.report.unreadable(&fault.to_string());
                vec![Fault::Poison { event: message.body.clone(), reason: fault.to_string() }]
            }
        };
        let is_last = message.receive_count >= self.last_delivery;
        let may_succeed = |fault: &Fault| matches!(fault, Fault::Transient(_));
        if faults.iter().any(may_succeed) && !is_last {
            return Err(());
        }
        for fault in faults {
            let (event, reason) = match fault {
                Fault::Transient(reason) => (message.body.clone(), reason),
                Fault::Poison { event, reason } => (event, reason),
            };
            self.give_up(&event, &reason).await?;
        }
        Ok(())
    }

    /// An event that came without a queue: if anything in it may succeed later, it fails as a
    /// whole, and Lambda or the sender tries again.
    async fn direct(&self, event: &Value, deadline: &Deadline) -> Result<Value, Error> {
        let objects = envelope::objects(event).map_err(|fault| fault.to_string())?;
        if objects.is_empty() {
            return Ok(json!({"objects": 0}));
        }
        let plan = self.plan(deadline).await?;
        let count = objects.len();
        let mut reasons = Vec::new();
        let conversion = Conversion {
            s3: &self.s3,
            plan: &plan,
            deadline,
            // Whoever sent it may have sent it before.
            is_repeated: true,
            is_alone: count == 1,
        };
        for fault in self.objects(&objects, conversion).await {
            match fault {
                Fault::Poison { event, reason } => {
                    if self.give_up(&event, &reason).await.is_err() {
                        reasons.push(reason);
                    }
                }
                Fault::Transient(reason) => reasons.push(reason),
            }
        }
        if reasons.is_empty() {
            return Ok(json!({"objects": count}));
        }
        Err(reasons.join("; ").into())
    }

    async fn objects(&self, objects: &[ObjectCreated], conversion: Conversion<'_>) -> Vec<Fault> {
        let mut faults = Vec::new();
        for object in objects {
            faults.extend(self.object(object, conversion).await.err());
        }
        faults
    }

    async fn object(
        &self,
        object: &ObjectCreated,
        conversion: Conversion<'_>,
    ) -> Result<(), Fault> {
        let location = &object.location;
        let converting = AssertUnwindSafe(conversion.convert(object)).catch_unwind();
        let converted = converting
            .await
            .unwrap_or_else(|panic| Err(Failure::Panic(panic_message(panic.as_ref())).into()));
        match converted {
            Ok(receipt) => {
                self.report.converted(&receipt);
                Ok(())
            }
            Err(Unconverted::Skipped(skip)) => {
                self.report.skipped(location, &skip);
                Ok(())
            }
            Err(Unconverted::Failed(failure)) => {
                self.report.failed(location, &failure);
                let reason = format!("{location}: {failure}");
                Err(if failure.is_poison() {
                    Fault::Poison { event: object.event.to_string(), reason }
                } else {
                    Fault::Transient(reason)
                })
            }
        }
    }

    /// Sends an event to the dead letters. An error leaves it where it came from.
    async fn give_up(&self, event: &str, reason: &str) -> Result<(), ()> {
        let Some(dead_letters) = &self.dead_letters else {
            tracing::error!(reason, "there is no dead-letter queue for this event");
            return Err(());
        };
        dead_letters.send(event, reason).await.map_err(|fault| {
            tracing::error!(reason, fault, "the dead-letter queue does not take this event");
        })
    }
}
