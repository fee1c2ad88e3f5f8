//! Many files to one output: converted at the same time, written in the order of their names.
//!
//! The file whose turn it is streams into the output itself. Files ahead of it are kept, small
//! ones in memory and larger ones in temporary files, until it is their turn; no thread goes
//! further ahead than [`AHEAD`] files, so that memory stays constant. A large file waits for its turn
//! and is then converted by all threads.

use std::collections::BTreeMap;
use std::io::{self, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use indicatif::ProgressBar;
use personalize_engine::{ConvertError, Converter, Counts, SourceFile, partition_values};
use personalize_plan::ConversionPlan;
use tempfile::SpooledTempFile;

use crate::files::InputFile;
use crate::input::FileInput;
use crate::interrupt;
use crate::output::{self, CompleteFile, MadeFolders, PendingFile};
use crate::parts::{self, Unsplit};

/// How many files may be done before their turn.
const AHEAD: usize = 16;
/// A file's results are kept in memory up to this size.
const IN_MEMORY: usize = 512 * 1024;

/// Files of at least that size are converted in parts, where there are several threads.
const LARGE: u64 = 4 << 20;

/// Where the rows go.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// All into one CSV
    OneFile(PathBuf),
    /// Each source file's into a CSV of its own, in this folder
    PerFile(PathBuf),
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Conversion {
    pub(crate) counts: Counts,
    /// Files that failed as a whole, and why
    pub(crate) failures: Vec<(String, String)>,
}

/// The results of all files, before they are put in their places.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) conversion: Conversion,
    rejects: PendingFile,
    rejects_path: PathBuf,
    csvs: Vec<CompleteFile>,
    /// CSVs of earlier runs that this run has no rows for
    stale: Vec<PathBuf>,
    // Dropped last, when no temporary file is left in them.
    _folders: MadeFolders,
}

impl Finished {
    /// Puts the rejects and then the CSVs in their places, so that no CSV is there without its
    /// rejects. What an earlier run left there and this run has none of is removed.
    pub(crate) fn publish(self) -> anyhow::Result<Conversion> {
        if self.conversion.counts.rejected() > 0 {
            self.rejects.complete().publish()?;
        } else {
            drop(self.rejects);
            output::remove_stale(&self.rejects_path)?;
        }
        for csv in self.csvs {
            csv.publish()?;
        }
        for path in &self.stale {
            output::remove_stale(path)?;
        }
        Ok(self.conversion)
    }

    /// Puts only the rejects in their place, if there are any, and throws the CSVs away.
    pub(crate) fn publish_rejects_only(self) -> anyhow::Result<Conversion> {
        if self.conversion.counts.rejected() > 0 {
            self.rejects.complete().publish()?;
        }
        Ok(self.conversion)
    }
}

/// Converts the files and writes rows to `target` and rejects to `rejects_path`, all under
/// temporary names.
pub(crate) fn convert(
    plan: &ConversionPlan,
    files: &[InputFile],
    target: &Target,
    rejects_path: &Path,
    threads: usize,
    bar: &ProgressBar,
) -> anyhow::Result<Finished> {
    let folder = match target {
        Target::OneFile(path) => output::folder_of(path),
        Target::PerFile(folder) => folder,
    };
    let folders = MadeFolders::make(&[folder, output::folder_of(rejects_path)])?;
    let converter = Converter::new(plan);
    let header = converter.header();
    let csv = match target {
        Target::OneFile(path) => {
            let mut csv = PendingFile::create(path)?;
            csv.write_all(header.as_bytes())?;
            Some(csv)
        }
        Target::PerFile(_) => None,
    };
    let assembly = Assembly {
        turn: Mutex::new(Turn {
            next: 0,
            sink: Some(Sink { csv, rejects: PendingFile::create(rejects_path)? }),
            waiting: BTreeMap::new(),
            conversion: Conversion::default(),
            csvs: Vec::new(),
            without_rows: Vec::new(),
            fault: None,
        }),
        moved_on: Condvar::new(),
        names: match target {
            Target::OneFile(_) => Vec::new(),
            Target::PerFile(folder) => csv_names(files, folder),
        },
        converter,
        plan,
        files,
        header,
        threads,
        bar: bar.clone(),
    };
    let next = AtomicUsize::new(0);
    let work = || while assembly.convert_file(next.fetch_add(1, Ordering::Relaxed)) {};
    std::thread::scope(|scope| {
        for _ in 1..threads.min(files.len()) {
            scope.spawn(work);
        }
        // Memory that is freed stays with its thread: what the look at the source needed is used again.
        work();
    });
    bar.finish_and_clear();
    assembly.finish(rejects_path, folders)
}

