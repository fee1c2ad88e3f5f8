//! An object's bytes, from S3 to a thread that reads them, in order or by range.
//!
//! One connection to S3 gives some 85 MB a second, a fraction of what a processor converts: a
//! large object is read in pieces by several GETs at the same time.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_s3::primitives::ByteStream;
use bytes::{Buf as _, Bytes, BytesMut};
use futures_util::{TryStreamExt as _, stream};
use personalize_aws::Deadline;
use personalize_engine::Input;
use tokio::sync::{mpsc, oneshot};

use crate::body::Body;
use crate::checksum::{Check, Expected};
use crate::download::Download;
use crate::failure::Unconverted;
use crate::ranges::Ranges;

/// What one GET asks for. It takes a connection some 100 ms, several times what S3 takes to answer.
const PIECE: u64 = 8 << 20;
/// Up to here a GET more, and a connection more, would take longer than it saves.
const LARGEST_WHOLE: u64 = 2 * PIECE;
/// Pieces that are under way or wait for the reader: 32 MiB of memory.
const PIECES_AT_ONCE: usize = 4;

/// An input for a thread, and what feeds it.
pub(crate) fn input(download: Download) -> (ObjectInput, Feed) {
    let (requests, received) = mpsc::unbounded_channel();
    let size = download.size();
    let checksum = download.checksum().filter(|_| size > LARGEST_WHOLE).cloned();
    let input = ObjectInput { size, checksum, requests };
    let object = Object { download, position: AtomicU64::new(0) };
    (input, Feed { object, requests: received })
}

/// What a reading thread asks for.
enum Request {
    /// All bytes in order
    Stream(mpsc::UnboundedSender<Part>),
    Range(Range<u64>, oneshot::Sender<Bytes>),
    /// Nothing yet, but a range soon
    Announcement(Range<u64>),
}

/// What an object's reader gets, in order.
enum Part {
    Piece(mpsc::UnboundedReceiver<Chunk>),
    /// Without it the channel's end would pass for the object's
    End,
}

/// What a piece's reader gets.
enum Chunk {
    Bytes(Bytes),
    /// Without it the channel's end would pass for the piece's
    End,
}

/// Feeds an [`ObjectInput`].
pub(crate) struct Feed {
    object: Object,
    requests: mpsc::UnboundedReceiver<Request>,
}

/// An object that is downloaded.
struct Object {
    download: Download,
    /// How many bytes came
    position: AtomicU64,
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

impl Feed {
    /// Hands on what is asked for until nothing more is, or until time is over.
    pub(crate) async fn run(mut self, deadline: &Deadline) -> Fed {
        match deadline.limit(self.feed()).await {
            Some(Ok(())) => Fed::All,
            Some(Err(fault)) => Fed::Broken(fault),
            None => {
                let Object { download, position } = &self.object;
                let position = position.load(Ordering::Relaxed);
                Fed::OutOfTime { position, size: download.size() }
            }
        }
    }

    async fn feed(&mut self) -> Result<(), Unconverted> {
        let mut body = self.object.download.take_body();
        let object = &self.object;
        let mut ranges = Ranges::new(|range| object.range(range));
        loop {
            tokio::select! {
                request = self.requests.recv() => match request {
                    None => return Ok(()),
                    Some(Request::Stream(parts)) => object.stream(body.take(), parts).await?,
                    Some(Request::Range(range, answer)) => ranges.ask(range, answer),
                    Some(Request::Announcement(range)) => ranges.announce(range),
                },
                got = ranges.advance() => got?,
            }
        }
    }
}

impl Object {
    /// Hands on all bytes in order; `body` is the one that came when the object was opened.
    async fn stream(
        &self,
        mut body: Option<ByteStream>,
        parts: mpsc::UnboundedSender<Part>,
    ) -> Result<(), Unconverted> {
        let pieces = stream::iter(pieces(self.download.size()).map(Ok));
        let fetched = pieces.try_for_each_concurrent(PIECES_AT_ONCE, |range| {
            let (chunks, received) = mpsc::unbounded_channel();
            // In order, since here they begin one after another.
            let _ = parts.send(Part::Piece(received));
            self.piece(Body::new(&self.download, range, body.take()), chunks)
        });
        tokio::select! {
            fetched = fetched => fetched?,
            // The reader has all that it wants.
            () = parts.closed() => return Ok(()),
        }
        let _ = parts.send(Part::End);
        Ok(())
    }

