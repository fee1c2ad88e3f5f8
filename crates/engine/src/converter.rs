//! One file through all stages: decompress, frame, decode, convert, write.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use personalize_plan::{ConversionPlan, CsvFormat, FieldSource, SourceFormat};

use crate::compression::{Compression, decompress};
use crate::content;
use crate::convert::{Mapping, Outcome, Scratch};
use crate::counts::Counts;
use crate::csv::{MappedRow, Rows, column_names};
use crate::error::{ConvertError, SourceError};
use crate::fault::RecordFault;
use crate::frame::Frame;
use crate::json;
use crate::rejects::{Bytes, Reject};
use crate::source::SourceReader;
use crate::value::Slot;
use crate::window::{Place, Window};

/// Rows are handed on in blocks of this size.
const OUT_BLOCK: usize = 256 * 1024;
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Converts files by a plan. Made once, used for any number of files, also at the same time.
#[derive(Debug, Clone)]
pub struct Converter {
    mapping: Mapping,
    format: SourceFormat,
    /// For CSV: the source column of each fixed slot, and whether a record must have it
    columns: Vec<(String, bool)>,
}

/// A file as its rejects name it, and what its folders say.
#[derive(Debug, Clone, Default)]
pub struct SourceFile {
    /// The path or key.
    pub name: String,
    /// The values of the plan's partition keys, in the plan's order; see
    /// [`crate::partition_values`].
    pub partition_values: Vec<Option<String>>,
}

impl Converter {
    /// Makes a plan ready for converting.
    pub fn new(plan: &ConversionPlan) -> Self {
        let mapping = Mapping::new(plan);
        let (fixed, _) = mapping.projection.slots();
        let mut columns = vec![(String::new(), false); fixed];
        let required = plan.fields.iter().map(|field| (&field.source, !field.nullable));
        let filter = plan.filter.iter().map(|filter| (&filter.source, true));
        let mut projection = mapping.projection.clone();
        for (source, required) in required.chain(filter) {
            if let FieldSource::Path(path) = source
                && let Slot::Fixed(slot) = projection.add(path)
            {
                columns[slot].0 = path.first_name().to_owned();
                columns[slot].1 |= required;
            }
        }
        Self { mapping, format: plan.source.format.clone(), columns }
    }

    /// The header line of the CSV, with its line break.
    pub fn header(&self) -> String {
        self.mapping.field_names.join(",") + "\n"
    }

    /// Converts one file: rows without a header go to `rows`, rejected records to `rejects`.
    ///
    /// What was written before an error is part of a file and has to be thrown away.
    ///
    /// # Errors
    ///
    /// [`ConvertError`] if the file as a whole cannot be read, or its results cannot be written.
    pub fn convert(
        &self,
        file: &SourceFile,
        input: impl Read,
        rows: impl Write,
        rejects: impl Write,
    ) -> Result<Counts, ConvertError> {
        let bytes_read = Cell::new(0);
        let source = SourceReader::new(input, &bytes_read);
        let decompressed =
            decompress(source).map_err(|fault| read_error(fault, Compression::None, 0))?;
        let mut run = Run {
            mapping: &self.mapping,
            file,
            compression: decompressed.compression,
            window: Window::new(decompressed.reader),
            out: Vec::with_capacity(2 * OUT_BLOCK),
            rows,
            rejects,
            scratch: Scratch::default(),
            counts: Counts::default(),
            rejected: BTreeMap::new(),
        };
        run.read_head(match self.format {
            SourceFormat::Json => "JSON",
            SourceFormat::Csv(_) => "CSV",
        })?;
        match &self.format {
            SourceFormat::Json => run.json()?,
            SourceFormat::Csv(format) => run.csv(format, &self.columns)?,
        }
        let mut counts = run.finish()?;
        counts.bytes_read = bytes_read.get();
        Ok(counts)
    }
}

