//! Where a command's plan comes from: a file, a table, or a look at the source.

use std::path::Path;

use anyhow::Context as _;
use personalize_plan::glue::Table;
use personalize_plan::{ConversionPlan, Parameters, PlanError, propose, resolve};

use crate::arguments::{ParameterArguments, SampleSize};
use crate::crawl::Crawl;
use crate::failure::Failure;
use crate::files::SourceFiles;
use crate::overrides;

/// Files that do not belong to the table are named up to this number.
const MOST_WARNINGS: usize = 5;

/// Reads a plan that was made before.
pub(crate) fn read_plan(path: &Path) -> anyhow::Result<ConversionPlan> {
    let text = fs_err::read_to_string(path)?;
    ConversionPlan::from_json(&text).with_context(|| path.display().to_string())
}

/// The plan for a table that a crawler recorded.
pub(crate) fn plan_for_table(
    path: &Path,
    arguments: &ParameterArguments,
) -> Result<ConversionPlan, Failure> {
    let parameters = overrides::parameters(arguments)?;
    let text = fs_err::read_to_string(path)?;
    let table = Table::from_json(&text).with_context(|| path.display().to_string())?;
    Ok(resolve(&parameters, &table)?)
}

/// The plan for a source, after a look at it.
pub(crate) fn plan_for_source(
    source: &Path,
    files: &SourceFiles,
    sample: &SampleSize,
    arguments: &ParameterArguments,
    quiet: bool,
) -> Result<ConversionPlan, Failure> {
    let parameters = overrides::parameters(arguments)?;
    let crawl = Crawl::of(source, files, &parameters, sample.sample.0)?;
    if !quiet {
        for (file, why) in crawl.strangers.iter().take(MOST_WARNINGS) {
            eprintln!("warning: {file} {why}");
        }
    }
    resolve(&parameters, &crawl.table).map_err(|fault| {
        let hint = hint(&parameters, &crawl, files, &fault);
        Failure::Failed(anyhow::anyhow!("{fault}{hint}"))
    })
}

/// What could be tried where a column is missing: a column that looks like the one, more of the
/// source.
fn hint(parameters: &Parameters, crawl: &Crawl, files: &SourceFiles, fault: &PlanError) -> String {
    let PlanError::MissingColumn(missing) = fault else {
        return String::new();
    };
    let parameter = missing.parameter.as_str();
    let proposals = propose(parameters.dataset, parameters.domain, &crawl.profile.columns());
    let mut hint = String::new();
    if let Some(proposal) = proposals.iter().find(|proposal| proposal.parameter == parameter) {
        hint = format!("; try --parameter-overrides {parameter}={}", proposal.path);
    }
    if !crawl.whole {
        hint += &format!(
            "; only {} were looked at, more with --sample all",
            crawl.sample_in_words(files)
        );
    }
    hint
}
