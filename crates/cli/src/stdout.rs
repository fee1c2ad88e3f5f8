//! Printing on stdout, which may be closed before everything is read.

use std::io::{self, Write as _};

use anyhow::Context as _;

/// Prints the text. That nobody reads on, as behind `| head`, is no fault.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(fault) if fault.kind() != io::ErrorKind::BrokenPipe => {
            Err(fault).context("cannot write to stdout")
        }
        _ => Ok(()),
    }
}
