//! Formats that are text: a window moves over the bytes, a framer finds each record in it.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::ops::Range;

use crate::compression::Compression;
use crate::content;
use crate::convert::Outcome;
use crate::error::ConvertError;
use crate::fault::RecordFault;
use crate::frame::Frame;
use crate::json;
use crate::projection::Projection;
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

/// The records of a text file, whatever its format.
pub(crate) trait Records {
    /// What comes next in the excerpt from `at` on; a record is decoded.
    fn next(&mut self, excerpt: &Excerpt<'_>, at: usize) -> Frame;

    /// Converts the record that came last; none if it was no record but a header.
    fn convert_last<W: Write, J: Write>(
        &mut self,
        run: &mut Run<'_, W, J>,
        excerpt: &Excerpt<'_>,
        range: Range<usize>,
    ) -> Result<Option<Outcome>, ConvertError>;

    /// Converts records from `at` on, as long as they are of the kind that this is faster for, and
    /// gives the place behind them.
    #[inline(always)]
    fn convert_plain<W: Write, J: Write>(
        &mut self,
        _: &mut Run<'_, W, J>,
        _: &Excerpt<'_>,
        at: usize,
    ) -> Result<usize, ConvertError> {
        Ok(at)
    }

    /// Gives up the record that the excerpt begins with, and which is longer than a window; none if
    /// the file cannot be read on from there.
    fn give_up(&mut self, excerpt: &Excerpt<'_>) -> Option<(Range<usize>, RecordFault)>;

    /// Fails the file, if it cannot be read without what is broken here.
    fn check_fault(&self, _: &RecordFault, _field_names: &[String]) -> Result<(), ConvertError> {
        Ok(())
    }

    /// Converts all that the excerpt holds. Gives the place from which on more bytes are needed;
    /// none at the file's end.
    fn convert<W: Write, J: Write>(
        &mut self,
        run: &mut Run<'_, W, J>,
        excerpt: &Excerpt<'_>,
    ) -> Result<Option<usize>, ConvertError> {
        let mut at = 0;
        loop {
            at = self.convert_plain(run, excerpt, at)?;
            let (range, fault) = match self.next(excerpt, at) {
                Frame::Record(range) => {
                    at = range.end;
                    let Some(outcome) = self.convert_last(run, excerpt, range.clone())? else {
                        continue;
                    };
                    match run.count(outcome)? {
                        Some(fault) => (range, fault),
                        None => continue,
                    }
                }
                Frame::Fault(range, fault) => (range, fault),
                Frame::More(from) => return Ok(Some(from)),
                Frame::Done => return Ok(None),
            };
            at = range.end;
            self.check_fault(&fault, &run.mapping.field_names)?;
            excerpt.reject(run, range, fault)?;
        }
    }
}

/// Part of a file's text, from the beginning of a record on.
pub(crate) struct Excerpt<'a> {
    pub(crate) bytes: &'a [u8],
    /// Whether nothing follows
    pub(crate) last: bool,
    /// Where in the file it begins
    begin: Place,
    /// The bytes as text, unless something in them is none
    text: Option<&'a str>,
    /// The place up to which line breaks were counted, and how many there were. Of a record in one
    /// line that is its end, where its beginning may be asked for: the count is the same.
    counted: Cell<(usize, u64)>,
}

impl<'a> Excerpt<'a> {
    pub(crate) fn new(bytes: &'a [u8], begin: Place, last: bool) -> Self {
        // All at once is far faster than record by record, but only that tells which are no text.
        let text = simdutf8::compat::from_utf8(&bytes[..bytes.len() - cut_character(bytes)]).ok();
        Self { bytes, last, begin, text, counted: Cell::default() }
    }

    /// A text that holds the bytes of a record, and the place of its own first byte; none if the
    /// record is no UTF-8.
    #[inline(always)]
    pub(crate) fn text(&self, range: Range<usize>) -> Option<(&'a str, usize)> {
        match self.text {
            Some(text) => Some((text, 0)),
            None => {
                let start = range.start;
                Some((simdutf8::basic::from_utf8(&self.bytes[range]).ok()?, start))
            }
        }
    }

    /// Where in the file a byte is. Places are asked for in order: line breaks are counted from one
    /// to the next.
    pub(crate) fn place(&self, at: usize) -> Place {
        let (counted, mut breaks) = self.counted.get();
        if at > counted {
            breaks += count_breaks(&self.bytes[counted..at]);
            self.counted.set((at, breaks));
        }
        Place { offset: self.begin.offset + at as u64, line: self.begin.line + breaks }
    }

    /// Takes note of a record that has no line breaks in it, so that it is not searched for them.
    #[inline(always)]
    pub(crate) fn note_line(&self, record: Range<usize>) {
        let (counted, mut breaks) = self.counted.get();
        match &self.bytes[counted..record.start] {
            [byte] => breaks += u64::from(*byte == b'\n'),
            before => breaks += count_breaks(before),
        }
        self.counted.set((record.end, breaks));
    }

