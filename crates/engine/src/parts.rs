//! A large file in parts, which can be converted at the same time.
//!
//! Where records begin is known for certain only once all before them are read. So a part is cut
//! where a record seems to begin and is converted as if it did; its results count only if the part
//! before it was found to end just there, with nothing in between that the next record depends on.
//! Otherwise what was left before the cut is put in front, and the part is converted again from
//! where its first record does begin. Either way rows, rejects and counts are those of the file as a
//! whole.

use std::io::{self, Read, Write};
use std::sync::Arc;

use personalize_plan::SourceFormat;

use crate::caught::catch;
use crate::compression::{Compression, Decompressed, Files};
use crate::converter::{Converter, SourceFile};
use crate::counts::Counts;
use crate::csv::{CsvLayout, CsvRecords};
use crate::error::ConvertError;
use crate::input::{Input, Source};
use crate::json::{self, JsonRecords};
use crate::run::Run;
use crate::text::{Excerpt, Records, beginning, decoding_error};
use crate::window::{MAX_RECORD, Place};

/// The bytes of a part, about.
const PART: usize = 1 << 20;
/// How far before a part's end a record's beginning is looked for.
const SEARCHED: usize = 64 * 1024;

/// Reads a file and cuts it into parts.
pub struct Splitter {
    source: Arc<Source>,
    reader: Box<dyn Read + Send>,
    compression: Compression,
    is_json: bool,
    /// What was read behind the last cut
    rest: Vec<u8>,
    cut: Cut,
    place: Place,
    ended: bool,
}

/// Part of a file's text.
pub struct Part {
    /// The part, what may have to be seen behind it, and room
    buffer: Vec<u8>,
    length: usize,
    seen: usize,
    cut: Cut,
    place: Place,
    last: bool,
}

/// What a part was cut at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    Beginning,
    LineBreak,
    WithinLine,
}

/// A place between two records, and what is known there of those before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boundary {
    place: Place,
    state: State,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Beginning,
    Json(json::Framer),
    /// With the layout, once the header was read
    Csv(Option<Arc<CsvLayout>>),
}

/// What became of a part.
#[derive(Debug)]
pub struct ConvertedPart {
    /// Of what was converted.
    pub counts: Counts,
    /// Where the record begins that is not whole, or the next one.
    pub end: Boundary,
    /// How many bytes of the part are behind that.
    pub left: usize,
}

impl ConvertedPart {
    /// Whether so much is left that a record may be longer than can be: the file has to be converted
    /// in one piece, which gives it up as it does any other.
    pub fn is_too_long(&self) -> bool {
        self.left >= MAX_RECORD
    }
}

impl Boundary {
    /// Before a file's first record.
    pub fn beginning() -> Self {
        Self { place: Place::BEGINNING, state: State::Beginning }
    }
}

impl Splitter {
    /// The next part, in memory that may have been used before; none behind the last one.
    ///
    /// # Errors
    ///
    /// [`ConvertError`] if the file cannot be read.
    pub fn next_part(&mut self, mut buffer: Vec<u8>) -> Result<Option<Part>, ConvertError> {
        if self.ended {
            return Ok(None);
        }
        let rest = self.rest.len();
        let end = PART.max(rest + SEARCHED);
        if buffer.len() < end {
            buffer.resize(end, 0);
        }
        buffer[..rest].copy_from_slice(&self.rest);
        let mut filled = rest;
        let reading = || read_full(&mut self.reader, &mut buffer[..end], &mut filled);
        catch(reading).map_err(ConvertError::Panic)?.map_err(|fault| {
            let decoded = self.place.offset + filled as u64;
            match self.source.take_fault() {
                Some(fault) => ConvertError::Read(fault),
                None => decoding_error(&fault, self.compression, decoded),
            }
        })?;
        self.ended = filled < end;
        let bytes = &buffer[..filled];
        let (length, cut) = match self.ended {
            true => (filled, Cut::LineBreak),
            false => self.find_cut(bytes),
        };
        self.rest.clear();
        self.rest.extend_from_slice(&bytes[length..]);
        // A record's end is certain only with what follows it.
        let is_seen = bytes.get(length) == Some(&b'{');
        let seen = length + usize::from(is_seen);
        let (last, place) = (self.ended, self.place);
        let part = Part { buffer, length, seen, cut: self.cut, place, last };
        self.cut = cut;
        self.place = part.place_of(length);
        Ok(Some(part))
    }

    /// How many bytes were read of the file, as it is.
    pub fn bytes_read(&self) -> u64 {
        self.source.bytes_read()
    }

    /// Where a record seems to begin that is near the end of the bytes.
    fn find_cut(&self, bytes: &[u8]) -> (usize, Cut) {
        let from = bytes.len().saturating_sub(SEARCHED);
        let near = &bytes[from..];
        let begins = |at: &usize| !self.is_json || near.get(at + 1).is_none_or(|c| *c == b'{');
        if let Some(at) = memchr::memrchr_iter(b'\n', near).find(begins) {
            return (from + at + 1, Cut::LineBreak);
        }
        let between = if self.is_json { memchr::memmem::rfind(near, b"}{") } else { None };
        (between.map_or(bytes.len(), |at| from + at + 1), Cut::WithinLine)
    }
}