struct Assembly<'a> {
    turn: Mutex<Turn>,
    moved_on: Condvar,
    names: Vec<PathBuf>,
    converter: Converter,
    plan: &'a ConversionPlan,
    files: &'a [InputFile],
    header: String,
    threads: usize,
    bar: ProgressBar,
}

/// Whose turn it is, and what waits for its own.
struct Turn {
    next: usize,
    /// The output, unless the file whose turn it is holds it
    sink: Option<Sink>,
    waiting: BTreeMap<usize, Part>,
    conversion: Conversion,
    csvs: Vec<CompleteFile>,
    /// Files that were converted and have no rows
    without_rows: Vec<usize>,
    /// What ends the whole conversion
    fault: Option<anyhow::Error>,
}

struct Sink {
    rejects: PendingFile,
    /// Nothing where each file has a CSV of its own
    csv: Option<PendingFile>,
}

/// A file's counts, or why it failed as a whole.
type Outcome = Result<Counts, String>;

/// A file's results that wait for their turn.
struct Part {
    outcome: Outcome,
    rows: SpooledTempFile,
    rejects: SpooledTempFile,
    csv: Option<CompleteFile>,
}

impl Assembly<'_> {
    /// Converts the file of that number; false if there is none, or the conversion has ended.
    fn convert_file(&self, number: usize) -> bool {
        let Some(file) = self.files.get(number) else {
            return false;
        };
        let mut turn = self.lock();
        // A large file is converted by all threads in its turn.
        let ahead = if self.is_split(file) && self.names.is_empty() { 0 } else { AHEAD };
        while turn.next + ahead < number && turn.fault.is_none() {
            turn = self.moved_on.wait(turn).unwrap_or_else(PoisonError::into_inner);
        }
        if turn.fault.is_some() || interrupt::is_interrupted() {
            return false;
        }
        let sink = if turn.next == number { turn.sink.take() } else { None };
        drop(turn);
        let done = match sink {
            Some(sink) => self.convert_in_turn(number, file, sink),
            None => self.convert_ahead(number, file),
        };
        let mut turn = self.lock();
        if let Err(fault) = done.and_then(|()| self.append_waiting(&mut turn)) {
            turn.fault.get_or_insert(fault);
        }
        self.moved_on.notify_all();
        turn.fault.is_none()
    }

    fn lock(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_split(&self, file: &InputFile) -> bool {
        self.threads > 1 && file.bytes >= LARGE
    }

    /// Streams the file into the output; if it fails, what it wrote is taken back.
    fn convert_in_turn(
        &self,
        number: usize,
        file: &InputFile,
        mut sink: Sink,
    ) -> anyhow::Result<()> {
        let rejects_before = sink.rejects.length()?;
        let (outcome, csv) = match &mut sink.csv {
            Some(csv) => {
                let before = csv.length()?;
                let outcome = self.convert_one(file, csv, &mut sink.rejects)?;
                if outcome.is_err() {
                    csv.truncate(before)?;
                }
                (outcome, None)
            }
            None => self.convert_to_own(number, file, &mut sink.rejects)?,
        };
        if outcome.is_err() {
            sink.rejects.truncate(rejects_before)?;
        }
        let mut turn = self.lock();
        turn.sink = Some(sink);
        turn.account(file, outcome, csv);
        Ok(())
    }

    fn convert_ahead(&self, number: usize, file: &InputFile) -> anyhow::Result<()> {
        let mut part = Part {
            outcome: Err(String::new()),
            rows: SpooledTempFile::new(IN_MEMORY),
            rejects: SpooledTempFile::new(IN_MEMORY),
            csv: None,
        };
        if self.names.is_empty() {
            part.outcome = self.convert_one(file, &mut part.rows, &mut part.rejects)?;
        } else {
            (part.outcome, part.csv) = self.convert_to_own(number, file, &mut part.rejects)?;
        }
        self.lock().waiting.insert(number, part);
        Ok(())
    }

    /// Converts the file to a CSV of its own; one without rows is not kept.
    fn convert_to_own(
        &self,
        number: usize,
        file: &InputFile,
        rejects: &mut impl Output,
    ) -> anyhow::Result<(Outcome, Option<CompleteFile>)> {
        let mut csv = PendingFile::create(&self.names[number])?;
        csv.write_all(self.header.as_bytes())?;
        let outcome = self.convert_one(file, &mut csv, rejects)?;
        let has_rows = outcome.as_ref().is_ok_and(|counts| counts.rows_written > 0);
        Ok((outcome, has_rows.then(|| csv.complete())))
    }

    /// Converts one file. What is wrong with the file fails that file; that results cannot be
    /// written, as on a full disk, ends the whole conversion.
    fn convert_one(
        &self,
        file: &InputFile,
        rows: &mut impl Output,
        rejects: &mut impl Output,
    ) -> anyhow::Result<Outcome> {
        let source = SourceFile {
            name: file.path.display().to_string(),
            partition_values: partition_values(&self.plan.source.partition_keys, &file.relative),
        };
        match self.convert_in_parts(file, &source, rows, rejects)? {
            Err(Unsplit::Whole) => {}
            Err(Unsplit::Failed(fault)) => return failed(&source, fault),
            Ok(counts) => return Ok(Ok(counts)),
        }
        let input = match FileInput::open(&file.path, &self.bar) {
            Ok(input) => Arc::new(input),
            Err(fault) => return Ok(Err(fault.to_string())),
        };
        match self.converter.convert(&source, input, rows, rejects) {
            Err(fault) => failed(&source, fault),
            Ok(counts) => Ok(Ok(counts)),
        }
    }

    /// Converts a large file with all threads, if it can be. If it turns out on the way that it
    /// cannot, what was written is taken back.
    fn convert_in_parts(
        &self,
        file: &InputFile,
        source: &SourceFile,
        rows: &mut impl Output,
        rejects: &mut impl Output,
    ) -> anyhow::Result<Result<Counts, Unsplit>> {
        if !self.is_split(file) {
            return Ok(Err(Unsplit::Whole));
        }
        let (rows_before, rejects_before) = (rows.length()?, rejects.length()?);
        // What is wrong with opening it is told when it is read in one piece.
        let Ok(input) = FileInput::open(&file.path, &self.bar).map(Arc::new) else {
            return Ok(Err(Unsplit::Whole));
        };
        let Ok(Some(splitter)) = self.converter.split(input.clone()) else {
            input.take_back_progress();
            return Ok(Err(Unsplit::Whole));
        };
        let conversion = parts::Conversion { converter: &self.converter, file: source };
        let converted = conversion.run(splitter, self.threads, &mut *rows, &mut *rejects);
        if matches!(converted, Err(Unsplit::Whole)) {
            input.take_back_progress();
            rows.truncate(rows_before)?;
            rejects.truncate(rejects_before)?;
        }
        Ok(converted)
    }

    /// Appends the parts whose turn it is by now.
    fn append_waiting(&self, turn: &mut Turn) -> anyhow::Result<()> {
        while let Some(mut sink) = turn.sink.take() {
            let Some(mut part) = turn.waiting.remove(&turn.next) else {
                turn.sink = Some(sink);
                break;
            };
            if part.outcome.is_ok() {
                append(&mut part.rejects, &mut sink.rejects)?;
                if let Some(csv) = &mut sink.csv {
                    append(&mut part.rows, csv)?;
                }
            }
            turn.sink = Some(sink);
            let file = &self.files[turn.next];
            turn.account(file, part.outcome, part.csv);
        }
        Ok(())
    }

    fn finish(self, rejects_path: &Path, folders: MadeFolders) -> anyhow::Result<Finished> {
        let turn = self.turn.into_inner().unwrap_or_else(PoisonError::into_inner);
        if interrupt::is_interrupted() {
            anyhow::bail!("interrupted");
        }
        if let Some(fault) = turn.fault {
            return Err(fault);
        }
        let sink = turn.sink.context("the output is still in use")?;
        let stale = turn.without_rows.iter().filter_map(|at| self.names.get(*at));
        Ok(Finished {
            conversion: turn.conversion,
            stale: stale.cloned().collect(),
            csvs: turn.csvs.into_iter().chain(sink.csv.map(PendingFile::complete)).collect(),
            rejects: sink.rejects,
            rejects_path: rejects_path.to_owned(),
            _folders: folders,
        })
    }
}

