//! The files of a source, as a crawler would find them.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

/// The files of a source, sorted by their names.
#[derive(Debug, Clone)]
pub(crate) struct SourceFiles {
    pub(crate) files: Vec<InputFile>,
    /// Files that were passed over since they are empty
    pub(crate) empty: usize,
    /// Files and folders that were passed over since their names begin with `.` or `_`
    pub(crate) hidden: usize,
}

/// A single file's name with those of the folders it was given with that say `key=value`: the
/// others depend on how the path was typed.
fn name_of_single(path: &Path) -> String {
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    let last = parts.len().saturating_sub(1);
    let kept = parts.iter().enumerate().filter(|(at, part)| *at == last || part.contains('='));
    kept.map(|(_, part)| part.as_ref()).collect::<Vec<_>>().join("/")
}

/// One file of a source.
#[derive(Debug, Clone)]
pub(crate) struct InputFile {
    pub(crate) path: PathBuf,
    /// The path below the source's folder, with `/` between its parts
    pub(crate) relative: String,
    pub(crate) bytes: u64,
}

impl SourceFiles {
    /// Finds the files of `source`, which is a file or a folder.
    pub(crate) fn find(source: &Path) -> anyhow::Result<Self> {
        let shown = source.display();
        if source.to_string_lossy().starts_with("s3://") {
            bail!(
                "{shown}: objects in S3 are not read from here; copy them first with \
                 `aws s3 sync {shown} FOLDER`"
            );
        }
        let metadata = source.metadata().with_context(|| format!("cannot read {shown}"))?;
        let mut found = Self { files: Vec::new(), empty: 0, hidden: 0 };
        if metadata.is_file() {
            found.add(source.to_owned(), name_of_single(source), metadata.len());
        } else if metadata.is_dir() {
            found.add_folder(source)?;
        } else {
            bail!("{shown} is neither a file nor a folder");
        }
        if found.files.is_empty() {
            bail!(
                "{shown} holds nothing to read ({} empty and {} hidden files passed over)",
                found.empty,
                found.hidden
            );
        }
        found.files.sort_by(|a, b| a.relative.cmp(&b.relative));
        Ok(found)
    }

    fn add_folder(&mut self, source: &Path) -> anyhow::Result<()> {
        let mut hidden = 0;
        let walk = walkdir::WalkDir::new(source).follow_links(true).min_depth(1).into_iter();
        for entry in walk.filter_entry(|entry| {
            let shown = !entry.file_name().to_string_lossy().starts_with(['.', '_']);
            hidden += usize::from(!shown);
            shown
        }) {
            let entry = entry?;
            if entry.file_type().is_file() {
                let below = entry.path().strip_prefix(source).unwrap_or(entry.path());
                let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
                self.add(entry.path().to_owned(), parts.join("/"), entry.metadata()?.len());
            }
        }
        self.hidden = hidden;
        Ok(())
    }

    fn add(&mut self, path: PathBuf, relative: String, bytes: u64) {
        if bytes == 0 {
            self.empty += 1;
        } else {
            self.files.push(InputFile { path, relative, bytes });
        }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// The partition keys that the folders give.
    pub(crate) fn partition_keys(&self) -> Vec<String> {
        personalize_engine::partition_keys(self.files.iter().map(|file| file.relative.as_str()))
    }
}
