//! The files of a source, as a crawler would find them.

use std::path::{Path, PathBuf};

use anyhow::bail;

/// The files of a source, sorted by their names.
#[derive(Debug, Clone)]
pub(crate) struct SourceFiles {
    pub(crate) files: Vec<InputFile>,
    /// Files that were passed over since they are empty
    pub(crate) empty: usize,
    /// Files that were passed over since they, or folders around them, begin with `.` or `_`
    pub(crate) hidden: usize,
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
        let metadata = fs_err::metadata(source)?;
        let mut found = Self {
            files: Vec::new(),
            empty: 0,
            hidden: 0,
        };
        if metadata.is_file() {
            // A single file's own folders may say year=2024 as well.
            let relative = source.to_string_lossy().replace('\\', "/");
            found.add(source.to_owned(), relative, metadata.len());
            return Ok(found);
        }
        for entry in walkdir::WalkDir::new(source)
            .follow_links(true)
            .sort_by_file_name()
        {
            let entry = entry?;
            if !entry.file_type().is_file() {
                continue;
            }
            let below = entry.path().strip_prefix(source).unwrap_or(entry.path());
            let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
            if parts.iter().any(|part| part.starts_with(['.', '_'])) {
                found.hidden += 1;
                continue;
            }
            let relative = parts.join("/");
            found.add(entry.path().to_owned(), relative, entry.metadata()?.len());
        }
        if found.files.is_empty() {
            bail!(
                "{shown} holds no files to read ({} empty and {} hidden ones passed over)",
                found.empty,
                found.hidden
            );
        }
        found.files.sort_by(|a, b| a.relative.cmp(&b.relative));
        Ok(found)
    }

    fn add(&mut self, path: PathBuf, relative: String, bytes: u64) {
        if bytes == 0 {
            self.empty += 1;
        } else {
            self.files.push(InputFile {
                path,
                relative,
                bytes,
            });
        }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// The partition keys that the folders give; a single file's only if they are Hive's.
    pub(crate) fn partition_keys(&self, source: &Path) -> Vec<String> {
        let paths = self.files.iter().map(|file| file.relative.as_str());
        let mut keys = personalize_engine::partition_keys(paths);
        if source.is_file() {
            keys.retain(|key| !key.starts_with("partition_"));
        }
        keys
    }
}