/// What fails a file, or with its output the whole conversion.
fn failed(source: &SourceFile, fault: ConvertError) -> anyhow::Result<Outcome> {
    match fault {
        ConvertError::Write(fault) => Err(fault).context("the output cannot be written"),
        fault => Ok(Err(format!("{} {fault}", source.name))),
    }
}

/// Where results are written to, and can be taken back.
trait Output: Write {
    /// How long it is so far.
    fn length(&mut self) -> io::Result<u64>;

    /// Takes back what was written behind that length.
    fn truncate(&mut self, length: u64) -> io::Result<()>;
}

impl Output for PendingFile {
    fn length(&mut self) -> io::Result<u64> {
        PendingFile::length(self)
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        PendingFile::truncate(self, length)
    }
}

impl Output for SpooledTempFile {
    fn length(&mut self) -> io::Result<u64> {
        self.stream_position()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)?;
        self.seek(SeekFrom::Start(length)).map(|_| ())
    }
}

impl Turn {
    /// Takes the results of the file whose turn it is into the account.
    fn account(&mut self, file: &InputFile, outcome: Outcome, csv: Option<CompleteFile>) {
        match outcome {
            Ok(counts) => {
                if csv.is_none() && counts.rows_written == 0 {
                    self.without_rows.push(self.next);
                }
                self.conversion.counts.add(&counts);
            }
            Err(fault) => {
                self.conversion.failures.push((file.path.display().to_string(), fault));
            }
        }
        self.csvs.extend(csv);
        self.next += 1;
    }
}

