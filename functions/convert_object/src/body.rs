//! A range of an object, resumed where its body breaks.
//!
//! The SDK does not go on with a body that breaks half way: it is resumed here by range, under
//! the same ETag, so that bytes of two versions never mix.

use std::ops::Range;
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;

use crate::download::Download;
use crate::failure::{Failure, Unconverted};

/// How often a body is resumed without a byte of progress.
const RESUMPTIONS: u32 = 6;
/// A body that is silent for so long has broken.
const SILENCE: Duration = Duration::from_secs(20);

/// A range's bytes.
pub(crate) struct Body<'a> {
    download: &'a Download,
    /// What is still to come
    range: Range<u64>,
    body: Option<ByteStream>,
    /// Whether the body goes on behind the range
    is_cut: bool,
    /// How often without a byte of progress
    resumed: u32,
}

impl<'a> Body<'a> {
    /// The range of a body that begins where the range does, and goes on to the object's end; or
    /// of bodies that have to be asked for.
    pub(crate) fn new(download: &'a Download, range: Range<u64>, body: Option<ByteStream>) -> Self {
        let is_cut = body.is_some() && range.end < download.size();
        Self { download, range, body, is_cut, resumed: 0 }
    }

    /// The next bytes; none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Unconverted> {
        loop {
            if self.range.is_empty() && self.is_cut {
                self.body = None;
            }
            let Some(body) = &mut self.body else {
                if self.range.is_empty() {
                    return Ok(None);
                }
                self.open().await?;
                continue;
            };
            let fault = match tokio::time::timeout(SILENCE, body.next()).await {
                Ok(Some(Ok(mut bytes))) => {
                    let wanted = self.range.end - self.range.start;
                    bytes.truncate(usize::try_from(wanted).unwrap_or(usize::MAX));
                    self.resumed = 0;
                    self.range.start += bytes.len() as u64;
                    return Ok(Some(bytes));
                }
                // Its end is waited for: that is where the SDK compares the checksum.
                Ok(None) if self.range.is_empty() => return Ok(None),
                Ok(None) => "the connection ended early".to_owned(),
                Ok(Some(Err(fault))) => fault.to_string(),
                Err(_) => format!("no byte for {} seconds", SILENCE.as_secs()),
            };
            self.break_off(&fault).await?;
        }
    }

    async fn open(&mut self) -> Result<(), Unconverted> {
        match self.download.range(&self.range).await {
            Ok(body) => {
                self.body = Some(body);
                self.is_cut = false;
                Ok(())
            }
            // Not even an answer: another try may get one.
            Err(Unconverted::Failed(Failure::Read(fault))) => self.break_off(&fault).await,
            Err(other) => Err(other),
        }
    }

    /// Waits before the next try, unless there were enough.
    async fn break_off(&mut self, fault: &str) -> Result<(), Unconverted> {
        let (position, size) = (self.range.start, self.download.size());
        let fault = format!("{fault} (at byte {position} of {size})");
        // All bytes came, but their checksum is not the object's: nothing is left to resume.
        if self.resumed == RESUMPTIONS || self.range.is_empty() {
            return Err(Unconverted::Failed(Failure::Read(fault)));
        }
        self.body = None;
        self.resumed += 1;
        tracing::warn!(object = %self.download.location(), fault, "body broke; resuming");
        tokio::time::sleep(Duration::from_millis(100) * (1 << self.resumed)).await;
        Ok(())
    }
}
