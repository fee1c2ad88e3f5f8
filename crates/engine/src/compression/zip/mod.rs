//! Zip archives, read by range: the index is at the end.
//!
//! The index is what counts; what the entries say of themselves has to agree with it. Entries are
//! read in the order in which they lie in the archive.

mod blocks;

use std::io::{self, Read};
use std::sync::Arc;

use flate2::Crc;
use flate2::bufread::DeflateDecoder;
use rawzip::{
    CompressionMethod, ErrorKind, MAX_CENTRAL_DIRECTORY_RECORD_SIZE, ZipArchive,
    ZipArchiveEntryWayfinder, ZipFileHeaderRecord, ZipLocator,
};

use self::blocks::{Blocks, Extent};
use super::{Reader, more_data, xz, zstd};
use crate::input::Source;

const MOST_ENTRIES: usize = 65_536;
/// Bounds what an index of long names takes of memory.
const MOST_INDEX: u64 = 64 * 1024 * 1024;
/// An entry's header without its name.
const LEAST_HEADER: u64 = 30;
/// The longest name and the longest further fields of an entry's header.
const MOST_NAME_AND_FIELDS: usize = 2 * 65_535;

/// A zip archive is not read, though it may well be undamaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveFault {
    /// It is in another archive, or compressed.
    #[error("a zip archive inside another archive or a compressed file is not read")]
    Nested,
    /// An entry needs a password.
    #[error("it is encrypted")]
    Encrypted,
    /// An entry is compressed in a way that is not read.
    #[error("it is compressed with zip's method {number} ({name}), which is not read")]
    Method {
        /// The method's number in zip.
        number: u16,
        /// Its name.
        name: &'static str,
    },
    /// Entries share bytes.
    #[error("its entries overlap, as those of a zip bomb do")]
    Overlap,
    /// There are too many entries, or their names are too long.
    #[error("it has more than 65,536 entries, or an index of more than 64 MiB")]
    Index,
}

impl From<ArchiveFault> for io::Error {
    fn from(fault: ArchiveFault) -> Self {
        Self::new(io::ErrorKind::InvalidData, fault)
    }
}

/// An archive whose index was read.
pub(super) struct Archive {
    archive: ZipArchive<Arc<Blocks>>,
}

/// A file in an archive, as the index has it.
pub(super) struct Entry {
    pub(super) name: String,
    is_file: bool,
    method: CompressionMethod,
    is_encrypted: bool,
    crc: u32,
    offset: u64,
    /// Where the next entry begins, or the index
    bound: u64,
    place: ZipArchiveEntryWayfinder,
}

impl Archive {
    /// Reads the index, and gives the entries that are files.
    pub(super) fn open(source: &Arc<Source>) -> io::Result<(Self, Vec<Entry>)> {
        let size = source.size();
        let blocks = Arc::new(Blocks::new(Arc::clone(source)));
        let mut buffer = vec![0; MAX_CENTRAL_DIRECTORY_RECORD_SIZE];
        let archive = ZipLocator::new()
            .locate_in_reader(blocks, &mut buffer, size)
            .map_err(|(_, fault)| index_fault(fault))?;
        if archive.end_offset() != size {
            return Err(more_data("the archive"));
        }
        let mut entries = read_index(&archive, &mut buffer)?;
        bound_entries(&mut entries, archive.directory_offset())?;
        entries.retain(|entry| entry.is_file);
        archive.get_ref().will_read_to(entries.last().map_or(0, |last| last.bound));
        Ok((Self { archive }, entries))
    }

    /// An entry's content, compared with what the index says of it.
    pub(super) fn content(&self, entry: &Entry) -> io::Result<impl Read + Send + use<>> {
        Ok(Checked {
            decoder: self.decoder(entry)?,
            left: entry.place.uncompressed_size_hint(),
            crc: Crc::new(),
            expected: entry.crc,
        })
    }

