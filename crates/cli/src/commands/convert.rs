//! `convert`: a source to CSV.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use personalize_plan::ConversionPlan;
use serde_json::json;

use crate::arguments::{ConversionArguments, ConvertArguments};
use crate::conversion::{self, Conversion, Target};
use crate::failure::Failure;
use crate::files::SourceFiles;
use crate::plan_source::{plan_for_source, plan_for_table, read_plan};
use crate::progress;
use crate::stdout;

/// Files that failed are named up to this number.
const MOST_FAILURES: usize = 20;

pub(crate) fn run(arguments: &ConvertArguments) -> Result<(), Failure> {
    let files = SourceFiles::find(&arguments.source)?;
    let plan = match &arguments.plan {
        Some(path) => read_plan(path)?,
        None => plan_for(&arguments.source, &files, &arguments.conversion)?,
    };
    let destination = &arguments.destination;
    if destination.to_string_lossy().starts_with("s3://") {
        return Err(Failure::Failed(anyhow::anyhow!(
            "{0}: nothing is written to S3 from here; write to a file and copy it with \
             `aws s3 cp FILE {0}`",
            destination.display()
        )));
    }
    let target = if arguments.per_file {
        Target::PerFile(destination.clone())
    } else {
        Target::OneFile(csv_path(destination, &plan))
    };
    let rejects = match &arguments.rejects {
        Some(folder) => folder.clone(),
        None => with_suffix(target.path(), ".rejects")?,
    };
    let rejects = rejects.join("rejects.jsonl");
    check_apart(&arguments.source, &[target.path(), &rejects])?;
    convert(&arguments.source, &files, &plan, &target, &rejects, &arguments.conversion)
}

impl Target {
    fn path(&self) -> &Path {
        match self {
            Self::OneFile(path) | Self::PerFile(path) => path,
        }
    }
}

/// The plan that `--table`, or else a look at the source, gives.
pub(crate) fn plan_for(
    source: &Path,
    files: &SourceFiles,
    arguments: &ConversionArguments,
) -> Result<ConversionPlan, Failure> {
    match &arguments.table {
        Some(table) => plan_for_table(table, &arguments.parameters),
        None => plan_for_source(
            source,
            files,
            &arguments.sample,
            &arguments.parameters,
            arguments.quiet,
        ),
    }
}

/// Converts, puts the results in their places and says what came of it.
pub(crate) fn convert(
    source: &Path,
    files: &SourceFiles,
    plan: &ConversionPlan,
    target: &Target,
    rejects: &Path,
    arguments: &ConversionArguments,
) -> Result<(), Failure> {
    let started = Instant::now();
    if !arguments.quiet && !arguments.json {
        for note in &plan.notes {
            eprintln!("note: {note}");
        }
    }
    let threads = arguments.threads.map(usize::from);
    let threads =
        threads.or_else(|| std::thread::available_parallelism().ok().map(usize::from)).unwrap_or(1);
    let bar = progress::bar(files.bytes(), arguments.quiet);
    let finished = conversion::convert(plan, &files.files, target, rejects, threads, &bar)?;

    let counts = &finished.conversion.counts;
    let (rejected, read) = (counts.rejected(), counts.records_read);
    let too_many = arguments.max_rejects.is_some_and(|most| most.is_exceeded(rejected, read));
    let all_failed = finished.conversion.failures.len() == files.files.len();
    let conversion = if too_many || all_failed {
        finished.publish_rejects_only()?
    } else {
        finished.publish()?
    };
    let summary = Summary {
        source,
        notes: &plan.notes,
        files: files.files.len(),
        target,
        rejects,
        conversion: &conversion,
        written: !too_many && !all_failed,
        seconds: started.elapsed().as_secs_f64(),
    };
    if arguments.json {
        stdout::print(&format!("{}\n", summary.json()))?;
    } else if !arguments.quiet {
        stdout::print(&summary.words()?)?;
    }
    for (_, fault) in conversion.failures.iter().take(MOST_FAILURES) {
        eprintln!("error: {fault}");
    }
    if conversion.failures.len() > MOST_FAILURES {
        eprintln!("error: and {} more files", conversion.failures.len() - MOST_FAILURES);
    }
    if too_many {
        return Err(Failure::Failed(anyhow::anyhow!(
            "{rejected} of {read} records were rejected, more than --max-rejects allows; no CSV was \
             written, and the rejected records are in {}",
            rejects.display()
        )));
    }
    if conversion.failures.is_empty() { Ok(()) } else { Err(Failure::Reported) }
}

