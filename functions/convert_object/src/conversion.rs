//! One object from S3 through the engine and back to S3.
//!
//! The order makes a stop at any point harmless: the receipt claims the object, rejects and rows
//! appear, results of earlier versions go, the receipt is completed. A repetition goes on from
//! whatever it finds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_s3::Client;
use jiff::Timestamp;
use personalize_aws::{Deadline, Location, in_words, panic_message};
use personalize_engine::{ConvertError, Counts, SourceFile, partition_values};
use serde_json::Value;

use crate::download::Download;
use crate::envelope::ObjectCreated;
use crate::failure::{Failure, Skip, Unconverted};
use crate::feed::{self, Fed};
use crate::keys::{OutputKeys, lies_in_output, receipt_key, relative_key};
use crate::plans::Plan;
use crate::receipt::{Receipt, ReceiptSlot, Source, State};
use crate::upload::{self, Upload};

/// Lambda allows no more.
const LONGEST_INVOCATION: Duration = Duration::from_secs(900);

/// Converts objects by one plan.
#[derive(Clone, Copy)]
pub(crate) struct Conversion<'a> {
    pub(crate) s3: &'a Client,
    pub(crate) plan: &'a Plan,
    pub(crate) deadline: &'a Deadline,
    /// Whether the event may have come before, so that something of it may be left
    pub(crate) is_repeated: bool,
    /// Whether nothing else is converted in the invocation
    pub(crate) is_alone: bool,
}

/// What the engine made of an object; nothing of it is in its place yet.
struct Converted {
    counts: Counts,
    rows: Upload,
    rejects: Upload,
}

