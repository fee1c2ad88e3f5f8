//! An object's bytes, from S3 to a thread that reads them, in order or by range.
//!
//! The SDK does not go on with a body that breaks half way: it is resumed here by range, under
//! the same ETag, so that bytes of two versions never mix.

use std::io::{self, Read};
use std::ops::Range;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::{ByteStream, DateTime, DateTimeFormat};
use bytes::{Buf as _, Bytes, BytesMut};
use jiff::Timestamp;
use personalize_aws::{Deadline, Location, in_words, status};
use personalize_engine::Input;
use tokio::sync::{mpsc, oneshot};

use crate::envelope::ObjectCreated;
use crate::failure::{Failure, Skip, Unconverted};

/// Chunks that may wait for the reader; S3's are some 10 to 100 KiB long.
const CHUNKS_AHEAD: usize = 32;
/// How often a body is resumed without a byte of progress.
const RESUMPTIONS: u32 = 6;
/// A body that is silent for so long has broken.
const SILENCE: Duration = Duration::from_secs(20);

/// An object whose content is known to be the one that is wanted.
pub(crate) struct Download {
    s3: Client,
    location: Location,
    /// Its beginning, unless it will be read by range
    body: Option<ByteStream>,
    /// As S3 writes it, with quotes
    etag: String,
    version_id: Option<String>,
    size: u64,
    last_modified: Option<Timestamp>,
}

/// What S3 says of an object.
struct Found {
    body: Option<ByteStream>,
    etag: Option<String>,
    version_id: Option<String>,
    size: Option<i64>,
    last_modified: Option<DateTime>,
}

impl Download {
    /// Opens the object if it is still the one that the event is about; `by_range` says that its
    /// format is not read from the beginning.
    pub(crate) async fn open(
        s3: &Client,
        object: &ObjectCreated,
        by_range: bool,
    ) -> Result<Self, Unconverted> {
        let condition = object.etag.as_ref().map(|etag| format!("\"{etag}\""));
        let found = if by_range {
            head(s3, &object.location, condition).await?
        } else {
            let found = get(s3, &object.location, condition, None).await?;
            Found {
                body: Some(found.body),
                etag: found.e_tag,
                version_id: found.version_id,
                size: found.content_length,
                last_modified: found.last_modified,
            }
        };
        let version_id = found.version_id.filter(|id| id != "null");
        if object.etag.is_none() && object.version_id.is_some() && object.version_id != version_id {
            return Err(Unconverted::Skipped(Skip::Replaced));
        }
        let size = found.size.and_then(|size| u64::try_from(size).ok());
        let etag = found.etag.filter(|etag| !etag.is_empty());
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

    /// An input for a thread, and what feeds it.
    pub(crate) fn split(self) -> (ObjectInput, Feed) {
        let (requests, received) = mpsc::unbounded_channel();
        let input = ObjectInput { size: self.size, requests };
        (input, Feed { download: self, requests: received, position: 0 })
    }
}

async fn head(
    s3: &Client,
    location: &Location,
    etag: Option<String>,
) -> Result<Found, Unconverted> {
    let head = s3.head_object().bucket(&location.bucket).key(&location.key);
    let found = head.set_if_match(etag).send().await.map_err(|fault| refusal(&fault))?;
    Ok(Found {
        body: None,
        etag: found.e_tag,
        version_id: found.version_id,
        size: found.content_length,
        last_modified: found.last_modified,
    })
}

/// Gets the object, or a range of it.
async fn get(
    s3: &Client,
    location: &Location,
    etag: Option<String>,
    range: Option<String>,
) -> Result<GetObjectOutput, Unconverted> {
    let get = s3.get_object().bucket(&location.bucket).key(&location.key);
    get.set_if_match(etag).set_range(range).send().await.map_err(|fault| refusal(&fault))
}

/// What it means that S3 does not give an object.
fn refusal<E>(fault: &SdkError<E, HttpResponse>) -> Unconverted
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let service = fault.as_service_error();
    let code = service.and_then(|service| service.meta().code()).unwrap_or_default();
    match (status(fault), code) {
        (Some(404), "NoSuchKey" | "NotFound" | "") => Unconverted::Skipped(Skip::Deleted),
        (Some(412), _) => Unconverted::Skipped(Skip::Replaced),
        (_, "InvalidObjectState") => Unconverted::Failed(Failure::Archived),
        _ => Unconverted::Failed(Failure::Read(in_words(fault))),
    }
}

/// What a reading thread asks for.
enum Request {
    /// All bytes in order
    Stream(mpsc::Sender<Chunk>),
    Range {
        offset: u64,
        length: usize,
        answer: oneshot::Sender<Bytes>,
    },
}

/// Feeds an [`ObjectInput`].
pub(crate) struct Feed {
    download: Download,
    requests: mpsc::UnboundedReceiver<Request>,
    /// How many bytes came
    position: u64,
}

/// How feeding ended.
#[derive(Debug)]
pub(crate) enum Fed {
    /// The thread has all that it asked for
    All,
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
    /// Hands on what is asked for until nothing more is, or until time is over.
    pub(crate) async fn run(mut self, deadline: &Deadline) -> Fed {
        match deadline.limit(self.feed()).await {
            Some(Ok(())) => Fed::All,
            Some(Err(fault)) => Fed::Broken(fault),
            None => Fed::OutOfTime { position: self.position, size: self.download.size },
        }
    }

