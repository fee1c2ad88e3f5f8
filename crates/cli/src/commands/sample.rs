//! `sample`: data to try things on.

use crate::arguments::SampleArguments;
use crate::failure::Failure;
use crate::samples;

pub(crate) fn run(arguments: &SampleArguments) -> Result<(), Failure> {
    let files = samples::write(
        arguments.kind,
        &arguments.directory,
        arguments.records,
        arguments.seed,
    )?;
    println!(
        "{} records in {files} files in {}",
        arguments.records,
        arguments.directory.display()
    );
    Ok(())
}
