//! Formats that are text: a window moves over the bytes, a framer finds each record in it.

use std::io::{self, Read, Write};
use std::ops::Range;

use personalize_plan::CsvFormat;

use crate::compression::Compression;
use crate::content;
use crate::convert::Outcome;
use crate::csv::{Header, Rows};
use crate::error::ConvertError;
use crate::fault::RecordFault;
use crate::frame::Frame;
use crate::json;
use crate::rejects::{Content, Position};
use crate::run::Run;
use crate::window::{Place, Window};

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Finds records that are no JSON and says what they would be in JSON.
pub(crate) trait ObjectFramer {
    /// The next record in `bytes` from `at` on. Its JSON object, valid and in UTF-8, takes the
    /// place of what is in `object`. `last` says that nothing follows `bytes`.
    fn next(&mut self, bytes: &[u8], at: usize, last: bool, object: &mut String) -> Frame;

    /// Gives up the record that begins at `start`, which is longer than a window; none if the file
    /// cannot be read on from there.
    fn give_up(&mut self, bytes: &[u8], start: usize) -> Option<Frame>;
}

/// Hands on records as JSON objects, with how far the file was read for each, until that is no more
/// wanted; broken ones are handed on as nothing. True at the file's end.
pub(crate) fn objects(
    window: &mut Window<impl Read>,
    mut framer: impl ObjectFramer,
    mut take: impl FnMut(Option<&str>, u64) -> bool,
) -> io::Result<bool> {
    let mut object = String::new();
    let mut at = 0;
    loop {
        let offset = window.offset();
        let (end, found) = match framer.next(window.bytes(), at, window.is_last(), &mut object) {
            Frame::Record(range) => (range.end, Some(object.as_str())),
            Frame::Fault(range, _) => (range.end, None),
            Frame::More(_) if window.is_full() => return Ok(false),
            Frame::More(from) => {
                at = 0;
                window.consume(from);
                window.read()?;
                continue;
            }
            Frame::Done => return Ok(true),
        };
        at = end;
        if !take(found, offset + at as u64) {
            return Ok(false);
        }
    }
}

/// A text file, or an archive's entry, on its way.
pub(crate) struct Text<'r, 'a, R, W, J> {
    run: &'r mut Run<'a, W, J>,
    window: Window<R>,
    compression: Compression,
}

impl<'r, 'a, R: Read, W: Write, J: Write> Text<'r, 'a, R, W, J> {
    /// Reads enough to tell text from other content, and passes over a byte order mark.
    pub(crate) fn open(
        run: &'r mut Run<'a, W, J>,
        reader: R,
        compression: Compression,
        expected: &'static str,
    ) -> Result<Self, ConvertError> {
        let mut text = Self { run, window: Window::new(reader), compression };
        while text.window.bytes().len() < content::HEAD && !text.window.is_last() {
            text.read()?;
        }
        let bytes = text.window.bytes();
        let head = &bytes[..bytes.len().min(content::HEAD)];
        if let Some(found) = content::not_text(head) {
            return Err(ConvertError::OtherFormat { found, expected });
        }
        if head.starts_with(BYTE_ORDER_MARK) {
            text.window.consume(BYTE_ORDER_MARK.len());
        }
        Ok(text)
    }

    pub(crate) fn json(mut self) -> Result<(), ConvertError> {
        let mut framer = json::Framer::default();
        let mut walker = json::Walker::new(self.run.mapping.projection.clone());
        // How far into the window's bytes the records are done.
        let mut at = 0;
        loop {
            let bytes = self.window.bytes();
            match framer.next(&mut walker, bytes, at, self.window.is_last()) {
                Frame::Record(range) => {
                    let outcome = match simdutf8::basic::from_utf8(&bytes[range.clone()]) {
                        Ok(text) => self.run.convert(&walker.record(text)),
                        Err(_) => Outcome::Rejected(RecordFault::NotUtf8),
                    };
                    at = self.count(outcome, range)?;
                }
                Frame::Fault(range, fault) => at = self.reject(fault, range)?,
                Frame::More(from) => {
                    at = 0;
                    if self.more(from)? {
                        continue;
                    }
                    match framer.give_up(self.window.bytes(), 0) {
                        Some(Frame::Fault(range, fault)) => at = self.reject(fault, range)?,
                        _ => return Err(self.record_too_long()),
                    }
                }
                Frame::Done => return Ok(()),
            }
        }
    }

