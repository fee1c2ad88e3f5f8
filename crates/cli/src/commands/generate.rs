//! `generate`: the plan's renderings as files.

use std::path::Path;

use personalize_plan::{Artifacts, ConversionPlan};

use crate::arguments::GenerateArguments;
use crate::commands::convert::check_apart;
use crate::failure::Failure;
use crate::files::SourceFiles;
use crate::output::write_file;
use crate::plan_source::{plan_for_source, plan_for_table};
use crate::stdout;

pub(crate) fn run(arguments: &GenerateArguments) -> Result<(), Failure> {
    let plan = match (&arguments.table, &arguments.source) {
        (Some(table), _) => plan_for_table(table, &arguments.parameters)?,
        (None, Some(source)) => {
            check_apart(source, &[&arguments.output])?;
            let files = SourceFiles::find(source)?;
            plan_for_source(source, &files, &arguments.sample, &arguments.parameters, false)?
        }
        (None, None) => return Err(Failure::usage(anyhow::anyhow!("give SOURCE or --table"))),
    };
    write_artifacts(&plan, &arguments.output)?;
    for note in &plan.notes {
        eprintln!("note: {note}");
    }
    let artifacts = "plan.json, schema.json, conversion_job.py, explore.sql and unload.sql";
    stdout::print(&format!("{artifacts} are in {}\n", arguments.output.display()))?;
    Ok(())
}

/// Writes all five artifacts into a folder.
pub(crate) fn write_artifacts(plan: &ConversionPlan, folder: &Path) -> anyhow::Result<()> {
    for (name, text) in Artifacts::render(plan)?.files() {
        write_file(&folder.join(name), text)?;
    }
    Ok(())
}
