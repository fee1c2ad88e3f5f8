//! A file as the engine reads it: until the process is interrupted, with the bar moved on.

use std::io::{self, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use fs_err::File;
use indicatif::ProgressBar;
use personalize_engine::Input;

use crate::interrupt;

/// An open file.
pub(crate) struct FileInput {
    path: PathBuf,
    size: u64,
    handle: Mutex<Handle>,
    bar: ProgressBar,
}

/// The file as it was opened first: of many small ones, each is opened once.
enum Handle {
    Unused(File),
    /// For reads by range
    Ranges(File),
    /// By a stream, which moves its cursor
    Taken,
}

impl FileInput {
    pub(crate) fn open(path: &Path, bar: &ProgressBar) -> io::Result<Self> {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        let handle = Mutex::new(Handle::Unused(file));
        Ok(Self { path: path.to_owned(), size, handle, bar: bar.clone() })
    }

    fn handle(&self) -> MutexGuard<'_, Handle> {
        self.handle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Input for FileInput {
    fn size(&self) -> u64 {
        self.size
    }

    fn stream(&self) -> io::Result<Box<dyn Read + Send>> {
        let file = {
            let mut handle = self.handle();
            match std::mem::replace(&mut *handle, Handle::Taken) {
                Handle::Unused(file) => file,
                other => {
                    *handle = other;
                    File::open(&self.path)?
                }
            }
        };
        Ok(Box::new(Stream { file, bar: self.bar.clone() }))
    }

    fn read_range(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        interrupt::check()?;
        let mut handle = self.handle();
        let mut file = match std::mem::replace(&mut *handle, Handle::Taken) {
            Handle::Unused(file) | Handle::Ranges(file) => file,
            Handle::Taken => File::open(&self.path)?,
        };
        let mut bytes = vec![0; length];
        let read = file.seek(SeekFrom::Start(offset)).and_then(|_| file.read_exact(&mut bytes));
        *handle = Handle::Ranges(file);
        drop(handle);
        read?;
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