fn append(part: &mut SpooledTempFile, output: &mut PendingFile) -> io::Result<()> {
    part.seek(SeekFrom::Start(0))?;
    io::copy(part, output).map(|_| ())
}

/// Endings that say how a file is written, which a CSV's name is without.
const ENDINGS: [&str; 25] = [
    ".gz", ".gzip", ".bz2", ".zst", ".zstd", ".xz", ".lz4", ".snappy", ".sz", ".zip", ".json",
    ".jsonl", ".ndjson", ".csv", ".tsv", ".txt", ".log", ".parquet", ".orc", ".avro", ".xml",
    ".ion", ".10n", ".bson", ".pq",
];

/// The CSV of each file, flat in one folder, since Personalize imports a folder's first level
/// only: `2024/01/a.json.gz` becomes `2024-01-a.csv`.
fn csv_names(files: &[InputFile], folder: &Path) -> Vec<PathBuf> {
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    let mut name_of = |file: &InputFile| {
        let flat = file.relative.replace('/', "-");
        let mut stem = flat.as_str();
        while let Some(shorter) = ENDINGS.iter().find_map(|ending| stem.strip_suffix(ending)) {
            stem = shorter;
        }
        let count = taken.entry(stem.to_owned()).or_default();
        *count += 1;
        match *count {
            1 => format!("{stem}.csv"),
            more => format!("{stem}.{more}.csv"),
        }
    };
    files.iter().map(|file| folder.join(name_of(file))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_get_flat_names_of_their_own() {
        let files: Vec<InputFile> =
            ["2024/01/a.json.gz", "2024/01/a.json", "2024-01/a", "b.2024-01.log"]
                .map(|relative| InputFile {
                    path: PathBuf::new(),
                    relative: relative.to_owned(),
                    bytes: 1,
                })
                .into();
        let names = csv_names(&files, Path::new("out"));
        let expected = ["2024-01-a.csv", "2024-01-a.2.csv", "2024-01-a.3.csv", "b.2024-01.csv"];
        assert_eq!(names, expected.map(|name| Path::new("out").join(name)));
    }
}
