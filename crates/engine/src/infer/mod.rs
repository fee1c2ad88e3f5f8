//! Looks at samples of files and says what a crawler would record of them.

mod delimited;
mod format;
mod schema;
mod shape;

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::Arc;

use personalize_plan::glue::{Column, ColumnType, StorageDescriptor, StructField, Table};
use personalize_plan::{ColumnProfile, GrokFormat, Limits};

use crate::avro::Avro;
use crate::bson;
use crate::caught::catch;
use crate::columnar::{self, Columnar, Orc, Parquet};
use crate::compression::{Compression, Decompressed, Files};
use crate::content;
use crate::csv::Rows;
use crate::error::ConvertError;
use crate::frame::Frame;
use crate::grok::{self, Grok};
use crate::input::{Input, Source};
use crate::ion;
use crate::json;
use crate::projection::Projection;
use crate::text;
use crate::window::Window;
use crate::xml;
use delimited::Dialect;
use format::Format;
pub(crate) use schema::widened;
pub use shape::Conflict;
use shape::Shape;

/// Bytes of a file by which its format is recognised.
const HEAD: usize = 64 * 1024;
/// Of a format with a schema that is enough, as JSON: what columns there are it says itself.
const MOST_OF_TYPED: u64 = 1 << 20;

/// What files hold, gathered from samples of them.
#[derive(Debug, Default)]
pub struct Profile {
    expected_columns: Vec<String>,
    format: Option<Format>,
    root: Shape,
    /// The columns as the files' own schemas have them
    typed: Vec<StructField>,
    records: u64,
    faults: u64,
    compressions: BTreeMap<&'static str, u64>,
}

/// What a file was found to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileKind {
    /// Of the profile's format; its records were taken in.
    Sampled {
        /// Whether the file was read to its end.
        whole: bool,
    },
    /// Without any content.
    Empty,
    /// Of another format than the files before it; in words.
    Different(String),
    /// Of no format that is read; in words what it is.
    Unknown(&'static str),
}

/// How much of a file is looked at, at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount {
    /// After decompression.
    pub bytes: u64,
    /// Broken ones included.
    pub records: u64,
}

impl Amount {
    /// The whole file.
    pub const ALL: Self = Self { bytes: u64::MAX, records: u64::MAX };

    /// Of a format with a schema, as JSON.
    fn typed_text(self) -> u64 {
        if self.bytes == u64::MAX { self.bytes } else { self.bytes.min(MOST_OF_TYPED) }
    }
}

impl Profile {
    /// A profile of files that may have these columns: a first row that names one is a header.
    pub fn expecting(columns: Vec<String>) -> Self {
        Self { expected_columns: columns, ..Self::default() }
    }

    /// Takes in at most so much of a file; of a format with a schema less is enough, unless it is
    /// [`Amount::ALL`]. Of a zip archive, that is its first entry with content.
    ///
    /// # Errors
    ///
    /// Whatever reading gives, also for damaged compressed content.
    pub fn sample(
        &mut self,
        input: Arc<dyn Input>,
        most: Amount,
        limits: Limits,
    ) -> io::Result<FileKind> {
        let source = Source::new(input);
        // From here on, those of the files before are counted, too.
        let most = Amount { records: self.seen().saturating_add(most.records), ..most };
        // A format's library may panic on a hostile file.
        catch(|| self.sample_source(&source, most, limits))
            .unwrap_or_else(|panic| Err(io::Error::other(ConvertError::Panic(panic))))
    }

    fn sample_source(
        &mut self,
        source: &Arc<Source>,
        most: Amount,
        limits: Limits,
    ) -> io::Result<FileKind> {
        match content::columnar(source)? {
            Some(content::Columnar::Parquet) => {
                let file = Parquet::open(source).map_err(io::Error::other)?;
                return self.sample_columnar(&Format::Parquet, &file, source, most);
            }
            Some(content::Columnar::Orc) => {
                let file = Orc::open(source).map_err(io::Error::other)?;
                return self.sample_columnar(&Format::Orc, &file, source, most);
            }
            None => {}
        }
        let mut files = Files::of(source, limits)?;
        while let Some(file) = files.next() {
            match self.sample_file(file.open(), source, most)? {
                FileKind::Empty => {}
                FileKind::Sampled { whole } => {
                    return Ok(FileKind::Sampled { whole: whole && files.next().is_none() });
                }
                other => return Ok(other),
            }
        }
        Ok(FileKind::Empty)
    }

