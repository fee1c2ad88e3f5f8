//! What a conversion leaves to the next one: its memory, and what was learnt of the records.

use std::sync::{Arc, Mutex, PoisonError};

use crate::json::Walker;
use crate::projection::Projection;
use crate::row_buffer::RowBuffer;

/// Memory that is kept; what held longer records is given back to the system.
const MOST_KEPT: usize = 4 << 20;

/// What one conversion works with at a time.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    /// Of the window over a file
    pub(crate) window: Vec<u8>,
    /// Empty between conversions
    pub(crate) rows: RowBuffer,
    /// Lines of rejected records; empty between conversions
    pub(crate) rejects: RowBuffer,
    walker: Option<Walker>,
}

impl Workspace {
    /// A walker of this projection, which may have learnt of other files: that changes nothing in
    /// what it finds.
    pub(crate) fn take_walker(&mut self, projection: &Projection) -> Walker {
        self.walker.take().unwrap_or_else(|| Walker::new(projection.clone()))
    }

    pub(crate) fn leave_walker(&mut self, walker: Walker) {
        // One that has no more room to learn would not learn what the next file is like.
        self.walker = Some(walker).filter(Walker::has_room);
    }
}

/// Workspaces of one plan that are not in use.
#[derive(Debug, Clone, Default)]
pub(crate) struct Workspaces(Arc<Mutex<Vec<Workspace>>>);

impl Workspaces {
    pub(crate) fn take(&self) -> Workspace {
        let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        free.pop().unwrap_or_default()
    }

    pub(crate) fn leave(&self, mut workspace: Workspace) {
        if workspace.window.len() + workspace.rows.capacity() > MOST_KEPT {
            return;
        }
        workspace.rows.truncate(0);
        workspace.rejects.truncate(0);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(workspace);
    }
}