    fn decoder(&self, entry: &Entry) -> io::Result<Reader> {
        if entry.is_encrypted {
            return Err(ArchiveFault::Encrypted.into());
        }
        let place = self.archive.get_entry(entry.place).map_err(index_fault)?;
        let mut buffer = vec![0; MOST_NAME_AND_FIELDS];
        let header = place.local_header(&mut buffer).map_err(index_fault)?;
        let sizes = (header.compressed_size_hint(), header.uncompressed_size_hint());
        let indexed = (entry.place.compressed_size_hint(), entry.place.uncompressed_size_hint());
        // Sizes that were not known when the header was written stand behind the content.
        let is_known = !header.flags().has_data_descriptor();
        if header.compression_method() != entry.method || (is_known && sizes != indexed) {
            return Err(damaged("its header and the archive's index disagree"));
        }
        let (start, end) = place.compressed_data_range();
        if end > entry.bound {
            return Err(ArchiveFault::Overlap.into());
        }
        let blocks = Arc::clone(self.archive.get_ref());
        let content = Extent::new(blocks, start..end);
        Ok(match entry.method {
            CompressionMethod::STORE => Box::new(content),
            CompressionMethod::DEFLATE => Box::new(DeflateDecoder::new(content)),
            CompressionMethod::BZIP2 => Box::new(bzip2::bufread::MultiBzDecoder::new(content)),
            CompressionMethod::ZSTD => zstd::decoder(content)?,
            CompressionMethod::XZ => xz::decoder(content),
            method => {
                let name = method.name().unwrap_or("unknown");
                return Err(ArchiveFault::Method { number: method.as_u16(), name }.into());
            }
        })
    }
}

fn read_index(archive: &ZipArchive<Arc<Blocks>>, buffer: &mut [u8]) -> io::Result<Vec<Entry>> {
    let claimed = archive.entries_hint();
    let length = archive.eocd_offset().saturating_sub(archive.directory_offset());
    if claimed > MOST_ENTRIES as u64 || length > MOST_INDEX {
        return Err(ArchiveFault::Index.into());
    }
    let mut entries = Vec::new();
    let mut records = archive.entries(buffer);
    while let Some(record) = records.next_entry().map_err(index_fault)? {
        if entries.len() == MOST_ENTRIES {
            return Err(ArchiveFault::Index.into());
        }
        entries.push(Entry::new(&record));
    }
    match entries.len() as u64 == claimed {
        true => Ok(entries),
        false => Err(damaged("its index does not hold as many entries as it says")),
    }
}

/// Sorts entries by where they begin, and sees to it that no byte is of two of them, and that
/// nothing lies before the first.
fn bound_entries(entries: &mut [Entry], index: u64) -> io::Result<()> {
    entries.sort_by_key(|entry| entry.offset);
    let mut next = index;
    for entry in entries.iter_mut().rev() {
        let least = LEAST_HEADER.saturating_add(entry.place.compressed_size_hint());
        if entry.offset.saturating_add(least) > next {
            return Err(ArchiveFault::Overlap.into());
        }
        entry.bound = next;
        next = entry.offset;
    }
    match next {
        0 => Ok(()),
        _ => Err(damaged("data that its index does not name precedes the first entry")),
    }
}

impl Entry {
    fn new(record: &ZipFileHeaderRecord<'_>) -> Self {
        let name = String::from_utf8_lossy(record.file_path().as_ref()).into_owned();
        Self {
            is_file: !record.is_dir() && !record.mode().is_symlink() && !is_hidden(&name),
            method: record.compression_method(),
            is_encrypted: record.flags().is_encrypted(),
            crc: record.crc32(),
            offset: record.local_header_offset(),
            bound: 0,
            place: record.wayfinder(),
            name,
        }
    }
}