    fn sample_file(
        &mut self,
        file: Decompressed,
        source: &Source,
        most: Amount,
    ) -> io::Result<FileKind> {
        let compression = file.compression;
        let mut window = Window::new(file.reader);
        while window.bytes().len() < HEAD && !window.is_last() {
            window.read()?;
        }
        if window.bytes().starts_with("\u{feff}".as_bytes()) {
            window.consume("\u{feff}".len());
        }
        let head = &window.bytes()[..window.bytes().len().min(HEAD)];
        if head.iter().all(u8::is_ascii_whitespace) && window.is_last() {
            return Ok(FileKind::Empty);
        }
        if head.starts_with(content::AVRO) {
            return self.sample_avro(window.into_reader(), compression, source, most);
        }
        let binary = content::not_text(head);
        if let Some(found) = binary.filter(|_| !ion::looks_like(head) && !bson::looks_like(head)) {
            return Ok(FileKind::Unknown(found));
        }
        let Some(format) = recognise(head, window.is_last(), &self.expected_columns) else {
            return Ok(FileKind::Unknown("of no format that is read"));
        };
        if let Some(different) = self.admit(&format, compression) {
            return Ok(different);
        }
        let whole = match format {
            Format::Csv(dialect) => self.sample_csv(&mut window, most, &dialect)?,
            Format::Ion => ion::objects(&mut window, |object, at| self.take(object, at, most))?,
            Format::Bson => bson::objects(&mut window, |object, at| self.take(object, at, most))?,
            Format::Xml(tag) => {
                let framer = xml::Framer::new(&tag);
                text::objects(&mut window, framer, |object, at| self.take(object, at, most))?
            }
            Format::Log(_, pattern) => {
                let format =
                    GrokFormat { pattern: pattern.to_owned(), custom_patterns: String::new() };
                let grok = Grok::new(&format).map_err(io::Error::other)?;
                let lines = grok::Lines::new(&grok);
                text::objects(&mut window, lines, |object, at| self.take(object, at, most))?
            }
            _ => self.sample_json(&mut window, most)?,
        };
        Ok(FileKind::Sampled { whole })
    }

    /// Takes a file of this format into the table, or says how it differs from those before.
    fn admit(&mut self, format: &Format, compression: Compression) -> Option<FileKind> {
        let known = self.format.get_or_insert_with(|| format.clone());
        if !known.is_like(format) {
            return Some(FileKind::Different(known.difference(format)));
        }
        *self.compressions.entry(compression.name()).or_default() += 1;
        None
    }

    fn sample_columnar(
        &mut self,
        format: &Format,
        file: &impl Columnar,
        source: &Source,
        most: Amount,
    ) -> io::Result<FileKind> {
        if let Some(different) = self.admit(format, Compression::None) {
            return Ok(different);
        }
        schema::merge(&mut self.typed, file.columns());
        let most_text = most.typed_text();
        let (mut taken, mut text) = (0, 0);
        let objects = columnar::objects(file, |object| {
            self.observe(object);
            taken += 1;
            text += object.len() as u64;
            text < most_text && self.is_wanted(source.bytes_read(), most)
        });
        objects.map_err(io::Error::other)?;
        Ok(FileKind::Sampled { whole: taken == file.rows() })
    }

    fn sample_avro(
        &mut self,
        reader: impl Read,
        compression: Compression,
        source: &Source,
        most: Amount,
    ) -> io::Result<FileKind> {
        let file = Avro::open(reader, compression).map_err(io::Error::other)?;
        let schema = String::from_utf8_lossy(file.schema_text()).into_owned();
        if let Some(different) = self.admit(&Format::Avro(schema), compression) {
            return Ok(different);
        }
        schema::merge(&mut self.typed, file.columns());
        let most_text = most.typed_text();
        let (mut whole, mut text) = (true, 0);
        let objects = file.objects(|object| {
            self.observe(object);
            text += object.len() as u64;
            whole = text < most_text && self.is_wanted(source.bytes_read(), most);
            whole
        });
        objects.map_err(io::Error::other)?;
        Ok(FileKind::Sampled { whole })
    }

    /// Records that were met, broken ones included.
    fn seen(&self) -> u64 {
        self.records + self.faults
    }

    /// Whether there should be more, where so many bytes of the file were read.
    fn is_wanted(&self, read: u64, most: Amount) -> bool {
        read < most.bytes && self.seen() < most.records
    }

    /// Takes in a record, or counts a broken one; false if that was enough.
    fn take(&mut self, object: Option<&str>, read: u64, most: Amount) -> bool {
        match object {
            Some(object) if object.starts_with('{') => self.observe(object),
            _ => self.faults += 1,
        }
        self.is_wanted(read, most)
    }

    fn observe(&mut self, object: &str) {
        let untyped = self.format.as_ref().is_some_and(Format::is_untyped);
        self.root.observe_object(object, untyped);
        self.records += 1;
    }