impl Conversion<'_> {
    /// Converts the object and stores its results.
    pub(crate) async fn convert(&self, object: &ObjectCreated) -> Result<Receipt, Unconverted> {
        let began = Instant::now();
        let relative = relative_key(&self.plan.plan, &object.location).map_err(Skip::from)?;
        let destination = &self.plan.plan.destination;
        let place = Location::new(&destination.bucket, receipt_key(destination, &object.location));
        let mut slot = ReceiptSlot::read(self.s3, self.deadline, place).await?;
        if let Some(other) = slot.receipt().filter(|found| found.dataset != self.plan.plan.dataset)
        {
            let folder = destination.incremental_prefix.clone();
            return Err(Failure::OtherDataset { dataset: other.dataset, folder }.into());
        }
        // Those that a killed conversion was still to remove are results, too.
        let had_results =
            slot.receipt().is_some_and(|receipt| !receipt.keys_but(std::iter::empty()).is_empty());
        if object.size == Some(0) && !had_results {
            return Err(Skip::Empty.into());
        }
        let by_range = self.plan.converter.reads_by_range();
        let opening = self.deadline.limit(Download::open(self.s3, object, by_range)).await;
        let opened = opening.unwrap_or_else(|| Err(self.out_of_time(0, 0, began).into()));
        let download = match opened {
            // An empty object has no rows, but those of its earlier version have to go.
            Ok(download) if download.size() == 0 && !had_results => return Err(Skip::Empty.into()),
            Ok(download) => download,
            Err(Unconverted::Skipped(skip)) => {
                self.remove_unfinished(object, slot).await?;
                return Err(skip.into());
            }
            Err(failed) => return Err(failed),
        };
        let source = Source {
            bucket: object.location.bucket.clone(),
            key: object.location.key.clone(),
            version_id: download.version_id().map(str::to_owned),
            etag: download.etag().to_owned(),
            size: download.size(),
        };
        let event_time = event_time(object, &download, &slot)?;
        let keys = OutputKeys::new(destination, &object.location, &source.etag, event_time);
        let file = SourceFile {
            name: object.location.to_string(),
            partition_values: partition_values(&self.plan.plan.source.partition_keys, relative),
        };
        let mut converted = match self.run_engine(file, download, &keys, began).await {
            Ok(converted) => converted,
            // It was replaced or deleted between two of its pieces.
            Err(Unconverted::Skipped(skip)) => {
                self.remove_unfinished(object, slot).await?;
                return Err(skip.into());
            }
            Err(failed) => return Err(failed),
        };
        let receipt = Receipt {
            state: State::Publishing,
            dataset: self.plan.plan.dataset,
            source,
            event_time: event_time.to_string(),
            plan_sha256: self.plan.sha256.clone(),
            output_key: converted.rows.holds_anything().then_some(keys.rows),
            rejects_key: converted.rejects.holds_anything().then_some(keys.rejects),
            superseded: Vec::new(),
            counts: counts_as_json(&converted.counts),
            milliseconds: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            written_at: Timestamp::now().to_string(),
        };
        let stored = self.store(&mut converted, receipt, &mut slot).await;
        if stored.is_err() {
            converted.rows.abort().await;
            converted.rejects.abort().await;
        }
        stored.map_err(Unconverted::from)
    }

    /// Reads, converts and uploads, all at the same time.
    async fn run_engine(
        &self,
        file: SourceFile,
        download: Download,
        keys: &OutputKeys,
        began: Instant,
    ) -> Result<Converted, Unconverted> {
        let at = |key: &str| Location::new(&self.plan.plan.destination.bucket, key);
        let header = Some(self.plan.converter.header());
        let (rows_writer, mut rows) = Upload::new(self.s3, at(&keys.rows), "text/csv", header);
        let (rejects_writer, mut rejects) =
            Upload::new(self.s3, at(&keys.rejects), "application/x-ndjson", None);
        let is_empty = download.size() == 0;
        let (input, feed) = feed::input(download);
        let converter = self.plan.converter.clone();
        let converting = tokio::task::spawn_blocking(move || {
            let (mut rows, mut rejects) = (rows_writer, rejects_writer);
            let counts = if is_empty {
                Counts::default()
            } else {
                converter.convert(&file, Arc::new(input), &mut rows, &mut rejects)?
            };
            rows.finish().and_then(|()| rejects.finish()).map_err(ConvertError::Write)?;
            Ok(counts)
        });
        let (fed, rows_received, rejects_received, converted) = tokio::join!(
            feed.run(self.deadline),
            rows.receive(self.deadline),
            rejects.receive(self.deadline),
            converting
        );
        let received = rows_received.and(rejects_received);
        let counts = match (converted, received) {
            (Ok(Ok(counts)), Ok(())) => Ok(counts),
            // The engine had handed on the last part already when the upload failed.
            (Ok(Ok(_)), Err(fault)) => Err(fault.into()),
            (Ok(Err(fault)), received) => Err(self.failure(fault, fed, received, began)),
            (Err(panic), _) => Err(Failure::Panic(match panic.try_into_panic() {
                Ok(panic) => panic_message(panic.as_ref()),
                Err(fault) => fault.to_string(),
            })
            .into()),
        };
        match counts {
            Ok(counts) => Ok(Converted { counts, rows, rejects }),
            Err(unconverted) => {
                rows.abort().await;
                rejects.abort().await;
                Err(unconverted)
            }
        }
    }

    /// Claims the object, makes the results appear, removes earlier ones and completes the receipt.
    async fn store(
        &self,
        converted: &mut Converted,
        mut receipt: Receipt,
        slot: &mut ReceiptSlot<'_>,
    ) -> Result<Receipt, Failure> {
        if let Some(earlier) = slot.receipt() {
            // An earlier content has come back, and its results are being removed just now.
            if earlier.may_remove(receipt.keys(), self.invocation()) {
                return Err(Failure::Overtaken);
            }
            receipt.superseded = earlier.keys_but(receipt.keys());
        }
        if !slot.write(receipt.clone()).await? {
            return match slot.receipt() {
                Some(other) if other.is_like(&receipt) && other.state == State::Complete => {
                    converted.rows.abort().await;
                    converted.rejects.abort().await;
                    Ok(other.clone())
                }
                _ => Err(Failure::Overtaken),
            };
        }
        let Converted { rejects, rows, .. } = converted;
        let (rejects, rows) =
            tokio::join!(rejects.publish(self.deadline), rows.publish(self.deadline));
        rejects.and(rows)?;
        for key in &receipt.superseded {
            self.remove(key).await?;
        }
        let complete = Receipt {
            state: State::Complete,
            superseded: Vec::new(),
            written_at: Timestamp::now().to_string(),
            ..receipt
        };
        if slot.write(complete.clone()).await? {
            return Ok(complete);
        }
        match slot.receipt() {
            // Whoever claimed the object meanwhile puts the same bytes in the same places.
            Some(other) if other.is_like(&complete) => return Ok(complete),
            other => {
                let kept = other.into_iter().flat_map(Receipt::keys);
                for key in complete.keys_but(kept) {
                    self.remove(&key).await?;
                }
            }
        }
        Err(Failure::Overtaken)
    }

    /// Removes results that no receipt speaks of: those of a conversion that was killed before its
    /// object was replaced or deleted. The receipt names them first, so that a conversion that is
    /// under way still does not lose its own.
    async fn remove_unfinished(
        &self,
        object: &ObjectCreated,
        mut slot: ReceiptSlot<'_>,
    ) -> Result<(), Failure> {
        let (Some(etag), Some(time), true) = (&object.etag, object.time, self.is_repeated) else {
            return Ok(());
        };
        let destination = &self.plan.plan.destination;
        let keys = OutputKeys::new(destination, &object.location, etag, time);
        for key in [&keys.rows, &keys.rejects] {
            let location = Location::new(&destination.bucket, key);
            upload::abort_abandoned(self.s3, &location).await?;
        }
        slot.read_again().await?;
        let Some(receipt) = slot.receipt().cloned() else {
            // Claims come before results: without any receipt there are none.
            return Ok(());
        };
        let own = [keys.rows, keys.rejects];
        let left: Vec<String> =
            own.into_iter().filter(|key| !receipt.keys().any(|known| known == key)).collect();
        if left.is_empty() || receipt.is_of(etag) {
            return Ok(());
        }
        // A claim that changed would not be completed: its conversion could not tell why it did.
        if receipt.may_be_publishing(self.invocation()) {
            return Err(Failure::Overtaken);
        }
        let mut marked = receipt.clone();
        marked.superseded.extend(left.iter().cloned());
        marked.written_at = Timestamp::now().to_string();
        if !slot.write(marked).await? {
            return Err(Failure::Overtaken);
        }
        for key in &left {
            self.remove(key).await?;
        }
        let unmarked = Receipt { written_at: Timestamp::now().to_string(), ..receipt };
        if slot.write(unmarked).await? { Ok(()) } else { Err(Failure::Overtaken) }
    }

    /// How long an invocation may live.
    fn invocation(&self) -> Duration {
        self.deadline.total().unwrap_or(LONGEST_INVOCATION)
    }

    async fn remove(&self, key: &str) -> Result<(), Failure> {
        let destination = &self.plan.plan.destination;
        let location = Location::new(&destination.bucket, key);
        if !lies_in_output(destination, key) {
            tracing::warn!(object = %location, "left where it is: the stack now writes elsewhere");
            return Ok(());
        }
        let delete = self.s3.delete_object().bucket(&location.bucket).key(&location.key);
        match self.deadline.limit(delete.send()).await {
            Some(Ok(_)) => Ok(()),
            Some(Err(fault)) => Err(Failure::Write { fault: in_words(&fault), location }),
            None => Err(Failure::Write { fault: upload::OUT_OF_TIME.to_owned(), location }),
        }
    }

    /// Why the engine failed: for a reason of its own, or since reading or writing did.
    fn failure(
        &self,
        fault: ConvertError,
        fed: Fed,
        received: Result<(), Failure>,
        began: Instant,
    ) -> Unconverted {
        match (fault, fed, received) {
            (
                ConvertError::Read(_) | ConvertError::Write(_),
                Fed::OutOfTime { position, size },
                _,
            ) => self.out_of_time(position, size, began).into(),
            (ConvertError::Read(_), Fed::Broken(cause), _) => cause,
            (ConvertError::Read(fault), ..) => Failure::Read(fault.to_string()).into(),
            (ConvertError::Write(_), _, Err(cause)) => cause.into(),
            (fault, ..) => Failure::Content(fault).into(),
        }
    }

    /// An object that had an invocation for itself, or most of one a second time, will not do
    /// better the next time.
    fn out_of_time(&self, position: u64, size: u64, began: Instant) -> Failure {
        if self.deadline.is_first_half(began) && (self.is_alone || self.is_repeated) {
            let seconds = self.deadline.total().unwrap_or_default().as_secs();
            Failure::TooLarge { seconds, position, size }
        } else {
            Failure::OutOfTime { position, size }
        }
    }
}

/// The hour's folder: that of the receipt where the same content was converted before, so that it
/// comes to the same place whatever event tells of it.
fn event_time(
    object: &ObjectCreated,
    download: &Download,
    slot: &ReceiptSlot<'_>,
) -> Result<Timestamp, Failure> {
    let earlier = slot.receipt().filter(|receipt| receipt.is_of(download.etag()));
    let earlier = earlier.and_then(|receipt| receipt.event_time.parse().ok());
    earlier.or(object.time).or(download.last_modified()).ok_or_else(|| {
        Failure::Read("neither the event nor the object says when it was created".to_owned())
    })
}

fn counts_as_json(counts: &Counts) -> Value {
    let mut json = serde_json::json!(counts);
    json["rejected"] = counts.rejected().into();
    json
}
