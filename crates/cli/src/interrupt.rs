//! Ctrl-C and SIGTERM: work stops at the next block, and what is unfinished is removed.

use std::io::{self, Read};
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

/// Reads until the process is interrupted.
pub(crate) struct Interruptible<R>(pub(crate) R);

impl<R: Read> Read for Interruptible<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if is_interrupted() {
            // Not ErrorKind::Interrupted, on which readers try again.
            return Err(io::Error::other("interrupted"));
        }
        self.0.read(buffer)
    }
}
