//! `crawl`: what a source holds, and a mapping that could be.

use std::fmt::Write as _;
use std::path::Path;

use personalize_plan::{Parameters, Proposal, propose};

use crate::arguments::CrawlArguments;
use crate::crawl::Crawl;
use crate::failure::Failure;
use crate::files::SourceFiles;
use crate::overrides;
use crate::stdout;

/// Files that do not belong to the table are listed up to this number.
const MOST_STRANGERS: usize = 10;

pub(crate) fn run(arguments: &CrawlArguments) -> Result<(), Failure> {
    let parameters = overrides::parameters(&arguments.parameters)?;
    let files = SourceFiles::find(&arguments.source)?;
    let crawl = Crawl::of(&arguments.source, &files, &parameters, arguments.sample.sample.0)?;
    if arguments.json {
        stdout::print(&(crawl.table.to_json() + "\n"))?;
        for (file, why) in crawl.strangers.iter().chain(&crawl.damaged) {
            eprintln!("warning: {file} {why}");
        }
    } else {
        stdout::print(&report(&arguments.source, &parameters, &files, &crawl)?)?;
    }
    Ok(())
}

fn report(
    source: &Path,
    parameters: &Parameters,
    files: &SourceFiles,
    crawl: &Crawl,
) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    let table = &crawl.table;
    let parameter = |name| table.parameter(name).unwrap_or("none");
    writeln!(
        out,
        "table       {} ({}, compression {})",
        table.name,
        parameter("classification"),
        parameter("compressionType")
    )?;
    writeln!(
        out,
        "files       {} ({} empty and {} hidden ones passed over)",
        files.files.len(),
        files.empty,
        files.hidden
    )?;
    writeln!(out, "sample      {}", crawl.sample_in_words(files))?;
    if crawl.profile.faults() > 0 {
        writeln!(out, "            {} records could not be read", crawl.profile.faults())?;
    }
    if let Some(delimiter) = table.parameter("delimiter") {
        let header = table.parameter("skip.header.line.count").is_some();
        let header = if header { "the first row names the columns" } else { "no header" };
        writeln!(out, "delimiter   {delimiter:?}, {header}")?;
    }
    if !table.partition_keys.is_empty() {
        let keys: Vec<&str> = table.partition_keys.iter().map(|key| key.name.as_str()).collect();
        writeln!(out, "partitions  {}", keys.join(", "))?;
    }
    writeln!(out, "columns")?;
    let columns = &table.storage_descriptor.columns;
    let width = columns.iter().map(|column| column.name.chars().count()).max().unwrap_or(0);
    for column in columns {
        writeln!(out, "  {:width$}  {}", table.original_name(&column.name), column.type_name)?;
    }
    let conflicts = crawl.profile.conflicts();
    if !conflicts.is_empty() {
        writeln!(out, "conflicts")?;
        for conflict in conflicts {
            writeln!(
                out,
                "  `{}`: {}; taken as {}",
                conflict.path, conflict.found, conflict.resolved
            )?;
        }
    }
    let strangers: Vec<_> = crawl.strangers.iter().chain(&crawl.damaged).collect();
    if !strangers.is_empty() {
        writeln!(out, "not part of the table")?;
        for (file, why) in strangers.iter().take(MOST_STRANGERS) {
            writeln!(out, "  {file} {why}")?;
        }
        if strangers.len() > MOST_STRANGERS {
            writeln!(out, "  and {} more", strangers.len() - MOST_STRANGERS)?;
        }
    }
    let proposals = propose(parameters.dataset, parameters.domain, &crawl.profile.columns());
    write_proposals(&mut out, source, parameters, &proposals)?;
    Ok(out)
}

fn write_proposals(
    out: &mut String,
    source: &Path,
    parameters: &Parameters,
    proposals: &[Proposal],
) -> std::fmt::Result {
    writeln!(out, "mapping proposed for {}", parameters.dataset)?;
    for proposal in proposals {
        writeln!(out, "  `{}` -> {}: {}", proposal.path, proposal.field, proposal.reason)?;
    }
    let rules = parameters.dataset.fields(parameters.domain);
    for rule in rules.iter().filter(|rule| rule.required) {
        if proposals.iter().all(|proposal| proposal.field != rule.name) {
            writeln!(out, "  nothing looks like {}, which is required", rule.name)?;
        }
    }
    if proposals.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nTo convert with this mapping:")?;
    let quoted = |text: &str| shlex::try_quote(text).map_or_else(|_| text.to_owned(), Into::into);
    write!(
        out,
        "  personalize-pipeline convert {} {}.csv --parameter-overrides",
        quoted(&source.to_string_lossy()),
        parameters.dataset.name().to_lowercase()
    )?;
    if parameters.dataset != Parameters::default().dataset {
        write!(out, " \\\n    PersonalizeDatasetName={}", parameters.dataset)?;
    }
    for proposal in proposals {
        let pair = format!("{}={}", proposal.parameter, quoted(&proposal.path.to_string()));
        write!(out, " \\\n    {pair}")?;
    }
    writeln!(out)
}