    async fn feed(&mut self) -> Result<(), Unconverted> {
        while let Some(request) = self.requests.recv().await {
            match request {
                Request::Stream(chunks) => self.stream(&chunks).await?,
                Request::Range { offset, length, answer } => {
                    let bytes = self.range(offset, length).await?;
                    // Whoever asked may have given up.
                    let _ = answer.send(bytes);
                }
            }
        }
        Ok(())
    }

    async fn stream(&mut self, chunks: &mpsc::Sender<Chunk>) -> Result<(), Unconverted> {
        let body = self.download.body.take();
        let mut body = Body::new(&self.download, 0..self.download.size, body);
        while let Some(bytes) = body.next().await? {
            self.position += bytes.len() as u64;
            if chunks.send(Chunk::Bytes(bytes)).await.is_err() {
                return Ok(());
            }
        }
        // The reader may have all that it wants.
        let _ = chunks.send(Chunk::End).await;
        Ok(())
    }

    async fn range(&mut self, offset: u64, length: usize) -> Result<Bytes, Unconverted> {
        let end = offset.saturating_add(length as u64).min(self.download.size);
        let mut body = Body::new(&self.download, offset..end, None);
        let mut bytes = BytesMut::with_capacity(length);
        while let Some(chunk) = body.next().await? {
            self.position += chunk.len() as u64;
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes.freeze())
    }
}

/// A range of an object, resumed where its body breaks.
struct Body<'a> {
    download: &'a Download,
    /// What is still to come
    range: Range<u64>,
    body: Option<ByteStream>,
    /// How often without a byte of progress
    resumed: u32,
}

impl<'a> Body<'a> {
    fn new(download: &'a Download, range: Range<u64>, body: Option<ByteStream>) -> Self {
        Self { download, range, body, resumed: 0 }
    }

    /// The next bytes; none at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, Unconverted> {
        loop {
            let Some(body) = &mut self.body else {
                if self.range.is_empty() {
                    return Ok(None);
                }
                self.open().await?;
                continue;
            };
            let fault = match tokio::time::timeout(SILENCE, body.next()).await {
                Ok(Some(Ok(bytes))) => {
                    self.resumed = 0;
                    self.range.start += bytes.len() as u64;
                    return Ok(Some(bytes));
                }
                Ok(None) if self.range.is_empty() => return Ok(None),
                Ok(None) => "the connection ended early".to_owned(),
                Ok(Some(Err(fault))) => fault.to_string(),
                Err(_) => format!("no byte for {} seconds", SILENCE.as_secs()),
            };
            self.break_off(&fault).await?;
        }
    }

    async fn open(&mut self) -> Result<(), Unconverted> {
        let Download { s3, location, etag, .. } = self.download;
        let range = format!("bytes={}-{}", self.range.start, self.range.end - 1);
        match get(s3, location, Some(etag.clone()), Some(range)).await {
            Ok(found) => {
                self.body = Some(found.body);
                Ok(())
            }
            // Not even an answer: another try may get one.
            Err(Unconverted::Failed(Failure::Read(fault))) => self.break_off(&fault).await,
            Err(other) => Err(other),
        }
    }

    /// Waits before the next try, unless there were enough.
    async fn break_off(&mut self, fault: &str) -> Result<(), Unconverted> {
        let (position, size) = (self.range.start, self.download.size);
        let fault = format!("{fault} (at byte {position} of {size})");
        // All bytes came, but their checksum is not the object's: nothing is left to resume.
        if self.resumed == RESUMPTIONS || self.range.is_empty() {
            return Err(Unconverted::Failed(Failure::Read(fault)));
        }
        self.body = None;
        self.resumed += 1;
        tracing::warn!(object = %self.download.location, fault, "body broke; resuming");
        tokio::time::sleep(Duration::from_millis(100) * (1 << self.resumed)).await;
        Ok(())
    }
}

/// An object's bytes, for a thread that may block.
pub(crate) struct ObjectInput {
    size: u64,
    requests: mpsc::UnboundedSender<Request>,
}

fn ended_early() -> io::Error {
    io::Error::other("the download ended early")
}

impl Input for ObjectInput {
    fn size(&self) -> u64 {
        self.size
    }

    fn stream(&self) -> io::Result<Box<dyn Read + Send>> {
        let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
        self.requests.send(Request::Stream(sender)).map_err(|_| ended_early())?;
        Ok(Box::new(ObjectReader { receiver, chunk: Bytes::new(), ended: false }))
    }

    fn read_range(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let (answer, received) = oneshot::channel();
        let request = Request::Range { offset, length, answer };
        self.requests.send(request).map_err(|_| ended_early())?;
        let bytes = received.blocking_recv().map_err(|_| ended_early())?;
        if bytes.len() == length { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

/// An object's bytes in order.
struct ObjectReader {
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
                None => return Err(ended_early()),
            }
        }
        let count = buffer.len().min(self.chunk.len());
        self.chunk.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}
