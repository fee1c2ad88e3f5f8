//! Looks at samples of files and says what a crawler would record of them.

mod delimited;
mod shape;

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::Arc;

use personalize_plan::glue::{Column, ColumnType, SerdeInfo, StorageDescriptor, Table};
use personalize_plan::{ColumnProfile, Limits};

use crate::compression::{Compression, decompress};
use crate::content;
use crate::csv::Rows;
use crate::frame::Frame;
use crate::input::{Input, Source};
use crate::json;
use crate::projection::Projection;
use crate::window::Window;
use delimited::Dialect;
pub use shape::Conflict;
use shape::Shape;

/// Bytes of a file by which its format is recognised.
const HEAD: usize = 64 * 1024;

/// What files hold, gathered from samples of them.
#[derive(Debug, Default)]
pub struct Profile {
    expected_columns: Vec<String>,
    format: Option<Format>,
    root: Shape,
    records: u64,
    faults: u64,
    compressions: BTreeMap<&'static str, u64>,
}

/// The format of the files, as the first that was recognised has it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Format {
    Json,
    Csv(Dialect),
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
    Different(&'static str),
    /// Neither JSON nor delimited text; in words what it is.
    Unknown(&'static str),
}

impl Profile {
    /// A profile of files that may have these columns: a first row that names one is a header.
    pub fn expecting(columns: Vec<String>) -> Self {
        Self { expected_columns: columns, ..Self::default() }
    }

    /// Takes in at most `most` bytes (after decompression) of a file.
    ///
    /// # Errors
    ///
    /// Whatever reading gives, also for damaged compressed content.
    pub fn sample(
        &mut self,
        input: Arc<dyn Input>,
        most: u64,
        limits: Limits,
    ) -> io::Result<FileKind> {
        let source = Source::new(input);
        let decompressed = decompress(source.stream()?, &source, limits)?;
        let compression = decompressed.compression;
        let mut window = Window::new(decompressed.reader);
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
        if let Some(found) = content::not_text(head) {
            return Ok(FileKind::Unknown(found));
        }
        let Some(format) = recognise(head, window.is_last(), &self.expected_columns) else {
            return Ok(FileKind::Unknown("neither JSON nor delimited text"));
        };
        match self.format.get_or_insert_with(|| format.clone()) {
            known if known.is_like(&format) => {}
            known => return Ok(FileKind::Different(known.difference(&format))),
        }
        let whole = match format {
            Format::Json => self.sample_json(&mut window, most)?,
            Format::Csv(dialect) => self.sample_csv(&mut window, most, &dialect)?,
        };
        *self.compressions.entry(compression.name()).or_default() += 1;
        Ok(FileKind::Sampled { whole })
    }

    fn sample_json(&mut self, window: &mut Window<impl Read>, most: u64) -> io::Result<bool> {
        let mut framer = json::Framer::default();
        let mut walker = json::Walker::new(Projection::empty());
        let mut at = 0;
        loop {
            if window.offset() + at as u64 >= most {
                return Ok(false);
            }
            match framer.next(&mut walker, window.bytes(), at, window.is_last()) {
                Frame::Record(range) => {
                    at = range.end;
                    match std::str::from_utf8(&window.bytes()[range]) {
                        Ok(object) => {
                            self.root.observe_object(object);
                            self.records += 1;
                        }
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
        most: u64,
        dialect: &Dialect,
    ) -> io::Result<bool> {
        let mut rows = Rows::new(dialect.delimiter, b'"');
        let mut header_left = dialect.header;
        let mut at = 0;
        for name in &dialect.columns {
            self.root.member(name);
        }
        loop {
            if window.offset() + at as u64 >= most {
                return Ok(false);
            }
            match rows.next(window.bytes(), at, window.is_last()) {
                Frame::Record(range) => {
                    at = range.end;
                    if std::mem::take(&mut header_left) {
                        continue;
                    }
                    match std::str::from_utf8(&window.bytes()[range]) {
                        Ok(text) if rows.cells() == dialect.columns.len() => {
                            let cells = rows.row(text).texts();
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

    /// `json` or `csv`; nothing before a file was recognised.
    pub fn classification(&self) -> Option<&'static str> {
        self.format.as_ref().map(Format::name)
    }

    /// Places whose values are of several types.
    pub fn conflicts(&self) -> Vec<Conflict> {
        let mut conflicts = Vec::new();
        self.root.conflicts("", self.is_csv(), &mut conflicts);
        conflicts
    }

    /// Every single value, with how often it is there and what it looks like.
    pub fn columns(&self) -> Vec<ColumnProfile> {
        let mut profiles = Vec::new();
        self.root.profiles("", 1.0, &mut profiles);
        profiles
    }

    fn is_csv(&self) -> bool {
        matches!(self.format, Some(Format::Csv(_)))
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
        let serde = match format {
            Format::Json => {
                let mut names: Vec<&str> = self.root.members().map(|(name, _)| name).collect();
                names.sort_unstable();
                ("org.openx.data.jsonserde.JsonSerDe", "paths", names.join(","))
            }
            Format::Csv(dialect) => {
                let delimiter = char::from(dialect.delimiter).to_string();
                parameters.insert("delimiter".into(), delimiter.clone());
                parameters.insert("columnsOrdered".into(), "true".into());
                if dialect.header {
                    parameters.insert("skip.header.line.count".into(), "1".into());
                }
                ("org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe", "field.delim", delimiter)
            }
        };
        let columns = self.root.members().map(|(name, shape)| {
            Column::new(name.to_lowercase(), &shape.column_type(self.is_csv()))
        });
        let columns = columns.filter(|column| {
            !partition_keys.iter().any(|key| key.eq_ignore_ascii_case(&column.name))
        });
        Some(Table {
            name: name.to_owned(),
            database_name: String::new(),
            storage_descriptor: StorageDescriptor {
                columns: columns.collect(),
                location: location.to_owned(),
                input_format: "org.apache.hadoop.mapred.TextInputFormat".into(),
                output_format: "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat".into(),
                compressed: compression != Compression::None.name(),
                number_of_buckets: -1,
                serde_info: SerdeInfo {
                    serialization_library: serde.0.into(),
                    parameters: [(serde.1.to_owned(), serde.2)].into(),
                },
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

impl Format {
    fn name(&self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv(_) => "csv",
        }
    }

    /// How files of the other format differ from those of this one.
    fn difference(&self, other: &Self) -> &'static str {
        match (self, other) {
            (Self::Json, _) => "is csv, unlike the files before it",
            (_, Self::Json) => "is json, unlike the files before it",
            (Self::Csv(a), Self::Csv(b)) if a.delimiter != b.delimiter => {
                "has another delimiter than the files before it"
            }
            (Self::Csv(a), _) if a.header => "has no header, unlike the files before it",
            _ => "has a header, unlike the files before it; it would be read as a row",
        }
    }

    /// Whether files of both formats are one table. CSV files agree if their delimiters do, and
    /// their headers name the same columns, or neither has one.
    fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Json, Self::Json) => true,
            (Self::Csv(a), Self::Csv(b)) => a.delimiter == b.delimiter && a.header == b.header,
            _ => false,
        }
    }
}

fn recognise(head: &[u8], whole: bool, expected_columns: &[String]) -> Option<Format> {
    let first = head.iter().find(|c| !c.is_ascii_whitespace() && **c != 0x1e)?;
    if matches!(first, b'{' | b'[') {
        return Some(Format::Json);
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
                    u64::MAX,
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
            profile.sample(input, u64::MAX, Limits::default()).unwrap()
        };
        assert_eq!(kind(b" \n "), FileKind::Empty);
        assert_eq!(kind(b"PAR1...."), FileKind::Unknown("Parquet"));
        assert_eq!(kind(b"{\"a\":1}"), FileKind::Sampled { whole: true });
        assert_eq!(
            kind(b"user_id,x\n1,2\n"),
            FileKind::Different("is csv, unlike the files before it")
        );
        assert_eq!(kind(b"hello"), FileKind::Unknown("neither JSON nor delimited text"));
    }
}
