//! Converts record after record.

use std::io::Write;
use std::ops::Range;

use super::{Framer, Walker};
use crate::convert::Outcome;
use crate::error::ConvertError;
use crate::fault::RecordFault;
use crate::frame::Frame;
use crate::run::Run;
use crate::text::{Excerpt, Records};

/// A file's records.
pub(crate) struct JsonRecords {
    framer: Framer,
    walker: Walker,
}

impl JsonRecords {
    /// From where a framer is; at a file's beginning that is the default.
    pub(crate) fn new(walker: Walker, framer: Framer) -> Self {
        Self { framer, walker }
    }

    pub(crate) fn into_walker(self) -> Walker {
        self.walker
    }

    /// Where the framer is, what lies before the next record included.
    pub(crate) fn framer(&self) -> &Framer {
        &self.framer
    }
}

impl Records for JsonRecords {
    #[inline(always)]
    fn next(&mut self, excerpt: &Excerpt<'_>, at: usize) -> Frame {
        let frame = self.framer.next(&mut self.walker, excerpt.bytes, at, excerpt.last);
        if let Frame::Record(range) = &frame
            && !self.walker.may_have_line_breaks()
        {
            excerpt.note_line(range.clone());
        }
        frame
    }

    #[inline(always)]
    fn convert_last<W: Write, J: Write>(
        &mut self,
        run: &mut Run<'_, W, J>,
        excerpt: &Excerpt<'_>,
        range: Range<usize>,
    ) -> Result<Option<Outcome>, ConvertError> {
        Ok(Some(match excerpt.text(range) {
            Some((text, base)) => run.convert(&self.walker.record(text, base)),
            None => Outcome::Rejected(RecordFault::NotUtf8),
        }))
    }

    fn give_up(&mut self, excerpt: &Excerpt<'_>) -> Option<(Range<usize>, RecordFault)> {
        match self.framer.give_up(excerpt.bytes, 0) {
            Some(Frame::Fault(range, fault)) => Some((range, fault)),
            _ => None,
        }
    }
}
