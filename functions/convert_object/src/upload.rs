//! Rows and rejects, from a thread that writes them to S3.
//!
//! Nothing appears in the bucket before [`Upload::publish`]: small results are put whole then, large
//! ones go up in parts of a multipart upload, which is completed then or aborted.

use std::io::{self, Write};
use std::pin::pin;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use personalize_aws::{Deadline, Location, in_words};
use tokio::sync::mpsc;

use crate::failure::Failure;

/// S3 takes 10,000 parts of at least 5 MiB (user guide, "Amazon S3 multipart upload limits").
const PART: usize = 8 << 20;
/// What is written at once is shorter: a part never has to grow.
const ROOM: usize = 1 << 20;
/// Parts that go up at the same time: a connection to S3 may take less than the engine makes. With
/// one that waits and one that is written, an upload takes 32 MiB of memory.
const PARTS_AT_ONCE: usize = 2;
/// What is said of a request that was given up.
pub(crate) const OUT_OF_TIME: &str = "the invocation's time was over";

/// Takes what a thread writes, and sends it on in parts.
pub(crate) struct PartWriter {
    /// What comes before the first byte, if there is one
    header: Option<Vec<u8>>,
    buffer: Vec<u8>,
    sender: mpsc::Sender<Part>,
}

enum Part {
    Full(Vec<u8>),
    Last(Vec<u8>),
}

fn uploader_gone() -> io::Error {
    io::Error::other("the upload ended early")
}

impl PartWriter {
    /// Sends the rest; without it the upload is not complete.
    pub(crate) fn finish(self) -> io::Result<()> {
        self.sender.blocking_send(Part::Last(self.buffer)).map_err(|_| uploader_gone())
    }
}

