//! Files that appear whole or not at all: written under a temporary name beside their place, and
//! renamed when they are complete.

use std::io::{self, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use tempfile::{NamedTempFile, TempPath};

/// A file that is being written. Dropped before it is published, it leaves nothing behind.
#[derive(Debug)]
pub(crate) struct PendingFile {
    // Dropped before the folders, which have to be empty by then.
    file: NamedTempFile,
    folders: MadeFolders,
    path: PathBuf,
}

/// Folders that were made for files; in the end those are removed that nothing is in.
#[derive(Debug, Default)]
pub(crate) struct MadeFolders(Vec<PathBuf>);

impl MadeFolders {
    /// Makes the folders, and those around them, that are not there yet.
    pub(crate) fn make(folders: &[&Path]) -> io::Result<Self> {
        let mut made = Self::default();
        for folder in folders {
            let is_missing = |path: &&Path| !path.as_os_str().is_empty() && !path.exists();
            let missing = folder.ancestors().take_while(is_missing);
            made.0.extend(missing.map(Path::to_owned));
            fs_err::create_dir_all(folder)?;
        }
        // Inner ones before those around them.
        made.0.sort_by_key(|folder| std::cmp::Reverse(folder.components().count()));
        Ok(made)
    }
}

impl Drop for MadeFolders {
    fn drop(&mut self) {
        for folder in &self.0 {
            // Refused, as it should be, if something is in it.
            let _ = std::fs::remove_dir(folder);
        }
    }
}

impl PendingFile {
    /// Begins the file that will be at `path`; folders around it are made.
    pub(crate) fn create(path: &Path) -> anyhow::Result<Self> {
        let folder = folder_of(path);
        // Renaming would put a file in the place of a link or a device, such as /dev/stdout.
        if std::fs::symlink_metadata(path).is_ok_and(|found| !found.is_file()) {
            bail!("{} is there already and is no regular file", path.display());
        }
        let folders = MadeFolders::make(&[folder])?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(".personalize-").suffix(".tmp");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            // As any other new file: whatever the umask leaves.
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let file = builder
            .tempfile_in(folder)
            .with_context(|| format!("cannot write in {}", folder.display()))?;
        Ok(Self { file, folders, path: path.to_owned() })
    }

    /// How long the file is so far.
    pub(crate) fn length(&mut self) -> io::Result<u64> {
        self.file.as_file_mut().stream_position()
    }

    /// Takes back what was written behind that length.
    pub(crate) fn truncate(&mut self, length: u64) -> io::Result<()> {
        let file = self.file.as_file_mut();
        file.set_len(length)?;
        file.seek(SeekFrom::Start(length))?;
        Ok(())
    }

    /// Ends writing; the file still has its temporary name, but is no longer open.
    pub(crate) fn complete(self) -> CompleteFile {
        CompleteFile { file: self.file.into_temp_path(), _folders: self.folders, path: self.path }
    }
}

/// A file that is written and waits to be put in its place. Dropped before, it leaves nothing.
#[derive(Debug)]
pub(crate) struct CompleteFile {
    // Dropped before the folders, which have to be empty by then.
    file: TempPath,
    _folders: MadeFolders,
    path: PathBuf,
}

impl CompleteFile {
    /// Puts the file in its place; one that was there before is replaced.
    pub(crate) fn publish(self) -> anyhow::Result<()> {
        let Self { file, path, _folders } = self;
        file.persist(&path).with_context(|| format!("cannot write {}", path.display()))
    }
}

impl Write for PendingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.as_file_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_file_mut().flush()
    }
}

/// The folder that a file is in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Writes a whole file at once.
pub(crate) fn write_file(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut file = PendingFile::create(path)?;
    file.write_all(text.as_bytes()).with_context(|| path.display().to_string())?;
    file.complete().publish()
}

/// Removes a file of an earlier run, if there is one.
pub(crate) fn remove_stale(path: &Path) -> io::Result<()> {
    match fs_err::remove_file(path) {
        Err(fault) if fault.kind() != io::ErrorKind::NotFound => Err(fault),
        _ => Ok(()),
    }
}