/// What tools leave beside the data: `_SUCCESS`, `.crc`, macOS's resource forks.
fn is_hidden(name: &str) -> bool {
    let mut folders = name.split(['/', '\\']);
    let file = folders.next_back().unwrap_or_default();
    file.starts_with(['.', '_']) || folders.any(|folder| folder == "__MACOSX")
}

/// Compares an entry's content with its size and checksum in the index.
struct Checked<R> {
    decoder: R,
    /// Bytes that are still to come
    left: u64,
    crc: Crc,
    expected: u32,
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.decoder.read(buffer)?;
        self.crc.update(&buffer[..count]);
        let left = self.left.checked_sub(count as u64);
        self.left = left.ok_or_else(|| damaged("it is longer than the archive's index says"))?;
        if count == 0 && !buffer.is_empty() {
            if self.left > 0 {
                return Err(damaged("it is shorter than the archive's index says"));
            }
            if self.crc.sum() != self.expected {
                return Err(damaged("its checksum is wrong"));
            }
        }
        Ok(count)
    }
}

/// An archive without its end has no index at all.
fn index_fault(fault: rawzip::Error) -> io::Error {
    match fault.into_kind() {
        ErrorKind::IO(fault) => fault,
        ErrorKind::Eof | ErrorKind::MissingEndOfCentralDirectory => {
            io::ErrorKind::UnexpectedEof.into()
        }
        kind => io::Error::new(io::ErrorKind::InvalidData, kind.to_string()),
    }
}