impl Write for PartWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        if let Some(header) = self.header.take() {
            self.buffer = header;
        }
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PART {
            let next = Vec::with_capacity(PART + ROOM);
            let part = std::mem::replace(&mut self.buffer, next);
            self.sender.blocking_send(Part::Full(part)).map_err(|_| uploader_gone())?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An object that is being written.
pub(crate) struct Upload {
    s3: Client,
    location: Location,
    content_type: &'static str,
    receiver: Option<mpsc::Receiver<Part>>,
    multipart: Option<Multipart>,
    last: Option<Bytes>,
}

struct Multipart {
    id: String,
    parts: Vec<CompletedPart>,
}

impl Upload {
    /// An upload, and the writer for it. `header` is written before the first byte.
    pub(crate) fn new(
        s3: &Client,
        location: Location,
        content_type: &'static str,
        header: Option<String>,
    ) -> (PartWriter, Self) {
        let (sender, receiver) = mpsc::channel(1);
        let header = header.map(String::into_bytes);
        let upload = Self {
            s3: s3.clone(),
            location,
            content_type,
            receiver: Some(receiver),
            multipart: None,
            last: None,
        };
        (PartWriter { header, buffer: Vec::new(), sender }, upload)
    }

    /// Whether anything was written.
    pub(crate) fn holds_anything(&self) -> bool {
        self.multipart.is_some() || self.last.as_ref().is_some_and(|last| !last.is_empty())
    }

    /// Takes parts until the writer ends.
    pub(crate) async fn receive(&mut self, deadline: &Deadline) -> Result<(), Failure> {
        let Some(mut receiver) = self.receiver.take() else { return Ok(()) };
        let mut last = None;
        let full = stream::poll_fn(|context| {
            receiver.poll_recv(context).map(|part| match part? {
                Part::Full(bytes) => Some(Bytes::from(bytes)),
                Part::Last(bytes) => {
                    last = Some(Bytes::from(bytes));
                    None
                }
            })
        });
        let mut full = pin!(full.peekable());
        if full.as_mut().peek().await.is_some() {
            let id = self.begin().await?;
            self.multipart = Some(Multipart { id: id.clone(), parts: Vec::new() });
            let this = &*self;
            let uploads = full.zip(stream::iter(1..)).map(async |(bytes, number)| {
                let upload = this.upload_part(&id, number, bytes);
                let part = deadline.limit(upload).await;
                part.unwrap_or_else(|| Err(this.fault(OUT_OF_TIME.to_owned())))
            });
            let parts = uploads.buffered(PARTS_AT_ONCE).try_collect().await?;
            self.multipart = Some(Multipart { id, parts });
        }
        self.last = last;
        Ok(())
    }

    /// Makes the object appear, if anything was written.
    pub(crate) async fn publish(&mut self, deadline: &Deadline) -> Result<(), Failure> {
        match deadline.limit(self.publish_in_full()).await {
            Some(done) => done,
            None => Err(self.fault(OUT_OF_TIME.to_owned())),
        }
    }

    async fn publish_in_full(&mut self) -> Result<(), Failure> {
        let Some(last) = self.last.clone() else {
            return Err(self.fault("the writer did not come to its end".to_owned()));
        };
        let Some(multipart) = &self.multipart else {
            if last.is_empty() {
                return Ok(());
            }
            let put = self.s3.put_object().bucket(&self.location.bucket).key(&self.location.key);
            let put = put.content_type(self.content_type).body(ByteStream::from(last));
            return put.send().await.map(|_| ()).map_err(|fault| self.fault(in_words(&fault)));
        };
        let mut parts = multipart.parts.clone();
        if !last.is_empty() {
            let number = i32::try_from(parts.len() + 1).unwrap_or(i32::MAX);
            parts.push(self.upload_part(&multipart.id, number, last).await?);
        }
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let complete = self.s3.complete_multipart_upload().bucket(&self.location.bucket);
        let complete = complete.key(&self.location.key).upload_id(&multipart.id);
        let completed = complete.multipart_upload(parts).send().await;
        completed.map_err(|fault| self.fault(in_words(&fault)))?;
        self.multipart = None;
        Ok(())
    }

    /// Removes what went up already. What cannot be removed is logged; the next try removes it.
    pub(crate) async fn abort(&mut self) {
        if let Some(Multipart { id, .. }) = self.multipart.take() {
            abort_multipart(&self.s3, &self.location, &id).await;
        }
    }

    /// Begins a multipart upload and gives its id.
    async fn begin(&self) -> Result<String, Failure> {
        abort_abandoned(&self.s3, &self.location).await?;
        let create = self.s3.create_multipart_upload().bucket(&self.location.bucket);
        let create = create.key(&self.location.key).content_type(self.content_type);
        let created = create.send().await.map_err(|fault| self.fault(in_words(&fault)))?;
        created.upload_id.ok_or_else(|| self.fault("no upload id".to_owned()))
    }

    async fn upload_part(
        &self,
        id: &str,
        number: i32,
        bytes: Bytes,
    ) -> Result<CompletedPart, Failure> {
        let upload = self.s3.upload_part().bucket(&self.location.bucket).key(&self.location.key);
        let upload = upload.upload_id(id).part_number(number).body(ByteStream::from(bytes));
        let done = upload.send().await.map_err(|fault| self.fault(in_words(&fault)))?;
        Ok(CompletedPart::builder()
            .part_number(number)
            .set_e_tag(done.e_tag)
            .set_checksum_crc32(done.checksum_crc32)
            .build())
    }

    fn fault(&self, fault: String) -> Failure {
        Failure::Write { location: self.location.clone(), fault }
    }
}

/// Removes parts of an object that an invocation that was killed left behind.
pub(crate) async fn abort_abandoned(s3: &Client, location: &Location) -> Result<(), Failure> {
    let list = s3.list_multipart_uploads().bucket(&location.bucket).prefix(&location.key);
    let found = list
        .send()
        .await
        .map_err(|fault| Failure::Write { location: location.clone(), fault: in_words(&fault) })?;
    let same_key = found.uploads().iter().filter(|u| u.key() == Some(location.key.as_str()));
    for id in same_key.filter_map(|upload| upload.upload_id()) {
        tracing::warn!(object = %location, "removing an abandoned partial upload");
        abort_multipart(s3, location, id).await;
    }
    Ok(())
}

async fn abort_multipart(s3: &Client, location: &Location, id: &str) {
    let abort = s3.abort_multipart_upload().bucket(&location.bucket);
    if let Err(fault) = abort.key(&location.key).upload_id(id).send().await {
        let fault = in_words(&fault);
        tracing::warn!(object = %location, fault, "a partial upload was left behind");
    }
}
