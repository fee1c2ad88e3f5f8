//! Converts row after row.

use std::borrow::Cow;
use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use personalize_plan::CsvFormat;

use super::columns::CsvLayout;
use super::{Row, Rows, column_names};
use crate::convert::{Mapping, Outcome};
use crate::error::ConvertError;
use crate::fault::RecordFault;
use crate::frame::Frame;
use crate::run::Run;
use crate::text::{Excerpt, Records};

/// A file's rows, the header before them included.
pub(crate) struct CsvRecords<'a> {
    format: &'a CsvFormat,
    /// The [`super::slot_columns`]
    columns: &'a [(String, bool)],
    rows: Rows,
    /// Nothing before the header
    layout: Option<Arc<CsvLayout>>,
}

impl<'a> CsvRecords<'a> {
    /// From a file's beginning, or where its layout is known, from a row on.
    pub(crate) fn new(
        format: &'a CsvFormat,
        columns: &'a [(String, bool)],
        layout: Option<Arc<CsvLayout>>,
    ) -> Self {
        let rows = Rows::new(format.delimiter as u8, format.quote as u8);
        Self { format, columns, rows, layout }
    }

    /// What was found in the header.
    pub(crate) fn layout(&self) -> Option<Arc<CsvLayout>> {
        self.layout.clone()
    }

    /// The layout of a file with this first row, and whether that is a header.
    fn read_header(
        &self,
        first_row: Row<'_>,
        mapping: &Mapping,
    ) -> Result<(CsvLayout, bool), ConvertError> {
        let names = match self.format.header {
            true => column_names(&first_row.texts().map(Cow::into_owned).collect::<Vec<_>>()),
            false => self.format.columns.clone(),
        };
        let delimiter = self.format.delimiter as u8;
        Ok((CsvLayout::new(names, self.columns, mapping, delimiter)?, self.format.header))
    }
}

impl Records for CsvRecords<'_> {
    #[inline(always)]
    fn next(&mut self, excerpt: &Excerpt<'_>, at: usize) -> Frame {
        self.rows.next(excerpt.bytes, at, excerpt.last)
    }

    #[inline(always)]
    fn convert_last<W: Write, J: Write>(
        &mut self,
        run: &mut Run<'_, W, J>,
        excerpt: &Excerpt<'_>,
        range: Range<usize>,
    ) -> Result<Option<Outcome>, ConvertError> {
        let row = excerpt.text(range).map(|(text, base)| self.rows.row(text, base));
        let layout = match &self.layout {
            Some(layout) => layout,
            None => {
                let unreadable = || ConvertError::Header("it is not UTF-8".into());
                let (layout, is_header) =
                    self.read_header(row.ok_or_else(unreadable)?, run.mapping)?;
                let layout = self.layout.insert(Arc::new(layout));
                if is_header {
                    return Ok(None);
                }
                layout
            }
        };
        Ok(Some(match row.map(|row| layout.row(row)) {
            Some(Ok(row)) => run.convert(&row),
            Some(Err(fault)) => Outcome::Rejected(fault),
            None => Outcome::Rejected(RecordFault::NotUtf8),
        }))
    }

    #[inline(never)]
    fn convert_plain<W: Write, J: Write>(
        &mut self,
        run: &mut Run<'_, W, J>,
        excerpt: &Excerpt<'_>,
        at: usize,
    ) -> Result<usize, ConvertError> {
        let Some(layout) = &self.layout else {
            return Ok(at);
        };
        let cells = layout.cells();
        let Some(rows) = self.rows.plain_rows(excerpt.bytes, at, cells) else {
            return Ok(at);
        };
        let most_bytes = rows.lines.length();
        match run.copy(rows, most_bytes, layout.copy())? {
            0 => Ok(at),
            count => Ok(self.rows.pass_plain_rows(count, cells)),
        }
    }

    fn give_up(&mut self, excerpt: &Excerpt<'_>) -> Option<(Range<usize>, RecordFault)> {
        Some(Rows::give_up(excerpt.bytes, 0))
    }

    fn check_fault(&self, fault: &RecordFault, field_names: &[String]) -> Result<(), ConvertError> {
        match self.layout {
            None if self.format.header => Err(ConvertError::Header(fault.message(field_names))),
            _ => Ok(()),
        }
    }
}