    /// Writes a record to the rejects.
    pub(crate) fn reject<W: Write, J: Write>(
        &self,
        run: &mut Run<'_, W, J>,
        range: Range<usize>,
        fault: RecordFault,
    ) -> Result<(), ConvertError> {
        let position = Position::Text(self.place(range.start));
        run.reject(fault, position, Content::of(&self.bytes[range]))
    }
}

fn count_breaks(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

/// How many bytes at the end are of a character that goes on behind it.
fn cut_character(bytes: &[u8]) -> usize {
    let tail = &bytes[bytes.len().saturating_sub(3)..];
    let first = tail.iter().rposition(|byte| *byte >= 0xc0);
    let Some(character) = first.map(|first| &tail[first..]) else {
        return 0;
    };
    let length = match character[0] {
        0xf0.. => 4,
        0xe0.. => 3,
        _ => 2,
    };
    if character.len() < length { character.len() } else { 0 }
}

/// A text file, or an archive's entry, on its way.
pub(crate) struct Text<'r, 'a, R, W, J> {
    run: &'r mut Run<'a, W, J>,
    window: Window<R>,
    /// Where in the file the window is
    place: Place,
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
        let window = Window::within(std::mem::take(&mut run.workspace.window), reader);
        let mut text = Self { run, window, place: Place::BEGINNING, compression };
        while text.window.bytes().len() < content::HEAD && !text.window.is_last() {
            text.read()?;
        }
        let begin = beginning(text.window.bytes(), expected)?;
        text.window.consume(begin);
        text.place.offset = begin as u64;
        Ok(text)
    }

    /// Converts the file.
    pub(crate) fn convert(mut self, records: &mut impl Records) -> Result<(), ConvertError> {
        self.convert_all(records)?;
        self.run.workspace.window = self.window.into_buffer();
        Ok(())
    }

    fn convert_all(&mut self, records: &mut impl Records) -> Result<(), ConvertError> {
        loop {
            let excerpt = Excerpt::new(self.window.bytes(), self.place, self.window.is_last());
            let Some(from) = records.convert(self.run, &excerpt)? else {
                return Ok(());
            };
            self.place = excerpt.place(from);
            self.window.consume(from);
            if !self.window.is_full() {
                self.read()?;
                continue;
            }
            let excerpt = Excerpt::new(self.window.bytes(), self.place, self.window.is_last());
            let Some((range, fault)) = records.give_up(&excerpt) else {
                let Place { offset, line } = self.place;
                return Err(ConvertError::RecordTooLong { offset, line });
            };
            records.check_fault(&fault, &self.run.mapping.field_names)?;
            let end = range.end;
            excerpt.reject(self.run, range, fault)?;
            self.place = excerpt.place(end);
            self.window.consume(end);
        }
    }

    /// Passes over lines at the file's beginning.
    pub(crate) fn skip_lines(mut self, count: u64) -> Result<Self, ConvertError> {
        for _ in 0..count {
            let mut searched = 0;
            let end = loop {
                let bytes = self.window.bytes();
                match memchr::memchr(b'\n', &bytes[searched..]) {
                    Some(found) => break searched + found + 1,
                    None if self.window.is_last() => break bytes.len(),
                    None => searched = bytes.len(),
                }
                if self.window.is_full() {
                    let Place { offset, line } = self.place;
                    return Err(ConvertError::RecordTooLong { offset, line });
                }
                self.read()?;
            };
            self.window.consume(end);
            self.place =
                Place { offset: self.place.offset + end as u64, line: self.place.line + 1 };
        }
        Ok(self)
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
}

/// Where the text of a file with this beginning begins: behind a byte order mark.
pub(crate) fn beginning(bytes: &[u8], expected: &'static str) -> Result<usize, ConvertError> {
    let head = &bytes[..bytes.len().min(content::HEAD)];
    if let Some(found) = content::not_text(head) {
        return Err(ConvertError::OtherFormat { found, expected });
    }
    Ok(if head.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 })
}

/// Records that are no JSON, by a framer that says what they would be.
pub(crate) struct ObjectRecords<F> {
    framer: F,
    walker: json::Walker,
    object: String,
}

impl<F: ObjectFramer> ObjectRecords<F> {
    pub(crate) fn new(projection: &Projection, framer: F) -> Self {
        Self { framer, walker: json::Walker::new(projection.clone()), object: String::new() }
    }
}

impl<F: ObjectFramer> Records for ObjectRecords<F> {
    fn next(&mut self, excerpt: &Excerpt<'_>, at: usize) -> Frame {
        self.framer.next(excerpt.bytes, at, excerpt.last, &mut self.object)
    }

    fn convert_last<W: Write, J: Write>(
        &mut self,
        run: &mut Run<'_, W, J>,
        _: &Excerpt<'_>,
        _: Range<usize>,
    ) -> Result<Option<Outcome>, ConvertError> {
        Ok(Some(match self.walker.walk(self.object.as_bytes(), 0) {
            Ok(_) => run.convert(&self.walker.record(&self.object, 0)),
            Err(fault) => Outcome::Rejected(fault.into()),
        }))
    }

    fn give_up(&mut self, excerpt: &Excerpt<'_>) -> Option<(Range<usize>, RecordFault)> {
        match self.framer.give_up(excerpt.bytes, 0) {
            Some(Frame::Fault(range, fault)) => Some((range, fault)),
            _ => None,
        }
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
