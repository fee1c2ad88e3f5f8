//! Looks at samples of a source's files and says what a crawler would record.

use std::path::Path;
use std::sync::Arc;

use anyhow::bail;
use indicatif::ProgressBar;
use personalize_engine::infer::{Amount, FileKind, Profile};
use personalize_plan::Parameters;
use personalize_plan::glue::Table;

use crate::files::SourceFiles;
use crate::input::FileInput;

/// Files of a large source that are looked at, spread over all of it.
const MOST_FILES: usize = 200;
/// Bytes of each file that are looked at, at least.
const LEAST_BYTES: u64 = 16 * 1024;
/// A record of a large source counts as so many bytes, at least: what short records are like is
/// known from as many.
const RECORD_BYTES: u64 = 512;

/// What was found.
#[derive(Debug)]
pub(crate) struct Crawl {
    pub(crate) table: Table,
    pub(crate) profile: Profile,
    pub(crate) sampled_files: usize,
    pub(crate) whole: bool,
    /// Files that do not belong to the table, and why
    pub(crate) strangers: Vec<(String, String)>,
    /// Files that cannot be read to the end, and why
    pub(crate) damaged: Vec<(String, String)>,
}

impl Crawl {
    /// Looks at no more than about `most` bytes of the files.
    pub(crate) fn of(
        source: &Path,
        files: &SourceFiles,
        parameters: &Parameters,
        most: u64,
    ) -> anyhow::Result<Self> {
        let mut profile = Profile::expecting(parameters.source_columns());
        let (mut strangers, mut damaged) = (Vec::new(), Vec::new());
        let all = files.bytes() <= most;
        let chosen = if all { files.files.len() } else { files.files.len().min(MOST_FILES) };
        let most_of_each = if all {
            Amount { bytes: most, records: u64::MAX }
        } else {
            let bytes = (most / chosen.max(1) as u64).max(LEAST_BYTES);
            Amount { bytes, records: bytes / RECORD_BYTES }
        };
        let mut whole = chosen == files.files.len();
        for number in 0..chosen {
            let file = &files.files[number * files.files.len() / chosen];
            let input = Arc::new(FileInput::open(&file.path, &ProgressBar::hidden())?);
            match profile.sample(input, most_of_each, parameters.limits) {
                Ok(FileKind::Sampled { whole: read_whole }) => whole &= read_whole,
                Ok(FileKind::Empty) => {}
                Ok(FileKind::Different(kind)) => {
                    strangers.push((file.relative.clone(), kind.to_owned()));
                }
                Ok(FileKind::Unknown(kind)) => {
                    strangers.push((file.relative.clone(), format!("is {kind}")));
                }
                Err(fault) => {
                    damaged.push((file.relative.clone(), format!("cannot be read: {fault}")));
                }
            }
        }
        let keys = files.partition_keys();
        let location = source.display().to_string();
        let Some(table) = profile.table(&table_name(source), &location, &keys) else {
            let shown = source.display();
            match strangers.iter().chain(&damaged).next() {
                Some((file, why)) => bail!("{shown} has no file that can be read: {file} {why}"),
                None => bail!("{shown} holds nothing but white space"),
            }
        };
        if table.storage_descriptor.columns.is_empty() {
            let kind = profile.classification().unwrap_or("unknown");
            bail!("{location}: taken as {kind}, but not one record of {chosen} files can be read");
        }
        Ok(Self { table, profile, sampled_files: chosen, whole, strangers, damaged })
    }

    /// What was looked at, in words.
    pub(crate) fn sample_in_words(&self, files: &SourceFiles) -> String {
        let records = self.profile.records();
        let all = files.files.len();
        if self.whole {
            return format!("all {records} records of {all} files");
        }
        format!("{records} records from the beginnings of {} of {all} files", self.sampled_files)
    }
}

/// The name that a crawler would give a source's table: its folder's, in lower case.
fn table_name(source: &Path) -> String {
    let name = source.file_stem().map(|name| name.to_string_lossy().to_lowercase());
    let name: String = name
        .unwrap_or_default()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    if name.is_empty() { "source".to_owned() } else { name }
}
