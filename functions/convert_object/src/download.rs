//! An object's bytes, from S3 to a thread that reads them.
//!
//! The SDK does not go on with a body that breaks half way: it is resumed here by range, under
//! the same ETag, so that bytes of two versions never mix.

use std::io::{self, Read};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::{ByteStream, DateTimeFormat};
use bytes::{Buf as _, Bytes};
use jiff::Timestamp;
use personalize_aws::{Deadline, Location, in_words, status};
use tokio::sync::mpsc;

use crate::envelope::ObjectCreated;
use crate::failure::{Failure, Skip, Unconverted};

/// Chunks that may wait for the reader; S3's are some 10 to 100 KiB long.
const CHUNKS_AHEAD: usize = 32;
/// How often a body is resumed without a byte of progress.
const RESUMPTIONS: u32 = 6;
/// A body that is silent for so long has broken.
const SILENCE: Duration = Duration::from_secs(20);

/// An open object.
pub(crate) struct Download {
    s3: Client,
    location: Location,
    body: ByteStream,
    /// As S3 writes it, with quotes
    etag: String,
    version_id: Option<String>,
    size: u64,
    last_modified: Option<Timestamp>,
}

impl Download {
    /// Opens the object if it is still the one that the event is about.
    pub(crate) async fn open(s3: &Client, object: &ObjectCreated) -> Result<Self, Unconverted> {
        let condition = object.etag.as_ref().map(|etag| format!("\"{etag}\""));
        let found = get(s3, &object.location, condition, None).await?;
        let version_id = found.version_id.clone().filter(|id| id != "null");
        if object.etag.is_none() && object.version_id.is_some() && object.version_id != version_id {
            return Err(Unconverted::Skipped(Skip::Replaced));
        }
        let size = found.content_length.and_then(|size| u64::try_from(size).ok());
        let etag = found.e_tag.clone().filter(|etag| !etag.is_empty());
        let (Some(size), Some(etag)) = (size, etag) else {
            let fault = "the answer has no Content-Length or no ETag".to_owned();
            return Err(Unconverted::Failed(Failure::Read(fault)));
        };
        let last_modified = found.last_modified.and_then(|time| {
            time.fmt(DateTimeFormat::DateTime).ok().and_then(|text| text.parse().ok())
        });
        Ok(Self {
            s3: s3.clone(),
            location: object.location.clone(),
            body: found.body,
            etag,
            version_id,
            size,
            last_modified,
        })
    }

    /// Without quotes.
    pub(crate) fn etag(&self) -> &str {
        self.etag.trim_matches('"')
    }

    pub(crate) fn version_id(&self) -> Option<&str> {
        self.version_id.as_deref()
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn last_modified(&self) -> Option<Timestamp> {
        self.last_modified
    }

    /// A reader for a thread, and what feeds it.
    pub(crate) fn split(self) -> (ObjectReader, Feed) {
        let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
        let reader = ObjectReader { receiver, chunk: Bytes::new(), ended: false };
        (reader, Feed { download: self, sender, position: 0 })
    }
}

/// Gets the object, or a range of it.
async fn get(
    s3: &Client,
    location: &Location,
    etag: Option<String>,
    range: Option<String>,
) -> Result<GetObjectOutput, Unconverted> {
    let get = s3.get_object().bucket(&location.bucket).key(&location.key);
    let fault = match get.set_if_match(etag).set_range(range).send().await {
        Ok(found) => return Ok(found),
        Err(fault) => fault,
    };
    let service = fault.as_service_error();
    let code = service.and_then(|service| service.meta().code()).unwrap_or_default();
    Err(match (status(&fault), code) {
        (Some(404), "NoSuchKey" | "NotFound" | "") => Unconverted::Skipped(Skip::Deleted),
        (Some(412), _) => Unconverted::Skipped(Skip::Replaced),
        (_, "InvalidObjectState") => Unconverted::Failed(Failure::Archived),
        _ => Unconverted::Failed(Failure::Read(in_words(&fault))),
    })
}

/// Feeds an [`ObjectReader`].
pub(crate) struct Feed {
    download: Download,
    sender: mpsc::Sender<Chunk>,
    position: u64,
}

/// How feeding ended.
#[derive(Debug)]
pub(crate) enum Fed {
    /// The reader has every byte
    All,
    /// The reader wants no more
    Unwanted,
    /// Time is over
    OutOfTime { position: u64, size: u64 },
    /// The rest cannot be had
    Broken(Unconverted),
}

enum Chunk {
    Bytes(Bytes),
    /// Without it the channel's end would pass for the object's
    End,
}

impl Feed {
    /// Hands on the object's bytes until its end, or until time is over.
    pub(crate) async fn run(mut self, deadline: &Deadline) -> Fed {
        let fed = deadline.limit(self.feed()).await;
        fed.unwrap_or(Fed::OutOfTime { position: self.position, size: self.download.size })
    }

    async fn feed(&mut self) -> Fed {
        let mut resumed = 0;
        loop {
            let fault = match tokio::time::timeout(SILENCE, self.download.body.next()).await {
                Ok(Some(Ok(bytes))) => {
                    resumed = 0;
                    self.position += bytes.len() as u64;
                    if self.sender.send(Chunk::Bytes(bytes)).await.is_err() {
                        return Fed::Unwanted;
                    }
                    continue;
                }
                Ok(None) if self.position == self.download.size => {
                    let ended = self.sender.send(Chunk::End).await;
                    return if ended.is_ok() { Fed::All } else { Fed::Unwanted };
                }
                Ok(None) => "the connection ended early".to_owned(),
                Ok(Some(Err(fault))) => fault.to_string(),
                Err(_) => format!("no byte for {} seconds", SILENCE.as_secs()),
            };
            let (position, size) = (self.position, self.download.size);
            let fault = format!("{fault} (at byte {position} of {size})");
            // All bytes came, but their checksum is not the object's: nothing is left to resume.
            if resumed == RESUMPTIONS || position >= size {
                return Fed::Broken(Unconverted::Failed(Failure::Read(fault)));
            }
            resumed += 1;
            tracing::warn!(object = %self.download.location, fault, "body broke; resuming");
            tokio::time::sleep(Duration::from_millis(100) * (1 << resumed)).await;
            let range = format!("bytes={position}-");
            let etag = Some(self.download.etag.clone());
            match get(&self.download.s3, &self.download.location, etag, Some(range)).await {
                Ok(found) => self.download.body = found.body,
                // Not even an answer: the next turn tries again.
                Err(Unconverted::Failed(Failure::Read(_))) => {
                    self.download.body = ByteStream::default();
                }
                Err(other) => return Fed::Broken(other),
            }
        }
    }
}

/// An object's bytes, for a thread that may block.
pub(crate) struct ObjectReader {
    receiver: mpsc::Receiver<Chunk>,
    chunk: Bytes,
    ended: bool,
}

impl Read for ObjectReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() && !self.ended {
            match self.receiver.blocking_recv() {
                Some(Chunk::Bytes(bytes)) => self.chunk = bytes,
                Some(Chunk::End) => self.ended = true,
                None => return Err(io::Error::other("the download ended early")),
            }
        }
        let count = buffer.len().min(self.chunk.len());
        self.chunk.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}
