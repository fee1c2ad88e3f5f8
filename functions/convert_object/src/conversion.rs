//! One object from S3 through the engine and back to S3.
//!
//! The results appear in this order, so that a stop at any point leaves nothing that a repetition
//! does not put right: rejects, rows, removal of the earlier version's results, receipt.

use std::time::Instant;

use aws_sdk_s3::Client;
use jiff::Timestamp;
use personalize_aws::{Deadline, Location, in_words, panic_message};
use personalize_engine::{ConvertError, Counts, SourceFile, partition_values};
use serde_json::Value;

use crate::download::{Download, Fed};
use crate::envelope::ObjectCreated;
use crate::failure::{Failure, Skip, Unconverted};
use crate::keys::{OutputKeys, receipt_key, relative_key};
use crate::plans::Plan;
use crate::receipt::{Receipt, ReceiptSlot, Source};
use crate::upload::Upload;

/// Converts objects by one plan.
#[derive(Clone, Copy)]
pub(crate) struct Conversion<'a> {
    pub(crate) s3: &'a Client,
    pub(crate) plan: &'a Plan,
    pub(crate) deadline: &'a Deadline,
}

impl Conversion<'_> {
    /// Converts the object and stores its results.
    pub(crate) async fn convert(&self, object: &ObjectCreated) -> Result<Receipt, Unconverted> {
        let began = Instant::now();
        let relative = relative_key(&self.plan.plan, &object.location).map_err(Skip::from)?;
        if object.size == Some(0) {
            return Err(Skip::Empty.into());
        }
        let destination = &self.plan.plan.destination;
        let receipt =
            Location::new(&destination.bucket, receipt_key(destination, &object.location));
        let slot = ReceiptSlot::read(self.s3, receipt).await?;
        let download = match Download::open(self.s3, object).await {
            Ok(download) if download.size() == 0 => return Err(Skip::Empty.into()),
            Ok(download) => download,
            Err(Unconverted::Skipped(skip)) => {
                self.remove_unfinished(object, &slot).await?;
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
        let at = |key: &str| Location::new(&destination.bucket, key);
        let header = Some(self.plan.converter.header());
        let (rows_writer, mut rows) = Upload::new(self.s3, at(&keys.rows), "text/csv", header);
        let (rejects_writer, mut rejects) =
            Upload::new(self.s3, at(&keys.rejects), "application/x-ndjson", None);

        let (reader, feed) = download.split();
        let converter = self.plan.converter.clone();
        let converting = tokio::task::spawn_blocking(move || {
            let (mut rows, mut rejects) = (rows_writer, rejects_writer);
            let counts = converter.convert(&file, reader, &mut rows, &mut rejects)?;
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
        let counts = match converted {
            Ok(converted) => converted.map_err(|fault| self.failure(fault, fed, received, began)),
            Err(panic) => Err(Failure::Panic(match panic.try_into_panic() {
                Ok(panic) => panic_message(panic.as_ref()),
                Err(fault) => fault.to_string(),
            })
            .into()),
        };
        let published = match counts {
            Ok(counts) => publish(&mut rejects, &mut rows).await.map(|keys| (counts, keys)),
            Err(unconverted) => Err(unconverted),
        };
        let (counts, (rejects_key, output_key)) = match published {
            Ok(published) => published,
            Err(unconverted) => {
                rows.abort().await;
                rejects.abort().await;
                return Err(unconverted);
            }
        };
        let receipt = Receipt {
            source,
            event_time: event_time.to_string(),
            plan_sha256: self.plan.sha256.clone(),
            output_key,
            rejects_key,
            counts: counts_as_json(&counts),
            milliseconds: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        };
        self.acknowledge(slot, receipt).await
    }

    /// Removes the earlier results and writes the receipt.
    async fn acknowledge(
        &self,
        slot: ReceiptSlot,
        receipt: Receipt,
    ) -> Result<Receipt, Unconverted> {
        if let Some(earlier) = slot.receipt() {
            self.remove_all_but(earlier.keys(), &receipt).await?;
        }
        if slot.write(&receipt).await?.is_ok() {
            return Ok(receipt);
        }
        let slot = slot.read_again().await?;
        match slot.receipt() {
            // The same content under the same plan is the same bytes.
            Some(other)
                if other.is_of(&receipt.source.etag)
                    && other.plan_sha256 == receipt.plan_sha256 =>
            {
                return Ok(receipt);
            }
            // Under another plan the bytes differ, and which ones lie there now is not known.
            Some(other) if other.is_of(&receipt.source.etag) => {}
            Some(other) => self.remove_all_but(receipt.keys(), other).await?,
            None => {}
        }
        Err(Failure::Overtaken.into())
    }

    /// Removes results that no receipt speaks of: those of a conversion that was killed before
    /// its object was replaced or deleted.
    async fn remove_unfinished(
        &self,
        object: &ObjectCreated,
        slot: &ReceiptSlot,
    ) -> Result<(), Failure> {
        let (Some(etag), Some(time)) = (&object.etag, object.time) else { return Ok(()) };
        if slot.receipt().is_some_and(|receipt| receipt.is_of(etag)) {
            return Ok(());
        }
        let destination = &self.plan.plan.destination;
        let keys = OutputKeys::new(destination, &object.location, etag, time);
        for key in [&keys.rows, &keys.rejects] {
            self.remove(key).await?;
        }
        Ok(())
    }

    async fn remove_all_but(
        &self,
        keys: impl Iterator<Item = &String>,
        kept: &Receipt,
    ) -> Result<(), Failure> {
        for key in keys {
            if !kept.keys().any(|kept| kept == key) {
                self.remove(key).await?;
            }
        }
        Ok(())
    }

    async fn remove(&self, key: &str) -> Result<(), Failure> {
        let location = Location::new(&self.plan.plan.destination.bucket, key);
        let delete = self.s3.delete_object().bucket(&location.bucket).key(&location.key);
        match delete.send().await {
            Ok(_) => Ok(()),
            Err(fault) => Err(Failure::Write { fault: in_words(&fault), location }),
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
            (ConvertError::Read(_), Fed::OutOfTime { position, size }, _)
            | (ConvertError::Write(_), Fed::OutOfTime { position, size }, _) => {
                self.out_of_time(position, size, began).into()
            }
            (ConvertError::Read(_), Fed::Broken(cause), _) => cause,
            (ConvertError::Read(fault), ..) => Failure::Read(fault.to_string()).into(),
            (ConvertError::Write(_), _, Err(cause)) => cause.into(),
            (fault, ..) => Failure::Content(fault).into(),
        }
    }

    /// An object that had most of an invocation for itself will not do better the next time.
    fn out_of_time(&self, position: u64, size: u64, began: Instant) -> Failure {
        if self.deadline.is_first_half(began) {
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
    slot: &ReceiptSlot,
) -> Result<Timestamp, Failure> {
    let earlier = slot.receipt().filter(|receipt| receipt.is_of(download.etag()));
    let earlier = earlier.and_then(|receipt| receipt.event_time.parse().ok());
    earlier.or(object.time).or(download.last_modified()).ok_or_else(|| {
        Failure::Read("neither the event nor the object says when it was created".to_owned())
    })
}

/// Makes both appear, rejects first; gives the keys of those that hold anything.
async fn publish(
    rejects: &mut Upload,
    rows: &mut Upload,
) -> Result<(Option<String>, Option<String>), Unconverted> {
    let key = |upload: &Upload, holds: bool| holds.then(|| upload.location().key.clone());
    let has_rejects = rejects.publish().await?;
    let has_rows = rows.publish().await?;
    Ok((key(rejects, has_rejects), key(rows, has_rows)))
}

fn counts_as_json(counts: &Counts) -> Value {
    let mut json = serde_json::json!(counts);
    json["rejected"] = counts.rejected().into();
    json
}
