//! A file as the engine reads it: until the process is interrupted, with the bar moved on.

use std::io::{self, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    progress: Arc<Progress>,
    buffers: Arc<Buffers>,
}

/// How far the bar was moved for one file.
struct Progress {
    bar: ProgressBar,
    bytes: AtomicU64,
}

impl Progress {
    fn read(&self, count: usize) {
        self.bytes.fetch_add(count as u64, Ordering::Relaxed);
        self.bar.inc(count as u64);
    }
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
        let progress = Arc::new(Progress { bar: bar.clone(), bytes: AtomicU64::new(0) });
        Ok(Self { path: path.to_owned(), size, handle, progress, buffers: Arc::default() })
    }

    /// Moves the bar back, as if nothing had been read.
    pub(crate) fn take_back_progress(&self) {
        self.progress.bar.dec(self.progress.bytes.swap(0, Ordering::Relaxed));
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
        Ok(Box::new(Stream { file, progress: self.progress.clone() }))
    }

    fn read_range(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        interrupt::check()?;
        let mut handle = self.handle();
        let mut file = match std::mem::replace(&mut *handle, Handle::Taken) {
            Handle::Unused(file) | Handle::Ranges(file) => file,
            Handle::Taken => File::open(&self.path)?,
        };
        let mut range = Range { bytes: self.buffers.take(length), buffers: self.buffers.clone() };
        let read = file.seek(SeekFrom::Start(offset));
        let read = read.and_then(|_| file.read_exact(&mut range.bytes));
        *handle = Handle::Ranges(file);
        drop(handle);
        read?;
        self.progress.read(length);
        Ok(Bytes::from_owner(range))
    }
}

/// Memory of large ranges that are done with: it is there already, where new memory is made page by
/// page.
#[derive(Default)]
struct Buffers(Mutex<Vec<Vec<u8>>>);

impl Buffers {
    /// Bytes from which on a range is large.
    const LARGE: usize = 128 * 1024;

    fn unused(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many bytes, whatever they are.
    fn take(&self, length: usize) -> Vec<u8> {
        let unused = if length < Self::LARGE { None } else { self.unused().pop() };
        let mut buffer = unused.unwrap_or_default();
        buffer.resize(length, 0);
        buffer
    }

    fn give_back(&self, buffer: Vec<u8>) {
        if buffer.len() >= Self::LARGE {
            self.unused().push(buffer);
        }
    }
}

/// The bytes of a range.
struct Range {
    bytes: Vec<u8>,
    buffers: Arc<Buffers>,
}

impl AsRef<[u8]> for Range {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Range {
    fn drop(&mut self) {
        self.buffers.give_back(std::mem::take(&mut self.bytes));
    }
}

struct Stream {
    file: File,
    progress: Arc<Progress>,
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        interrupt::check()?;
        let count = self.file.read(buffer)?;
        self.progress.read(count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_is_read_again_the_bar_shows_the_second_time_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.json");
        fs_err::write(&path, "0123456789").unwrap();
        let bar = ProgressBar::hidden();
        let first = FileInput::open(&path, &bar).unwrap();
        assert_eq!(io::read_to_string(first.stream().unwrap()).unwrap(), "0123456789");
        assert_eq!(first.read_range(7, 2).unwrap(), "78");
        assert_eq!(bar.position(), 12);
        first.take_back_progress();
        let second = FileInput::open(&path, &bar).unwrap();
        io::read_to_string(second.stream().unwrap()).unwrap();
        assert_eq!(bar.position(), 10);
    }
}