fn damaged(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use bytes::Bytes;
    use personalize_plan::Limits;
    use proptest::prelude::*;

    use super::*;
    use crate::compression::guard::Budget;
    use crate::compression::tests::{bzip2, gzip, read, read_within, text, xz, zstd};
    use crate::compression::{Compression, Files, LimitFault};

    /// An entry as it is written, true or not.
    #[derive(Clone)]
    struct Written {
        name: String,
        method: u16,
        flags: u16,
        data: Vec<u8>,
        size: u64,
        crc: u32,
        /// Sizes stand behind the data instead of before it
        has_descriptor: bool,
        is_zip64: bool,
        /// What the entry's header says beyond its true compressed size
        lie: u32,
        /// Bytes that the entry has in common with what is before it
        shared: usize,
    }

    fn entry(name: &str, method: u16, content: &[u8]) -> Written {
        let data = match method {
            8 => {
                let level = flate2::Compression::fast();
                let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), level);
                encoder.write_all(content).unwrap();
                encoder.finish().unwrap()
            }
            12 => bzip2(content),
            93 => zstd(content),
            95 => xz(content),
            _ => content.to_vec(),
        };
        let mut crc = Crc::new();
        crc.update(content);
        Written {
            name: name.into(),
            method,
            flags: 0x800,
            data,
            size: content.len() as u64,
            crc: crc.sum(),
            has_descriptor: false,
            is_zip64: false,
            lie: 0,
            shared: 0,
        }
    }

    impl Written {
        /// What a header of either kind has in common: from the flags to the length of the fields.
        fn common(&self, sizes: [u32; 2], fields: usize) -> Vec<u8> {
            let flags = self.flags | if self.has_descriptor { 8 } else { 0 };
            let mut bytes = [flags, self.method, 0, 0x21].map(u16::to_le_bytes).concat();
            bytes.extend(self.crc.to_le_bytes());
            bytes.extend(sizes.map(u32::to_le_bytes).as_flattened());
            bytes.extend(
                [self.name.len() as u16, fields as u16].map(u16::to_le_bytes).as_flattened(),
            );
            bytes
        }

        fn sizes(&self) -> ([u32; 2], Vec<u8>) {
            let sizes = [self.data.len() as u64, self.size];
            if !self.is_zip64 {
                return (sizes.map(|size| size as u32), Vec::new());
            }
            let mut fields = [1, 16].map(u16::to_le_bytes).concat();
            fields.extend([self.size, self.data.len() as u64].map(u64::to_le_bytes).as_flattened());
            ([u32::MAX; 2], fields)
        }
    }

    fn zip(entries: &[Written]) -> Vec<u8> {
        let (mut bytes, mut index) = (Vec::new(), Vec::new());
        for entry in entries {
            let offset = (bytes.len() - entry.shared) as u32;
            let (sizes, fields) = entry.sizes();
            bytes.extend(b"PK\x03\x04\x14\0");
            if entry.has_descriptor {
                bytes.extend(entry.common([0; 2], 0));
                bytes.extend(entry.name.as_bytes());
                bytes.extend(&entry.data);
                bytes.extend(b"PK\x07\x08");
                bytes.extend([entry.crc, sizes[0], sizes[1]].map(u32::to_le_bytes).as_flattened());
            } else {
                bytes.extend(
                    entry.common([sizes[0].wrapping_add(entry.lie), sizes[1]], fields.len()),
                );
                bytes.extend(entry.name.as_bytes());
                bytes.extend(&fields);
                bytes.extend(&entry.data);
            }
            index.extend(b"PK\x01\x02\x1e\x03\x14\0");
            index.extend(entry.common(sizes, fields.len()));
            index.extend([0; 6]);
            index.extend((0o100_644_u32 << 16).to_le_bytes());
            index.extend(offset.to_le_bytes());
            index.extend(entry.name.as_bytes());
            index.extend(&fields);
        }
        finish(bytes, &index, entries.len() as u16)
    }

    fn finish(mut bytes: Vec<u8>, index: &[u8], entries: u16) -> Vec<u8> {
        let places = [index.len() as u32, bytes.len() as u32];
        bytes.extend(index);
        bytes.extend(b"PK\x05\x06\0\0\0\0");
        bytes.extend([entries; 2].map(u16::to_le_bytes).as_flattened());
        bytes.extend(places.map(u32::to_le_bytes).as_flattened());
        bytes.extend([0; 2]);
        bytes
    }

    fn fault(bytes: &[u8]) -> io::Error {
        let content = read(bytes).map(|content| content.len());
        content.expect_err("it is not to be read")
    }

    fn archive_fault(bytes: &[u8]) -> ArchiveFault {
        let fault = fault(bytes);
        *fault.get_ref().and_then(|inner| inner.downcast_ref()).unwrap_or_else(|| panic!("{fault}"))
    }

    #[test]
    fn entries_are_read_whatever_their_method_in_the_archives_order() {
        let text = text();
        let mut entries = [0, 8, 12, 93, 95]
            .map(|method| {
                entry(&format!("{method}.csv"), method, &text[..50_000 + usize::from(method)])
            })
            .to_vec();
        entries.push(entry("empty.csv", 8, b""));
        entries[1].has_descriptor = true;
        entries[2].is_zip64 = true;
        let expected: Vec<u8> =
            [0, 8, 12, 93, 95].iter().flat_map(|method| text[..50_000 + method].to_vec()).collect();
        assert!(read(&zip(&entries)).unwrap() == expected);
        let source = Source::new(Arc::new(Bytes::from(zip(&entries))));
        let files = Files::of(&source, Limits::default()).unwrap();
        let names: Vec<_> = files.map(|file| file.entry().unwrap().to_owned()).collect();
        assert_eq!(names, ["0.csv", "8.csv", "12.csv", "93.csv", "95.csv", "empty.csv"]);
        assert_eq!(source.bytes_read(), 16 + source.size(), "a small archive is read at once");
    }

    #[test]
    fn what_is_no_file_of_the_table_is_passed_over() {
        let mut entries: Vec<_> = [
            "data/",
            "_SUCCESS",
            "data/.a.csv.crc",
            "__MACOSX/data/a.csv",
            "data/__MACOSX/._a",
            "b\\.c",
        ]
        .map(|name| entry(name, 0, b"no"))
        .to_vec();
        entries.push(entry("_data/.hidden/a.csv", 0, b"a\n"));
        assert_eq!(read(&zip(&entries)).unwrap(), b"a\n");
        assert_eq!(read(&zip(&entries[..3])).unwrap(), b"");
        assert_eq!(read(&zip(&[])).unwrap(), b"");
    }

    #[test]
    fn an_archive_of_several_blocks_is_read_with_each_byte_once() {
        let mut state = 1_u32;
        let noise = |length| {
            (0..length)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1);
                    (state >> 24) as u8
                })
                .collect::<Vec<u8>>()
        };
        let contents = [700_000, 1_500_000, 10, 900_000].map(noise);
        let entries: Vec<_> = contents.iter().map(|content| entry("a", 0, content)).collect();
        let source = Source::new(Arc::new(Bytes::from(zip(&entries))));
        for (file, content) in Files::of(&source, Limits::default()).unwrap().zip(&contents) {
            let mut found = Vec::new();
            file.open().reader.read_to_end(&mut found).unwrap();
            assert!(found == *content);
        }
        assert!(source.bytes_read() < source.size() + 2 * 1024 * 1024);
    }

    #[test]
    fn an_entry_may_be_compressed_but_no_archive() {
        let inner = zip(&[entry("a.csv", 8, b"a\n")]);
        let compressed =
            zip(&[entry("a.csv.gz", 0, &gzip(b"a\n")), entry("b.csv.xz", 8, &xz(b"b\n"))]);
        assert_eq!(read(&compressed).unwrap(), b"a\nb\n");
        for bytes in [gzip(&inner), zip(&[entry("a.zip", 0, &inner)]), xz(&zip(&[]))] {
            assert_eq!(archive_fault(&bytes), ArchiveFault::Nested);
        }
        let within = |nesting| read_within(&compressed, Limits { nesting, ..Limits::default() });
        assert_eq!(within(2).unwrap(), b"a\nb\n");
        for most in [0, 1] {
            let fault = within(most).unwrap_err();
            let limit = fault.get_ref().and_then(|inner| inner.downcast_ref());
            assert_eq!(limit, Some(&LimitFault::Nesting { most }));
        }
    }

    #[test]
    fn what_is_not_read_is_named() {
        let mut encrypted = entry("a.csv", 8, b"a\n");
        encrypted.flags |= 1;
        assert_eq!(archive_fault(&zip(&[encrypted])), ArchiveFault::Encrypted);
        let deflate64 = zip(&[entry("a.csv", 9, b"a\n")]);
        assert_eq!(
            archive_fault(&deflate64),
            ArchiveFault::Method { number: 9, name: "DEFLATE64" }
        );
    }

    #[test]
    fn sizes_and_checksums_that_lie_are_found() {
        let good = entry("a.csv", 8, b"user_id,item_id\n1,2\n");
        let wrong = |change: fn(&mut Written)| {
            let mut entry = good.clone();
            change(&mut entry);
            fault(&zip(&[good.clone(), entry])).to_string()
        };
        assert_eq!(wrong(|entry| entry.crc ^= 1), "its checksum is wrong");
        assert_eq!(wrong(|entry| entry.size -= 1), "it is longer than the archive's index says");
        assert_eq!(wrong(|entry| entry.size += 1), "it is shorter than the archive's index says");
        assert_eq!(wrong(|entry| entry.lie = 1), "its header and the archive's index disagree");
        assert_eq!(wrong(|entry| entry.data.truncate(9)), "incomplete deflate stream");
    }

    #[test]
    fn entries_that_share_bytes_are_refused() {
        let first = entry("a.csv", 0, &[b' '; 100]);
        for shared in [1, 50, 100, 135] {
            let mut second = entry("b.csv", 0, &[b' '; 100]);
            second.shared = shared;
            let bytes = zip(&[first.clone(), second]);
            assert_eq!(archive_fault(&bytes), ArchiveFault::Overlap, "{shared}");
        }
        // An entry whose own header is longer than its name in the index lets it seem.
        let mut long = zip(&[first.clone(), first]);
        long[28] = 200;
        assert_eq!(archive_fault(&long), ArchiveFault::Overlap);
    }

    #[test]
    fn a_bomb_of_many_entries_ends_at_the_limit_of_all() {
        let mut encoder =
            flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&[b' '; 50_000]).unwrap();
        let spaces = Written { data: encoder.finish().unwrap(), ..entry("a", 8, &[b' '; 50_000]) };
        let source = Source::new(Arc::new(Bytes::from(zip(&vec![spaces; 80]))));
        let limits = Limits { expansion: 50, ..Limits::default() };
        let most = 50 * source.size() as usize;
        let mut budget = Budget::new(Arc::clone(&source), limits);
        budget.harmless = 1000;
        let mut content = Vec::new();
        let fault = Files::within(&source, budget)
            .unwrap()
            .find_map(|file| file.open().reader.read_to_end(&mut content).err())
            .unwrap();
        let limit = fault.get_ref().and_then(|inner| inner.downcast_ref());
        assert_eq!(limit, Some(&LimitFault::Expansion { most: 50 }));
        assert!((100_000..=most).contains(&content.len()), "{}", content.len());
    }

    #[test]
    fn more_entries_than_the_limit_are_refused() {
        let entries = vec![entry("", 0, b""); MOST_ENTRIES];
        let mut bytes = zip(&entries[1..]);
        assert_eq!(read(&bytes).unwrap(), b"");
        // The count has but 16 bits here, so one that wraps is found by counting.
        bytes = zip(&entries);
        assert!(fault(&bytes).to_string().contains("as many entries"));
        bytes = zip(&[entries.as_slice(), &entries[..1]].concat());
        assert_eq!(archive_fault(&bytes), ArchiveFault::Index);
    }

    #[test]
    fn data_outside_the_archive_is_not_dropped() {
        let bytes = zip(&[entry("a.csv", 0, b"a\n")]);
        let other = zip(&[entry("other.csv", 0, b"b\n")]);
        assert!(fault(&[bytes.as_slice(), &other].concat()).to_string().contains("precedes"));
        assert_eq!(
            fault(&[&bytes, b"c\n".as_slice()].concat()).to_string(),
            "other data follows the archive"
        );
    }

    #[test]
    fn a_cut_archive_never_seems_whole() {
        let bytes = zip(&[entry("a.csv", 8, &text()), entry("b.csv", 0, b"b\n")]);
        for cut in (4..bytes.len()).step_by(211).chain(bytes.len() - 200..bytes.len()) {
            assert_eq!(fault(&bytes[..cut]).kind(), io::ErrorKind::UnexpectedEof, "cut at {cut}");
        }
    }

    proptest! {
        #[test]
        fn a_damaged_archive_gives_its_content_or_an_error(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        ) {
            let mut third = entry("c.csv", 12, b"3,4\n");
            third.has_descriptor = true;
            let lines = [b"1,2\n".repeat(30), b"2,3\n".to_vec(), b"3,4\n".to_vec()];
            let mut bytes =
                zip(&[entry("a.csv", 8, &lines[0]), entry("b.csv", 0, &lines[1]), third]);
            for (place, value) in changes {
                let place = 4 + place.index(bytes.len() - 4);
                bytes[place] = value;
            }
            prop_assert_eq!(Compression::of(&bytes), Compression::Zip);
            if let Ok(content) = read(&bytes) {
                // A name may have become a hidden one, a folder's or a link's.
                let mut rest = content.as_slice();
                for lines in &lines {
                    rest = rest.strip_prefix(lines.as_slice()).unwrap_or(rest);
                }
                prop_assert!(rest.is_empty());
            }
        }

        #[test]
        fn no_bytes_make_an_archive_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            end in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            drop(read(&[b"PK\x03\x04", bytes.as_slice(), b"PK\x05\x06", &end].concat()));
        }
    }
}
