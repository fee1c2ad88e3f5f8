//! One file's conversion under way: its rows, its rejects and its counts.

use std::collections::BTreeMap;
use std::io::Write;

use crate::convert::{
    CopiedRows, Mapping, Outcome, PlainRow, ReadyField, ReadyRows, RowCopy, Scratch,
};
use crate::converter::SourceFile;
use crate::counts::Counts;
use crate::error::ConvertError;
use crate::fault::RecordFault;
use crate::rejects::{Content, Members, Position, Reject, hand_on};
use crate::value::Record;
use crate::workspace::Workspace;

/// Rows are handed on in blocks of this size.
const OUT_BLOCK: usize = 512 * 1024;

/// Takes a file's records one by one, whatever format they were read from.
pub(crate) struct Run<'a, W, J> {
    pub(crate) mapping: &'a Mapping,
    file: &'a SourceFile,
    /// The file's own name, or that of the entry of it that is read, as rejects have it
    name: Members,
    pub(crate) workspace: &'a mut Workspace,
    rows: W,
    rejects: J,
    scratch: Scratch,
    ready: ReadyRows,
    pub(crate) counts: Counts,
    rejected: BTreeMap<RecordFault, Rejected>,
}

/// The records that were rejected for one reason.
struct Rejected {
    count: u64,
    reason: Members,
}

impl<'a, W: Write, J: Write> Run<'a, W, J> {
    pub(crate) fn new(
        mapping: &'a Mapping,
        file: &'a SourceFile,
        workspace: &'a mut Workspace,
        rows: W,
        rejects: J,
    ) -> Self {
        Self {
            mapping,
            file,
            name: Members::of_file(&file.name),
            workspace,
            rows,
            rejects,
            scratch: Scratch::default(),
            ready: ReadyRows::default(),
            counts: Counts::default(),
            rejected: BTreeMap::new(),
        }
    }

    /// Names rejects from now on by an entry of the file, or by the file itself.
    pub(crate) fn enter(&mut self, entry: Option<&str>) {
        self.name = match entry {
            Some(entry) => Members::of_file(&format!("{}/{entry}", self.file.name)),
            None => Members::of_file(&self.file.name),
        };
    }

    /// Appends a record's rows, or nothing if it is filtered or rejected.
    pub(crate) fn convert(&mut self, record: &impl Record) -> Outcome {
        let values = &self.file.partition_values;
        self.mapping.convert(record, values, &mut self.scratch, &mut self.workspace.rows)
    }

    /// Appends plain rows of so many bytes and counts them, up to one that is to be converted as any
    /// other. Gives how many there were.
    #[inline(always)]
    pub(crate) fn copy<'b>(
        &mut self,
        rows: impl Iterator<Item = PlainRow<'b>>,
        bytes: usize,
        copy: &RowCopy,
    ) -> Result<usize, ConvertError> {
        let values = &self.file.partition_values;
        let (scratch, out) = (&mut self.scratch, &mut self.workspace.rows);
        let CopiedRows { written, filtered } =
            self.mapping.copy_rows(rows, bytes, copy, values, scratch, out);
        self.counts.records_read += written + filtered;
        self.counts.records_written += written;
        self.counts.rows_written += written;
        self.counts.filtered += filtered;
        self.write_full_block()?;
        Ok((written + filtered) as usize)
    }

    /// Makes some rows ready, for [`Run::convert_ready`].
    pub(crate) fn make_ready(&mut self, fill: impl FnMut(usize, ReadyField<'_>)) {
        self.mapping.make_ready(&mut self.ready, fill);
    }

    /// Appends one of the rows that were made ready, if that can be done without its record.
    #[inline(always)]
    pub(crate) fn copy_ready(&mut self, row: usize) -> bool {
        self.mapping.copy_ready(&self.ready, row, &mut self.workspace.rows)
    }

    /// Appends one of the rows that were made ready, or nothing if it is filtered or rejected.
    pub(crate) fn convert_ready(&mut self, row: usize, record: &impl Record) -> Outcome {
        let values = &self.file.partition_values;
        let (scratch, out) = (&mut self.scratch, &mut self.workspace.rows);
        self.mapping.convert_ready(&self.ready, row, record, values, scratch, out)
    }

    /// Counts a record; one that is rejected is the caller's to [`Run::reject`].
    #[inline(always)]
    pub(crate) fn count(&mut self, outcome: Outcome) -> Result<Option<RecordFault>, ConvertError> {
        match outcome {
            Outcome::Rejected(fault) => return Ok(Some(fault)),
            Outcome::Filtered => self.counts.filtered += 1,
            Outcome::Written { rows } => {
                self.counts.records_written += 1;
                self.counts.rows_written += rows;
                self.write_full_block()?;
            }
        }
        self.counts.records_read += 1;
        Ok(None)
    }

    /// Counts a rejected record and writes it down.
    pub(crate) fn reject(
        &mut self,
        fault: RecordFault,
        position: Position,
        content: Content<'_>,
    ) -> Result<(), ConvertError> {
        let names = &self.mapping.field_names;
        let rejected = self.rejected.entry(fault).or_insert_with(|| Rejected {
            count: 0,
            reason: Members::of_reason(&fault.code(names), &fault.message(names)),
        });
        rejected.count += 1;
        self.counts.records_read += 1;
        Reject { file: &self.name, position, reason: &rejected.reason, content }
            .write(&mut self.workspace.rejects, &mut self.rejects)
            .map_err(ConvertError::Write)
    }

    #[inline(always)]
    fn write_full_block(&mut self) -> Result<(), ConvertError> {
        if self.workspace.rows.len() >= OUT_BLOCK { self.write_rows() } else { Ok(()) }
    }

    fn write_rows(&mut self) -> Result<(), ConvertError> {
        self.rows.write_all(self.workspace.rows.as_slice()).map_err(ConvertError::Write)?;
        self.workspace.rows.truncate(0);
        Ok(())
    }

    /// Hands on what is left, and gives the counts.
    pub(crate) fn finish(mut self) -> Result<Counts, ConvertError> {
        self.write_rows()?;
        self.rows.flush().map_err(ConvertError::Write)?;
        hand_on(&mut self.workspace.rejects, &mut self.rejects).map_err(ConvertError::Write)?;
        self.rejects.flush().map_err(ConvertError::Write)?;
        for (fault, rejected) in &self.rejected {
            let code = fault.code(&self.mapping.field_names).into_owned();
            *self.counts.rejected_by_reason.entry(code).or_default() += rejected.count;
        }
        Ok(self.counts)
    }
}
