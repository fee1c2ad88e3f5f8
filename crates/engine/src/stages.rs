//! The stages that text goes through, one by one, for benchmarks: so that a regression has an
//! address. What is here is no interface to build on.

use personalize_plan::ConversionPlan;

use crate::convert::{Mapping, Scratch};
use crate::csv::Rows;
use crate::frame::Frame;
use crate::json::{Framer, Walker};
use crate::projection::Projection;
use crate::row_buffer::RowBuffer;
use crate::text::Excerpt;
use crate::window::Place;

/// The stages for one plan.
pub struct Stages {
    mapping: Mapping,
}

impl Stages {
    /// Those that files of this plan go through.
    pub fn new(plan: &ConversionPlan) -> Self {
        Self { mapping: Mapping::new(plan) }
    }

    /// Checks that the bytes are UTF-8.
    pub fn check_text(&self, bytes: &[u8]) -> bool {
        Excerpt::new(bytes, Place::BEGINNING, true).text(0..0).is_some()
    }

    /// Finds JSON records of which nothing is wanted, and gives their number.
    pub fn frame(&self, bytes: &[u8]) -> usize {
        records(bytes, &mut Walker::new(Projection::empty()), |_| ())
    }

    /// Finds JSON records and notes what is wanted of each.
    pub fn walk(&self, bytes: &[u8]) -> usize {
        records(bytes, &mut Walker::new(self.mapping.projection.clone()), |_| ())
    }

    /// The same with nothing learnt from one record for the next.
    pub fn walk_strictly(&self, bytes: &[u8]) -> usize {
        let forget = |walker: &mut Walker| *walker = Walker::new(self.mapping.projection.clone());
        records(bytes, &mut Walker::new(self.mapping.projection.clone()), forget)
    }

    /// Converts one JSON record again and again, and gives the number of bytes written.
    pub fn convert(&self, record: &str, times: usize) -> usize {
        let mut walker = Walker::new(self.mapping.projection.clone());
        let (mut scratch, mut out) = (Scratch::default(), RowBuffer::default());
        if walker.walk(record.as_bytes(), 0).is_err() {
            return 0;
        }
        for _ in 0..times {
            self.mapping.convert(&walker.record(record, 0), &[], &mut scratch, &mut out);
        }
        out.len()
    }

    /// Finds the rows of CSV and their cells.
    pub fn rows(&self, bytes: &[u8]) -> usize {
        let mut rows = Rows::new(b',', b'"');
        count(|at| rows.next(bytes, at, true))
    }
}

fn records(bytes: &[u8], walker: &mut Walker, mut after: impl FnMut(&mut Walker)) -> usize {
    let mut framer = Framer::default();
    count(|at| {
        let frame = framer.next(walker, bytes, at, true);
        after(walker);
        frame
    })
}

fn count(mut next: impl FnMut(usize) -> Frame) -> usize {
    let (mut at, mut count) = (0, 0);
    while let Frame::Record(range) | Frame::Fault(range, _) = next(at) {
        at = range.end;
        count += 1;
    }
    count
}