    pub(crate) fn csv(
        mut self,
        format: &CsvFormat,
        columns: &[(String, bool)],
    ) -> Result<(), ConvertError> {
        self.skip_lines(format.skipped_lines)?;
        let mut rows = Rows::new(format.delimiter as u8, format.quote as u8);
        let mut header = Header::new(format, columns);
        let mut at = 0;
        loop {
            let bytes = self.window.bytes();
            let frame = match rows.next(bytes, at, self.window.is_last()) {
                Frame::More(from) if from == 0 && self.window.is_full() => Rows::give_up(bytes, 0),
                frame => frame,
            };
            match frame {
                Frame::Record(range) => {
                    let text = simdutf8::basic::from_utf8(&bytes[range.clone()]);
                    let Some(layout) = header.layout() else {
                        let text =
                            text.map_err(|_| ConvertError::Header("it is not UTF-8".into()))?;
                        if header.read(&rows, text)? {
                            at = range.end;
                        }
                        continue;
                    };
                    let outcome = match text {
                        Err(_) => Outcome::Rejected(RecordFault::NotUtf8),
                        Ok(text) => match layout.row(&rows, text) {
                            Ok(row) => self.run.convert(&row),
                            Err(fault) => Outcome::Rejected(fault),
                        },
                    };
                    at = self.count(outcome, range)?;
                }
                Frame::Fault(_, fault) if header.layout().is_none() && format.header => {
                    return Err(ConvertError::Header(fault.message(&self.run.mapping.field_names)));
                }
                Frame::Fault(range, fault) => at = self.reject(fault, range)?,
                Frame::More(from) => {
                    at = 0;
                    self.window.consume(from);
                    self.read()?;
                }
                Frame::Done => return Ok(()),
            }
        }
    }

    pub(crate) fn objects(mut self, mut framer: impl ObjectFramer) -> Result<(), ConvertError> {
        let mut walker = json::Walker::new(self.run.mapping.projection.clone());
        let mut object = String::new();
        let mut at = 0;
        loop {
            let bytes = self.window.bytes();
            match framer.next(bytes, at, self.window.is_last(), &mut object) {
                Frame::Record(range) => {
                    let outcome = match walker.walk(object.as_bytes(), 0) {
                        Ok(_) => self.run.convert(&walker.record(&object)),
                        Err(fault) => Outcome::Rejected(fault.into()),
                    };
                    at = self.count(outcome, range)?;
                }
                Frame::Fault(range, fault) => at = self.reject(fault, range)?,
                Frame::More(from) => {
                    at = 0;
                    if self.more(from)? {
                        continue;
                    }
                    match framer.give_up(self.window.bytes(), 0) {
                        Some(Frame::Fault(range, fault)) => at = self.reject(fault, range)?,
                        _ => return Err(self.record_too_long()),
                    }
                }
                Frame::Done => return Ok(()),
            }
        }
    }

    /// Passes over lines at the file's beginning.
    fn skip_lines(&mut self, count: u64) -> Result<(), ConvertError> {
        for _ in 0..count {
            loop {
                let line = memchr::memchr(b'\n', self.window.bytes());
                if let Some(end) = line {
                    self.window.consume(end + 1);
                    break;
                }
                if self.window.is_last() {
                    self.window.consume(self.window.bytes().len());
                    return Ok(());
                }
                if !self.more(0)? {
                    return Err(self.record_too_long());
                }
            }
        }
        Ok(())
    }

    /// Counts the record, writes it to the rejects if it is one, and gives the place behind it.
    fn count(&mut self, outcome: Outcome, range: Range<usize>) -> Result<usize, ConvertError> {
        match self.run.count(outcome)? {
            Some(fault) => self.reject(fault, range),
            None => Ok(range.end),
        }
    }

    fn reject(&mut self, fault: RecordFault, range: Range<usize>) -> Result<usize, ConvertError> {
        let position = Position::Text(self.window.place(range.start));
        let content = Content::of(&self.window.bytes()[range.clone()]);
        self.run.reject(fault, position, content)?;
        Ok(range.end)
    }

    /// Moves the window on to `from` and reads more; false if one record fills all of it.
    fn more(&mut self, from: usize) -> Result<bool, ConvertError> {
        self.window.consume(from);
        if self.window.is_full() {
            return Ok(false);
        }
        self.read()?;
        Ok(true)
    }

    fn read(&mut self) -> Result<(), ConvertError> {
        match self.window.read() {
            Ok(count) => {
                self.run.counts.bytes_decoded += count as u64;
                Ok(())
            }
            Err(fault) => {
                let decoded = self.window.offset() + self.window.bytes().len() as u64;
                Err(decoding_error(&fault, self.compression, decoded))
            }
        }
    }

    fn record_too_long(&mut self) -> ConvertError {
        let Place { offset, line } = self.window.place(0);
        ConvertError::RecordTooLong { offset, line }
    }
}

/// What a decoder's error says of a file's content.
pub(crate) fn decoding_error(
    fault: &io::Error,
    compression: Compression,
    decoded: u64,
) -> ConvertError {
    let inner = fault.get_ref();
    if let Some(limit) = inner.and_then(|inner| inner.downcast_ref()) {
        return ConvertError::Limit(*limit);
    }
    if let Some(archive) = inner.and_then(|inner| inner.downcast_ref()) {
        return ConvertError::Archive(*archive);
    }
    match fault.kind() {
        io::ErrorKind::UnexpectedEof => ConvertError::Truncated { compression, decoded },
        _ => ConvertError::Corrupt { compression, decoded, fault: fault.to_string() },
    }
}
