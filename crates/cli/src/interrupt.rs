//! Ctrl-C and SIGTERM: work stops at the next block, and what is unfinished is removed.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on a signal sets the flag instead of ending the process.
pub(crate) fn install() {
    let handler = || INTERRUPTED.store(true, Ordering::Relaxed);
    if let Err(fault) = ctrlc::set_handler(handler) {
        eprintln!("warning: Ctrl-C will not clean up: {fault}");
    }
}

pub(crate) fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// An error once the process is interrupted, for whoever reads.
pub(crate) fn check() -> io::Result<()> {
    // Not ErrorKind::Interrupted, on which readers try again.
    if is_interrupted() { Err(io::Error::other("interrupted")) } else { Ok(()) }
}