/// One file on its way.
struct Run<'a, R, W, J> {
    mapping: &'a Mapping,
    file: &'a SourceFile,
    compression: Compression,
    window: Window<R>,
    out: Vec<u8>,
    rows: W,
    rejects: J,
    scratch: Scratch,
    counts: Counts,
    rejected: BTreeMap<RecordFault, u64>,
}

impl<R: Read, W: Write, J: Write> Run<'_, R, W, J> {
    /// Reads enough to tell text from other content, and passes over a byte order mark.
    fn read_head(&mut self, expected: &'static str) -> Result<(), ConvertError> {
        while self.window.bytes().len() < content::HEAD && !self.window.is_last() {
            self.read()?;
        }
        let bytes = self.window.bytes();
        let head = &bytes[..bytes.len().min(content::HEAD)];
        if let Some(found) = content::not_text(head) {
            return Err(ConvertError::NotText { found, expected });
        }
        if head.starts_with(BYTE_ORDER_MARK) {
            self.window.consume(BYTE_ORDER_MARK.len());
        }
        Ok(())
    }

    fn json(&mut self) -> Result<(), ConvertError> {
        let mut framer = json::Framer::default();
        let mut walker = json::Walker::new(self.mapping.projection.clone());
        // How far into the window's bytes the records are done.
        let mut at = 0;
        loop {
            let bytes = self.window.bytes();
            match framer.next(&mut walker, bytes, at, self.window.is_last()) {
                Frame::Record(range) => {
                    let outcome = match simdutf8::basic::from_utf8(&bytes[range.clone()]) {
                        Ok(text) => self.mapping.convert(
                            &walker.record(text),
                            &self.file.partition_values,
                            &mut self.scratch,
                            &mut self.out,
                        ),
                        Err(_) => Outcome::Rejected(RecordFault::NotUtf8),
                    };
                    at = self.count(outcome, range)?;
                }
                Frame::Fault(range, fault) => at = self.reject(fault, range)?,
                Frame::More(from) => {
                    self.window.consume(from);
                    at = 0;
                    if !self.window.is_full() {
                        self.read()?;
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

    fn csv(&mut self, format: &CsvFormat, columns: &[(String, bool)]) -> Result<(), ConvertError> {
        let mut rows = Rows::new(format.delimiter as u8, format.quote as u8);
        let mut header = Header { format, columns, file: None };
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
                    let Some(layout) = &header.file else {
                        let text =
                            text.map_err(|_| ConvertError::Header("it is not UTF-8".into()))?;
                        if header.read(&rows, text)? {
                            at = range.end;
                        }
                        continue;
                    };
                    let (expected, found) = (layout.cells, rows.cells());
                    let outcome = match text {
                        Err(_) => Outcome::Rejected(RecordFault::NotUtf8),
                        Ok(_) if expected != found => {
                            Outcome::Rejected(RecordFault::Ragged { expected, found })
                        }
                        Ok(text) => self.mapping.convert(
                            &MappedRow { row: rows.row(text), cell_of_slot: &layout.cell_of_slot },
                            &self.file.partition_values,
                            &mut self.scratch,
                            &mut self.out,
                        ),
                    };
                    at = self.count(outcome, range)?;
                }
                Frame::Fault(_, fault) if header.file.is_none() && format.header => {
                    return Err(ConvertError::Header(fault.message(&self.mapping.field_names)));
                }
                Frame::Fault(range, fault) => at = self.reject(fault, range)?,
                Frame::More(from) => {
                    self.window.consume(from);
                    at = 0;
                    self.read()?;
                }
                Frame::Done => return Ok(()),
            }
        }
    }

    /// Counts the record, writes it to the rejects if it is one, and gives the place behind it.
    fn count(
        &mut self,
        outcome: Outcome,
        range: std::ops::Range<usize>,
    ) -> Result<usize, ConvertError> {
        match outcome {
            Outcome::Rejected(fault) => return self.reject(fault, range),
            Outcome::Filtered => self.counts.filtered += 1,
            Outcome::Written { rows } => {
                self.counts.records_written += 1;
                self.counts.rows_written += rows;
                if self.out.len() >= OUT_BLOCK {
                    self.write_rows()?;
                }
            }
        }
        self.counts.records_read += 1;
        Ok(range.end)
    }

    fn reject(
        &mut self,
        fault: RecordFault,
        range: std::ops::Range<usize>,
    ) -> Result<usize, ConvertError> {
        let place = self.window.place(range.start);
        let names = &self.mapping.field_names;
        let reject = Reject {
            file: &self.file.name,
            offset: place.offset,
            line: place.line,
            reason: &fault.code(names),
            message: &fault.message(names),
            bytes: Bytes::of(&self.window.bytes()[range.clone()]),
        };
        reject.write(&mut self.rejects).map_err(ConvertError::Write)?;
        self.counts.records_read += 1;
        *self.rejected.entry(fault).or_default() += 1;
        Ok(range.end)
    }

    fn record_too_long(&mut self) -> ConvertError {
        let Place { offset, line } = self.window.place(0);
        ConvertError::RecordTooLong { offset, line }
    }

    fn read(&mut self) -> Result<(), ConvertError> {
        match self.window.read() {
            Ok(count) => {
                self.counts.bytes_decoded += count as u64;
                Ok(())
            }
            Err(fault) => Err(read_error(fault, self.compression, self.counts.bytes_decoded)),
        }
    }

    fn write_rows(&mut self) -> Result<(), ConvertError> {
        self.rows.write_all(&self.out).map_err(ConvertError::Write)?;
        self.out.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<Counts, ConvertError> {
        self.write_rows()?;
        self.rows.flush().map_err(ConvertError::Write)?;
        self.rejects.flush().map_err(ConvertError::Write)?;
        for (fault, count) in &self.rejected {
            let code = fault.code(&self.mapping.field_names).into_owned();
            *self.counts.rejected_by_reason.entry(code).or_default() += count;
        }
        Ok(self.counts)
    }
}

/// How a CSV file's cells fill the plan's slots, once its header is read.
struct Header<'a> {
    format: &'a CsvFormat,
    columns: &'a [(String, bool)],
    file: Option<FileLayout>,
}

struct FileLayout {
    cells: usize,
    cell_of_slot: Vec<Option<usize>>,
}

impl Header<'_> {
    /// Takes the first row for the header, if the format has one, else the table's columns; true
    /// if the row is done with.
    fn read(&mut self, rows: &Rows, first_row: &str) -> Result<bool, ConvertError> {
        let names: Vec<String> = if self.format.header {
            column_names(&rows.row(first_row).texts().collect::<Vec<_>>())
        } else {
            self.format.columns.clone()
        };
        let mut cell_of_slot = Vec::with_capacity(self.columns.len());
        for (column, required) in self.columns {
            let lower = column.to_lowercase();
            let cell = names.iter().position(|name| name.to_lowercase() == lower);
            if cell.is_none() && *required {
                return Err(ConvertError::MissingColumn { missing: column.clone(), found: names });
            }
            cell_of_slot.push(cell);
        }
        self.file = Some(FileLayout { cells: names.len(), cell_of_slot });
        Ok(self.format.header)
    }
}

/// Tells the source's own faults from those of its content.
fn read_error(fault: io::Error, compression: Compression, decoded: u64) -> ConvertError {
    let is_source = fault.get_ref().is_some_and(|inner| inner.is::<SourceError>());
    if is_source || compression == Compression::None {
        return ConvertError::Read(match fault.downcast::<SourceError>() {
            Ok(SourceError(inner)) => inner,
            Err(fault) => fault,
        });
    }
    match fault.kind() {
        io::ErrorKind::UnexpectedEof => ConvertError::Truncated { compression, decoded },
        _ => ConvertError::Corrupt { compression, decoded, fault: fault.to_string() },
    }
}
