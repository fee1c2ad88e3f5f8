//! One file through all stages: decompress, frame, decode, convert, write.

use std::io::Write;
use std::sync::{Arc, OnceLock};

use personalize_plan::{ConversionPlan, Limits, SourceFormat};

use crate::avro::Avro;
use crate::bson;
use crate::caught::catch;
use crate::columnar::{self, Orc, Parquet};
use crate::compression::{Compression, Decompressed, Files};
use crate::convert::Mapping;
use crate::counts::Counts;
use crate::csv::{self, CsvRecords};
use crate::error::ConvertError;
use crate::grok::{self, Grok, GrokError};
use crate::input::{Input, Source};
use crate::ion;
use crate::json::{self, JsonRecords};
use crate::run::Run;
use crate::text::{ObjectRecords, Text, decoding_error};
use crate::workspace::Workspaces;
use crate::xml;

/// Converts files by a plan. Made once, used for any number of files, also at the same time.
#[derive(Debug, Clone)]
pub struct Converter {
    pub(crate) mapping: Mapping,
    pub(crate) format: SourceFormat,
    pub(crate) limits: Limits,
    /// For CSV: the source column of each fixed slot, and whether a record must have it
    pub(crate) columns: Vec<(String, bool)>,
    /// For logs: the pattern, once the first file needs it
    grok: Arc<OnceLock<Result<Grok, GrokError>>>,
    pub(crate) workspaces: Workspaces,
}

/// A file as its rejects name it, and what its folders say.
#[derive(Debug, Clone, Default)]
pub struct SourceFile {
    /// The path or key.
    pub name: String,
    /// The values of the plan's partition keys, in the plan's order; see
    /// [`crate::partition_values`].
    pub partition_values: Vec<Option<String>>,
}

impl Converter {
    /// Makes a plan ready for converting.
    pub fn new(plan: &ConversionPlan) -> Self {
        let mapping = Mapping::new(plan);
        let columns = csv::slot_columns(plan, &mapping);
        Self {
            mapping,
            format: plan.source.format.clone(),
            limits: plan.source.limits,
            columns,
            grok: Arc::default(),
            workspaces: Workspaces::default(),
        }
    }

    /// The header line of the CSV, with its line break.
    pub fn header(&self) -> String {
        self.mapping.field_names.join(",") + "\n"
    }

    /// Whether files of the plan's format are read by range alone, and not from their beginning.
    pub fn reads_by_range(&self) -> bool {
        matches!(self.format, SourceFormat::Parquet | SourceFormat::Orc)
    }

    /// Converts one file: rows without a header go to `rows`, rejected records to `rejects`.
    ///
    /// What was written before an error is part of a file and has to be thrown away.
    ///
    /// # Errors
    ///
    /// [`ConvertError`] if the file as a whole cannot be read, or its results cannot be written.
    pub fn convert(
        &self,
        file: &SourceFile,
        input: Arc<dyn Input>,
        rows: impl Write,
        rejects: impl Write,
    ) -> Result<Counts, ConvertError> {
        let source = Source::new(input);
        // A format's library may panic on a hostile file; that is this file's fault alone.
        let converting = || {
            let mut workspace = self.workspaces.take();
            let mut run = Run::new(&self.mapping, file, &mut workspace, rows, rejects);
            self.read(&source, &mut run)?;
            let counts = run.finish()?;
            self.workspaces.leave(workspace);
            Ok(counts)
        };
        let converted = catch(converting).unwrap_or_else(|panic| Err(ConvertError::Panic(panic)));
        match (converted, source.take_fault()) {
            (Ok(mut counts), _) => {
                counts.bytes_read = source.bytes_read();
                Ok(counts)
            }
            (Err(fault @ ConvertError::Write(_)), _) | (Err(fault), None) => Err(fault),
            (Err(_), Some(fault)) => Err(ConvertError::Read(fault)),
        }
    }

    fn read<W: Write, J: Write>(
        &self,
        source: &Arc<Source>,
        run: &mut Run<'_, W, J>,
    ) -> Result<(), ConvertError> {
        match &self.format {
            SourceFormat::Parquet => return columnar::convert(&Parquet::open(source)?, run),
            SourceFormat::Orc => return columnar::convert(&Orc::open(source)?, run),
            _ => {}
        }
        // Only the index of a zip archive is looked at here; what else fails is the source's own.
        let files = Files::of(source, self.limits)
            .map_err(|fault| decoding_error(&fault, Compression::Zip, 0))?;
        for file in files {
            let entry = file.entry().map(str::to_owned);
            run.enter(entry.as_deref());
            self.read_file(file.open(), run).map_err(|fault| fault.in_entry(entry))?;
        }
        Ok(())
    }

    fn read_file<W: Write, J: Write>(
        &self,
        file: Decompressed,
        run: &mut Run<'_, W, J>,
    ) -> Result<(), ConvertError> {
        let Decompressed { compression, reader } = file;
        let projection = &self.mapping.projection;
        match &self.format {
            SourceFormat::Json => {
                let walker = run.workspace.take_walker(projection);
                let mut records = JsonRecords::new(walker, json::Framer::default());
                Text::open(run, reader, compression, "JSON")?.convert(&mut records)?;
                run.workspace.leave_walker(records.into_walker());
                Ok(())
            }
            SourceFormat::Csv(format) => {
                let mut records = CsvRecords::new(format, &self.columns, None);
                let text = Text::open(run, reader, compression, "CSV")?;
                text.skip_lines(format.skipped_lines)?.convert(&mut records)
            }
            SourceFormat::Avro => Avro::open(reader, compression)?.convert(run),
            SourceFormat::Ion => ion::read(run, reader, compression),
            SourceFormat::Bson => bson::read(run, reader, compression),
            SourceFormat::Xml { row_tag } => {
                let mut records = ObjectRecords::new(projection, xml::Framer::new(row_tag));
                Text::open(run, reader, compression, "XML")?.convert(&mut records)
            }
            SourceFormat::Grok(pattern) => {
                let compiled = self.grok.get_or_init(|| Grok::new(pattern)).as_ref();
                let grok = compiled.map_err(|error| ConvertError::Pattern(error.clone()))?;
                let mut records = ObjectRecords::new(projection, grok::Lines::new(grok));
                Text::open(run, reader, compression, "a log")?.convert(&mut records)
            }
            SourceFormat::Parquet | SourceFormat::Orc => {
                Err(ConvertError::OtherFormat { found: "a stream", expected: "a file by range" })
            }
        }
    }
}
