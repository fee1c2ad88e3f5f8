//! The files in an input: itself, or the entries of the zip archive that it is.

use std::io::{self, Cursor, Read};
use std::sync::Arc;

use personalize_plan::Limits;

use super::guard::{Budget, Guard};
use super::layers::{Decompressed, read_head};
use super::zip::{Archive, Entry};
use super::{Compression, LimitFault, MAGIC_LENGTH, Reader};
use crate::input::Source;

/// Gives the files in a source one by one.
pub(crate) struct Files {
    budget: Arc<Budget>,
    content: Content,
}

enum Content {
    One(Option<Reader>),
    Entries(Arc<Archive>, std::vec::IntoIter<Entry>),
}

/// A file in a source, not yet read.
pub(crate) struct File {
    budget: Arc<Budget>,
    content: FileContent,
}

enum FileContent {
    Whole(Reader),
    Entry(Arc<Archive>, Entry),
}

impl Files {
    /// Looks at the source's first bytes, and at the index of a zip archive.
    ///
    /// # Errors
    ///
    /// Whatever reading gives; an [`super::ArchiveFault`] or a damaged index.
    pub(crate) fn of(source: &Arc<Source>, limits: Limits) -> io::Result<Self> {
        Self::within(source, Budget::new(Arc::clone(source), limits))
    }

    pub(super) fn within(source: &Arc<Source>, budget: Budget) -> io::Result<Self> {
        let mut stream = source.stream()?;
        let mut head = Vec::with_capacity(MAGIC_LENGTH);
        read_head(&mut stream, &mut head)?;
        let content = if Compression::of(&head) != Compression::Zip {
            Content::One(Some(Box::new(Cursor::new(head).chain(stream))))
        } else if budget.limits.nesting == 0 {
            return Err(LimitFault::Nesting { most: 0 }.into());
        } else {
            drop(stream);
            let (archive, entries) = Archive::open(source)?;
            Content::Entries(Arc::new(archive), entries.into_iter())
        };
        Ok(Self { budget: Arc::new(budget), content })
    }
}

impl Iterator for Files {
    type Item = File;

    fn next(&mut self) -> Option<File> {
        let content = match &mut self.content {
            Content::One(reader) => FileContent::Whole(reader.take()?),
            Content::Entries(archive, entries) => {
                FileContent::Entry(Arc::clone(archive), entries.next()?)
            }
        };
        Some(File { budget: Arc::clone(&self.budget), content })
    }
}

impl File {
    /// The name of the archive's entry that this is.
    pub(crate) fn entry(&self) -> Option<&str> {
        match &self.content {
            FileContent::Whole(_) => None,
            FileContent::Entry(_, entry) => Some(&entry.name),
        }
    }

    /// Its content; an error of opening it is the reader's first result.
    pub(crate) fn open(self) -> Decompressed {
        match self.content {
            FileContent::Whole(reader) => {
                Decompressed::new(Ok(reader), Compression::None, &self.budget)
            }
            FileContent::Entry(archive, entry) => {
                let guard = |content| Guard::new(content, Arc::clone(&self.budget));
                let reader = archive.content(&entry).map(|content| Box::new(guard(content)) as _);
                Decompressed::new(reader, Compression::Zip, &self.budget)
            }
        }
    }
}
