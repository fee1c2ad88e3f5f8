//! `run`: artifacts, CSV and rejects in one folder.

use crate::arguments::RunArguments;
use crate::commands::convert::{check_apart, convert, csv_name, plan_for};
use crate::commands::generate::write_artifacts;
use crate::conversion::Target;
use crate::failure::Failure;
use crate::files::SourceFiles;
use crate::interrupt;

pub(crate) fn run(arguments: &RunArguments) -> Result<(), Failure> {
    let folder = &arguments.destination;
    let files = SourceFiles::find(&arguments.source)?;
    let plan = plan_for(&arguments.source, &files, &arguments.conversion)?;
    check_apart(&arguments.source, &[folder])?;
    let target = Target::OneFile(folder.join(csv_name(&plan)));
    let rejects = folder.join("rejects").join("rejects.jsonl");
    let converted =
        convert(&arguments.source, &files, &plan, &target, &rejects, &arguments.conversion);
    if !interrupt::is_interrupted() {
        // The artifacts hold what was decided, which is of use also if a file failed.
        write_artifacts(&plan, folder)?;
    }
    converted
}
