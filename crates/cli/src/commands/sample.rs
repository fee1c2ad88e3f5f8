//! `sample`: data to try things on.

use crate::arguments::SampleArguments;
use crate::failure::Failure;
use crate::samples;
use crate::stdout;

pub(crate) fn run(arguments: &SampleArguments) -> Result<(), Failure> {
    let files =
        samples::write(arguments.kind, &arguments.directory, arguments.records, arguments.seed)?;
    let folder = arguments.directory.display();
    stdout::print(&format!("{} records in {files} files in {folder}\n", arguments.records))?;
    Ok(())
}