    /// Gets a piece, and stays until the reader has taken it: so long it takes memory.
    async fn piece(
        &self,
        mut body: Body<'_>,
        chunks: mpsc::UnboundedSender<Chunk>,
    ) -> Result<(), Unconverted> {
        while let Some(bytes) = body.next().await? {
            self.position.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            let _ = chunks.send(Chunk::Bytes(bytes));
        }
        // The connection is for the next piece.
        drop(body);
        let _ = chunks.send(Chunk::End);
        chunks.closed().await;
        Ok(())
    }

    async fn range(&self, range: Range<u64>) -> Result<(Range<u64>, Bytes), Unconverted> {
        let mut body = Body::new(&self.download, range.clone(), None);
        let mut bytes = BytesMut::with_capacity((range.end - range.start) as usize);
        while let Some(chunk) = body.next().await? {
            self.position.fetch_add(chunk.len() as u64, Ordering::Relaxed);
            bytes.extend_from_slice(&chunk);
        }
        Ok((range, bytes.freeze()))
    }
}

/// The ranges that are asked for one by one.
fn pieces(size: u64) -> impl Iterator<Item = Range<u64>> {
    let piece = if size > LARGEST_WHOLE { PIECE } else { LARGEST_WHOLE };
    (0..size.div_ceil(piece)).map(move |n| n * piece..size.min((n + 1) * piece))
}

/// An object's bytes, for a thread that may block.
pub(crate) struct ObjectInput {
    size: u64,
    /// Compared here where the SDK does not
    checksum: Option<Expected>,
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
        let (sender, parts) = mpsc::unbounded_channel();
        self.requests.send(Request::Stream(sender)).map_err(|_| ended_early())?;
        let check = self.checksum.clone().map(Expected::check);
        Ok(Box::new(ObjectReader { parts, piece: None, chunk: Bytes::new(), check, ended: false }))
    }

    fn read_range(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let (answer, received) = oneshot::channel();
        let request = Request::Range(self.range(offset, length), answer);
        self.requests.send(request).map_err(|_| ended_early())?;
        let bytes = received.blocking_recv().map_err(|_| ended_early())?;
        if bytes.len() == length { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    fn will_read(&self, offset: u64, length: usize) {
        // If nobody is there any more, reading says so.
        let _ = self.requests.send(Request::Announcement(self.range(offset, length)));
    }
}

impl ObjectInput {
    /// What there is of a range.
    fn range(&self, offset: u64, length: usize) -> Range<u64> {
        offset.min(self.size)..offset.saturating_add(length as u64).min(self.size)
    }
}

/// An object's bytes in order.
struct ObjectReader {
    parts: mpsc::UnboundedReceiver<Part>,
    piece: Option<mpsc::UnboundedReceiver<Chunk>>,
    chunk: Bytes,
    check: Option<Check>,
    ended: bool,
}

impl ObjectReader {
    /// Takes the next chunk, piece or end.
    fn advance(&mut self) -> io::Result<()> {
        match &mut self.piece {
            None => match self.parts.blocking_recv() {
                Some(Part::Piece(piece)) => self.piece = Some(piece),
                Some(Part::End) => {
                    self.check.take().map_or(Ok(()), Check::finish)?;
                    self.ended = true;
                }
                None => return Err(ended_early()),
            },
            // Time is over, or a later piece cannot be had: what did come is of no use.
            Some(_) if self.parts.is_closed() => return Err(ended_early()),
            Some(piece) => match piece.blocking_recv() {
                Some(Chunk::Bytes(bytes)) => {
                    if let Some(check) = &mut self.check {
                        check.update(&bytes);
                    }
                    self.chunk = bytes;
                }
                Some(Chunk::End) => self.piece = None,
                None => return Err(ended_early()),
            },
        }
        Ok(())
    }
}

impl Read for ObjectReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() && !self.ended {
            self.advance()?;
        }
        let count = buffer.len().min(self.chunk.len());
        self.chunk.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_follow_each_other_and_small_objects_are_one() {
        assert_eq!(pieces(0).count(), 0);
        for size in [1, PIECE, LARGEST_WHOLE] {
            let mut all = pieces(size);
            assert_eq!((all.next(), all.next()), (Some(0..size), None));
        }
        for size in [LARGEST_WHOLE + 1, 3 * PIECE, 10 * PIECE - 1] {
            let mut at = 0;
            for range in pieces(size) {
                assert_eq!(range.start, at);
                assert!(!range.is_empty() && range.end - range.start <= PIECE);
                at = range.end;
            }
            assert_eq!(at, size);
        }
    }
}