struct Summary<'a> {
    source: &'a Path,
    notes: &'a [String],
    files: usize,
    target: &'a Target,
    rejects: &'a Path,
    conversion: &'a Conversion,
    written: bool,
    seconds: f64,
}

impl Summary<'_> {
    fn json(&self) -> serde_json::Value {
        let counts = &self.conversion.counts;
        let failed: Vec<_> = self
            .conversion
            .failures
            .iter()
            .map(|(file, fault)| json!({ "file": file, "error": fault }))
            .collect();
        json!({
            "records_read": counts.records_read,
            "records_written": counts.records_written,
            "rows_written": counts.rows_written,
            "filtered": counts.filtered,
            "rejected": counts.rejected(),
            "rejected_by_reason": counts.rejected_by_reason,
            "files": self.files,
            "files_failed": failed,
            "bytes_read": counts.bytes_read,
            "bytes_decoded": counts.bytes_decoded,
            "seconds": self.seconds,
            "notes": self.notes,
            "source": self.source,
            "output": self.written.then(|| self.target.path()),
            "rejects": (counts.rejected() > 0).then_some(self.rejects),
        })
    }

    fn words(&self) -> Result<String, std::fmt::Error> {
        let counts = &self.conversion.counts;
        let mut out = String::new();
        let megabytes = counts.bytes_read as f64 / 1e6;
        writeln!(
            out,
            "{:>12} records read from {} files ({megabytes:.1} MB) in {:.2} s",
            counts.records_read,
            self.files - self.conversion.failures.len(),
            self.seconds,
        )?;
        let to = match self.written {
            true => format!("to {}", self.target.path().display()),
            false => "nowhere, since the conversion failed".to_owned(),
        };
        writeln!(
            out,
            "{:>12} written, as {} rows, {to}",
            counts.records_written, counts.rows_written
        )?;
        writeln!(out, "{:>12} filtered by event type", counts.filtered)?;
        write!(out, "{:>12} rejected", counts.rejected())?;
        if counts.rejected() > 0 {
            write!(out, ", see {}", self.rejects.display())?;
        }
        writeln!(out)?;
        for (reason, count) in &counts.rejected_by_reason {
            writeln!(out, "{count:>16} {reason}")?;
        }
        let failed = self.conversion.failures.len();
        if failed > 0 {
            writeln!(out, "{failed:>12} files failed; nothing of them was written")?;
        }
        Ok(out)
    }
}

/// The CSV: the destination itself, or in it if it is a folder.
fn csv_path(destination: &Path, plan: &ConversionPlan) -> PathBuf {
    let is_folder = destination.is_dir() || destination.to_string_lossy().ends_with('/');
    if is_folder { destination.join(csv_name(plan)) } else { destination.to_owned() }
}

/// The name of a dataset's CSV: `interactions.csv`.
pub(crate) fn csv_name(plan: &ConversionPlan) -> String {
    format!("{}.csv", plan.dataset.name().to_lowercase())
}

/// The path with something behind its name; `.` and `..` have the name of the folder they mean.
fn with_suffix(path: &Path, suffix: &str) -> anyhow::Result<PathBuf> {
    let named = match path.file_name() {
        Some(_) => path.to_owned(),
        None => fs_err::canonicalize(path)?,
    };
    let name = named.file_name().unwrap_or_default().to_string_lossy();
    Ok(named.with_file_name(format!("{name}{suffix}")))
}

/// Refuses to write below a source folder, where the next run would read it as raw data, or over
/// the source file.
pub(crate) fn check_apart(source: &Path, outputs: &[&Path]) -> anyhow::Result<()> {
    let source = fs_err::canonicalize(source)?;
    for output in outputs {
        // What is not there yet has the place of the nearest folder that is.
        let output = std::path::absolute(output)?;
        let existing = output.ancestors().find_map(|path| Some((path, path.canonicalize().ok()?)));
        let Some((existing, canonical)) = existing else {
            continue;
        };
        let rest = output.strip_prefix(existing).unwrap_or(Path::new(""));
        if canonical.join(rest).starts_with(&source) {
            anyhow::bail!(
                "{} lies in the source {}, where it would be read as raw data the next time; \
                 write somewhere else",
                output.display(),
                source.display()
            );
        }
    }
    Ok(())
}
