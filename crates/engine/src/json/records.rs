//! Converts record after record.

use std::io::Write;

use super::{Framer, Walker};
use crate::convert::Outcome;
use crate::error::ConvertError;
use crate::fault::RecordFault;
use crate::frame::Frame;
use crate::projection::Projection;
use crate::run::Run;
use crate::text::{Excerpt, Records};

/// A file's records.
pub(crate) struct JsonRecords {
    framer: Framer,
    walker: Walker,
}

impl JsonRecords {
    /// From where a framer is; at a file's beginning that is the default.
    pub(crate) fn new(projection: &Projection, framer: Framer) -> Self {
        Self { framer, walker: Walker::new(projection.clone()) }
    }

    /// Where the framer is, what lies before the next record included.
    pub(crate) fn framer(&self) -> &Framer {
        &self.framer
    }
}

impl Records for JsonRecords {
    fn convert<W: Write, J: Write>(
        &mut self,
        run: &mut Run<'_, W, J>,
        excerpt: &Excerpt<'_>,
    ) -> Result<Option<usize>, ConvertError> {
        let mut at = 0;
        loop {
            let next = self.framer.next(&mut self.walker, excerpt.bytes, at, excerpt.last);
            let (range, fault) = match next {
                Frame::Record(range) => {
                    let outcome = match excerpt.text(range.clone()) {
                        Some((text, base)) => run.convert(&self.walker.record(text, base)),
                        None => Outcome::Rejected(RecordFault::NotUtf8),
                    };
                    at = range.end;
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
            excerpt.reject(run, range, fault)?;
        }
    }

    fn give_up<W: Write, J: Write>(
        &mut self,
        run: &mut Run<'_, W, J>,
        excerpt: &Excerpt<'_>,
    ) -> Result<Option<usize>, ConvertError> {
        let Some(Frame::Fault(range, fault)) = self.framer.give_up(excerpt.bytes, 0) else {
            return Ok(None);
        };
        let end = range.end;
        excerpt.reject(run, range, fault)?;
        Ok(Some(end))
    }
}