    fn sample_json(&mut self, window: &mut Window<impl Read>, most: Amount) -> io::Result<bool> {
        let mut framer = json::Framer::default();
        let mut walker = json::Walker::new(Projection::empty());
        let mut at = 0;
        loop {
            if !self.is_wanted(window.offset() + at as u64, most) {
                return Ok(false);
            }
            match framer.next(&mut walker, window.bytes(), at, window.is_last()) {
                Frame::Record(range) => {
                    at = range.end;
                    match simdutf8::basic::from_utf8(&window.bytes()[range]) {
                        Ok(object) => self.observe(object),
                        Err(_) => self.faults += 1,
                    }
                }
                Frame::Fault(range, _) => {
                    at = range.end;
                    self.faults += 1;
                }
                Frame::More(_) if window.is_full() => return Ok(false),
                Frame::More(from) => {
                    window.consume(from);
                    at = 0;
                    window.read()?;
                }
                Frame::Done => return Ok(true),
            }
        }
    }

    fn sample_csv(
        &mut self,
        window: &mut Window<impl Read>,
        most: Amount,
        dialect: &Dialect,
    ) -> io::Result<bool> {
        let mut rows = Rows::new(dialect.delimiter, b'"');
        let mut header_left = dialect.header;
        let mut at = 0;
        for name in &dialect.columns {
            self.root.member(name);
        }
        loop {
            if !self.is_wanted(window.offset() + at as u64, most) {
                return Ok(false);
            }
            match rows.next(window.bytes(), at, window.is_last()) {
                Frame::Record(range) => {
                    at = range.end;
                    if std::mem::take(&mut header_left) {
                        continue;
                    }
                    match simdutf8::basic::from_utf8(&window.bytes()[range.clone()]) {
                        Ok(text) if rows.row(text, range.start).len() == dialect.columns.len() => {
                            let cells = rows.row(text, range.start).texts();
                            self.root
                                .observe_row(dialect.columns.iter().map(String::as_str).zip(cells));
                            self.records += 1;
                        }
                        _ => self.faults += 1,
                    }
                }
                Frame::Fault(range, _) => {
                    at = range.end;
                    self.faults += 1;
                }
                Frame::More(_) if window.is_full() => return Ok(false),
                Frame::More(from) => {
                    window.consume(from);
                    at = 0;
                    window.read()?;
                }
                Frame::Done => return Ok(true),
            }
        }
    }

    /// Records that were taken in.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Records that could not be read.
    pub fn faults(&self) -> u64 {
        self.faults
    }