/// Fills the buffer from a place on, unless the reader ends before.
fn read_full(reader: &mut impl Read, buffer: &mut [u8], filled: &mut usize) -> io::Result<()> {
    while *filled < buffer.len() {
        match reader.read(&mut buffer[*filled..]) {
            Ok(0) => break,
            Ok(count) => *filled += count,
            Err(fault) if fault.kind() == io::ErrorKind::Interrupted => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(())
}

impl Part {
    /// The memory, whatever is in it.
    pub fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }

    /// Where the part begins, if a record does there; `known` is where any part before it ended.
    pub fn begin(&self, known: &Boundary) -> Boundary {
        let state = match &known.state {
            State::Json(_) => State::Json(match self.cut {
                Cut::WithinLine => json::Framer::within_line(),
                Cut::Beginning | Cut::LineBreak => json::Framer::behind_line(),
            }),
            other => other.clone(),
        };
        Boundary { place: self.place, state }
    }

    /// Puts what was left of the part before in front.
    pub fn behind(&self, left: &[u8]) -> Self {
        let Place { offset, line } = self.place;
        let breaks = memchr::memchr_iter(b'\n', left).count();
        let buffer = [left, self.bytes()].concat();
        Self {
            seen: buffer.len(),
            buffer,
            length: left.len() + self.length,
            cut: self.cut,
            place: Place { offset: offset - left.len() as u64, line: line - breaks as u64 },
            last: self.last,
        }
    }

    /// The last `count` bytes.
    pub fn tail(&self, count: usize) -> &[u8] {
        &self.buffer[self.length - count..self.length]
    }

    fn bytes(&self) -> &[u8] {
        &self.buffer[..self.seen]
    }

    fn place_of(&self, at: usize) -> Place {
        let breaks = memchr::memchr_iter(b'\n', &self.buffer[..at]).count() as u64;
        Place { offset: self.place.offset + at as u64, line: self.place.line + breaks }
    }
}

impl Converter {
    /// Reads a file to convert it in parts; none if its format, or the archive that it is, is to be
    /// converted as a whole.
    ///
    /// # Errors
    ///
    /// [`ConvertError`] if the file cannot be read.
    pub fn split(&self, input: Arc<dyn Input>) -> Result<Option<Splitter>, ConvertError> {
        let is_json = match &self.format {
            SourceFormat::Json => true,
            SourceFormat::Csv(format) if format.skipped_lines == 0 => false,
            _ => return Ok(None),
        };
        let source = Source::new(input);
        let files = Files::of(&source, self.limits);
        let file = files.map_err(|fault| match source.take_fault() {
            Some(fault) => ConvertError::Read(fault),
            None => decoding_error(&fault, Compression::Zip, 0),
        })?;
        let mut files = file.filter(|file| file.entry().is_none());
        let Some(file) = files.next() else {
            return Ok(None);
        };
        let Decompressed { compression, reader } = file.open();
        Ok(Some(Splitter {
            source,
            reader,
            compression,
            is_json,
            rest: Vec::new(),
            cut: Cut::Beginning,
            place: Place::BEGINNING,
            ended: false,
        }))
    }

    /// Converts a part that begins at this boundary.
    ///
    /// # Errors
    ///
    /// [`ConvertError`] if the file as a whole cannot be read, or its results cannot be written.
    pub fn convert_part(
        &self,
        file: &SourceFile,
        part: &Part,
        begin: &Boundary,
        rows: impl Write,
        rejects: impl Write,
    ) -> Result<ConvertedPart, ConvertError> {
        let converting = || {
            let mut workspace = self.workspaces.take();
            let mut run = Run::new(&self.mapping, file, &mut workspace, rows, rejects);
            let (end, at) = self.convert_records(&mut run, part, begin)?;
            run.counts.bytes_decoded = end.place.offset - begin.place.offset;
            let counts = run.finish()?;
            self.workspaces.leave(workspace);
            Ok(ConvertedPart { counts, end, left: part.length - at })
        };
        catch(converting).unwrap_or_else(|panic| Err(ConvertError::Panic(panic)))
    }

    /// The boundary behind the part's records, and where in the part that is.
    fn convert_records<W: Write, J: Write>(
        &self,
        run: &mut Run<'_, W, J>,
        part: &Part,
        begin: &Boundary,
    ) -> Result<(Boundary, usize), ConvertError> {
        let expected = if matches!(self.format, SourceFormat::Json) { "JSON" } else { "CSV" };
        let start = match begin.state {
            State::Beginning => beginning(part.bytes(), expected)?,
            _ => 0,
        };
        let place = Place { offset: begin.place.offset + start as u64, ..begin.place };
        let excerpt = Excerpt::new(&part.bytes()[start..], place, part.last);
        let (from, state) = match &self.format {
            SourceFormat::Csv(format) => {
                let layout = match &begin.state {
                    State::Csv(layout) => layout.clone(),
                    _ => None,
                };
                let mut records = CsvRecords::new(format, &self.columns, layout);
                (records.convert(run, &excerpt)?, State::Csv(records.layout()))
            }
            _ => {
                let framer = match &begin.state {
                    State::Json(framer) => framer.clone(),
                    _ => json::Framer::default(),
                };
                let walker = run.workspace.take_walker(&self.mapping.projection);
                let mut records = JsonRecords::new(walker, framer);
                let from = records.convert(run, &excerpt)?;
                let framer = records.framer().clone();
                run.workspace.leave_walker(records.into_walker());
                (from, State::Json(framer))
            }
        };
        let at = from.map_or(part.length, |from| start + from);
        Ok((Boundary { place: excerpt.place(at - start), state }, at))
    }
}
