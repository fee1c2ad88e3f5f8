//! A file as the engine reads it: until the process is interrupted, with the bar moved on.

use std::io::{self, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use fs_err::File;
use indicatif::ProgressBar;
use personalize_engine::Input;

use crate::interrupt;

/// An open file.
pub(crate) struct FileInput {
    path: PathBuf,
    size: u64,
    /// For reads by range; a stream has a cursor of its own
    file: Mutex<File>,
    bar: ProgressBar,
}

impl FileInput {
    pub(crate) fn open(path: &Path, bar: &ProgressBar) -> io::Result<Self> {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), size, file: Mutex::new(file), bar: bar.clone() })
    }
}

impl Input for FileInput {
    fn size(&self) -> u64 {
        self.size
    }

    fn stream(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(Stream { file: File::open(&self.path)?, bar: self.bar.clone() }))
    }

    fn read_range(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        interrupt::check()?;
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = vec![0; length];
        file.read_exact(&mut bytes)?;
        self.bar.inc(length as u64);
        Ok(bytes.into())
    }
}

struct Stream {
    file: File,
    bar: ProgressBar,
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        interrupt::check()?;
        let count = self.file.read(buffer)?;
        self.bar.inc(count as u64);
        Ok(count)
    }
}