    /// `json`, `csv`, `parquet` and so on; nothing before a file was recognised.
    pub fn classification(&self) -> Option<&'static str> {
        self.format.as_ref().map(Format::name)
    }

    /// Places whose values are of several types.
    pub fn conflicts(&self) -> Vec<Conflict> {
        let mut conflicts = Vec::new();
        let untyped = self.format.as_ref().is_some_and(Format::is_untyped);
        self.root.conflicts("", untyped, &mut conflicts);
        conflicts
    }

    /// Every single value, with how often it is there and what it looks like.
    pub fn columns(&self) -> Vec<ColumnProfile> {
        let mut profiles = Vec::new();
        self.root.profiles("", 1.0, &mut profiles);
        profiles
    }

    /// The table that a crawler would record, in GetTable's shape; nothing before a file was
    /// recognised.
    pub fn table(&self, name: &str, location: &str, partition_keys: &[String]) -> Option<Table> {
        let format = self.format.as_ref()?;
        let compression = self.compressions.iter().max_by_key(|(_, count)| **count);
        let compression = compression.map_or(Compression::None.name(), |(name, _)| name);
        let mut parameters: BTreeMap<String, String> = [
            ("classification", format.name()),
            ("compressionType", compression),
            ("typeOfData", "file"),
            ("recordCount", &self.records.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let typed = format.parameters();
        parameters.extend(typed.into_iter().map(|(name, value)| (name.to_owned(), value)));
        let classes = format.classes();
        let names: Vec<&str> = self.root.members().map(|(name, _)| name).collect();
        let columns: Vec<Column> = if self.typed.is_empty() {
            let untyped = format.is_untyped();
            let column = |(name, shape): (&str, &Shape)| {
                Column::new(name.to_lowercase(), &shape.column_type(untyped))
            };
            self.root.members().map(column).collect()
        } else {
            let column =
                |field: &StructField| Column::new(field.name.to_lowercase(), &field.column_type);
            self.typed.iter().map(column).collect()
        };
        let columns = columns.into_iter().filter(|column| {
            !partition_keys.iter().any(|key| key.eq_ignore_ascii_case(&column.name))
        });
        Some(Table {
            name: name.to_owned(),
            database_name: String::new(),
            storage_descriptor: StorageDescriptor {
                columns: columns.collect(),
                location: location.to_owned(),
                input_format: classes.input_format.into(),
                output_format: classes.output_format.into(),
                compressed: compression != Compression::None.name(),
                number_of_buckets: -1,
                serde_info: format.serde(&names),
                parameters: parameters.clone(),
                stored_as_sub_directories: false,
            },
            partition_keys: partition_keys
                .iter()
                .map(|key| Column::new(key.as_str(), &ColumnType::String))
                .collect(),
            table_type: "EXTERNAL_TABLE".into(),
            parameters,
        })
    }
}

fn recognise(head: &[u8], whole: bool, expected_columns: &[String]) -> Option<Format> {
    if ion::looks_like(head) {
        return Some(Format::Ion);
    }
    if bson::looks_like(head) {
        return Some(Format::Bson);
    }
    let first = head.iter().find(|c| !c.is_ascii_whitespace() && **c != 0x1e)?;
    if matches!(first, b'{' | b'[') {
        return Some(Format::Json);
    }
    if let Some(tag) = xml::row_tag(head).filter(|_| *first == b'<') {
        return Some(Format::Xml(tag));
    }
    if let Some((name, pattern)) = grok::recognise(head) {
        return Some(Format::Log(name, pattern));
    }
    // Objects in the cells of a table do not make it JSON, a line of other text before them does
    // not unmake it.
    let dialect = delimited::recognise(head, whole, expected_columns).map(Format::Csv);
    let line_with_object = || head.split(|c| *c == b'\n').any(|line| line.starts_with(b"{\""));
    dialect.or_else(|| line_with_object().then_some(Format::Json))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn profile(texts: &[&str]) -> Profile {
        let mut profile = Profile::default();
        for text in texts {
            let kind = profile
                .sample(
                    Arc::new(Bytes::copy_from_slice(text.as_bytes())),
                    Amount::ALL,
                    Limits::default(),
                )
                .unwrap();
            assert_eq!(kind, FileKind::Sampled { whole: true });
        }
        profile
    }

    #[test]
    fn a_table_of_json_is_in_the_shape_that_get_table_prints() {
        let profile = profile(&[r#"{"userId": 1, "p": {"sku": "a"}}{"userId": 2}"#]);
        let table = profile.table("logs", "s3://b/logs/", &["year".into()]).unwrap();
        let columns = &table.storage_descriptor.columns;
        assert_eq!(columns[0], Column { name: "userid".into(), type_name: "int".into() });
        assert_eq!(columns[1].type_name, "struct<sku:string>");
        assert_eq!(table.original_name("userid"), "userId");
        assert_eq!(table.partition_keys[0].name, "year");
        assert_eq!(Table::from_json(&table.to_json()).unwrap(), table);
    }

    #[test]
    fn csv_columns_are_typed_and_codes_stay_text() {
        let profile = profile(&["user_id,zip,ok,price\n1,01234,true,1.5\n2,99999,false,2\n"]);
        let table = profile.table("t", "", &[]).unwrap();
        let types: Vec<_> =
            table.storage_descriptor.columns.iter().map(|c| c.type_name.as_str()).collect();
        assert_eq!(types, ["bigint", "string", "boolean", "double"]);
        assert_eq!(table.parameter("skip.header.line.count"), Some("1"));
    }

    #[test]
    fn other_content_is_named() {
        let mut profile = Profile::default();
        let mut kind = |bytes: &'static [u8]| {
            let input = Arc::new(Bytes::from_static(bytes));
            profile.sample(input, Amount::ALL, Limits::default()).unwrap()
        };
        assert_eq!(kind(b" \n "), FileKind::Empty);
        assert_eq!(kind(b"{\"a\":1}"), FileKind::Sampled { whole: true });
        assert_eq!(
            kind(b"user_id,x\n1,2\n"),
            FileKind::Different("is csv, unlike the files before it".into())
        );
        assert_eq!(kind(b"hello"), FileKind::Unknown("of no format that is read"));
    }

    #[test]
    fn an_archive_is_what_its_first_entry_with_content_is() {
        let mut archive = rawzip::ZipArchiveWriter::new(Vec::new());
        for (name, content) in
            [("_SUCCESS", "x"), ("a.csv", ""), ("b.csv", "user_id,item_id\n1,2\n")]
        {
            let (mut entry, config) = archive.new_file(name).start().unwrap();
            let mut writer = config.wrap(&mut entry);
            std::io::Write::write_all(&mut writer, content.as_bytes()).unwrap();
            let (_, descriptor) = writer.finish().unwrap();
            entry.finish(descriptor).unwrap();
        }
        let archive = Arc::new(Bytes::from(archive.finish().unwrap()));
        let mut profile = Profile::default();
        let kind = profile.sample(archive, Amount::ALL, Limits::default()).unwrap();
        assert_eq!((kind, profile.records()), (FileKind::Sampled { whole: true }, 1));
        let table = profile.table("t", "", &[]).unwrap();
        assert_eq!(table.parameter("compressionType"), Some("zip"));
    }
}
