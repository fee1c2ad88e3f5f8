//! How a table's files are written, by what its crawler recorded.

use crate::error::PlanError;
use crate::glue::Table;
use crate::plan::{CsvFormat, GrokFormat, SourceFormat};

/// Glue's built-in classifiers of logs and the patterns of their lines. Where a crawler recorded the
/// pattern itself, that counts.
///
/// Sources: AWS Glue developer guide, "Adding classifiers to a crawler" (the names); the patterns
/// are those of logstash, which Glue's own are made of.
pub const LOG_CLASSIFIERS: [(&str, &str); 8] = [
    ("combined_apache", "%{COMBINEDAPACHELOG}"),
    ("apache", "%{COMMONAPACHELOG}"),
    (
        "linux_kernel",
        "%{SYSLOGTIMESTAMP:timestamp} %{SYSLOGHOST:hostname} \
         %{SYSLOGPROG}: (?:\\[ *%{NUMBER:uptime}\\] )?%{GREEDYDATA:message}",
    ),
    (
        "microsoft_log",
        // Of the fields that may be left out, IIS writes the first since version 7 no more, and
        // the others only since then.
        "%{TIMESTAMP_ISO8601:timestamp} (?:%{NOTSPACE:s_sitename} )??%{IP:s_ip} \
         %{NOTSPACE:cs_method} %{NOTSPACE:cs_uri_stem} %{NOTSPACE:cs_uri_query} \
         %{NONNEGINT:s_port} %{NOTSPACE:cs_username} %{IP:c_ip} %{NOTSPACE:cs_user_agent} \
         (?:%{NOTSPACE:cs_referer} )??%{NONNEGINT:sc_status} %{NONNEGINT:sc_substatus} \
         %{NONNEGINT:sc_win32_status}(?: %{NONNEGINT:time_taken})?",
    ),
    ("ruby_logger", "%{RUBY_LOGGER}"),
    (
        "squid",
        "%{NUMBER:timestamp}\\s+%{NUMBER:duration}\\s+%{IPORHOST:client_address} \
         %{WORD:cache_result}/%{NONNEGINT:status_code} %{NUMBER:bytes} %{WORD:request_method} \
         %{NOTSPACE:url} %{NOTSPACE:user} %{WORD:hierarchy_code}/%{NOTSPACE:server} \
         %{NOTSPACE:content_type}",
    ),
    ("redismonlog", "%{REDISMONLOG}"),
    (
        "redislog",
        // Beside its own pattern, which has no message, what Redis writes since version 3.
        "(?:\\[%{POSINT:pid}\\]|%{POSINT:pid}:%{WORD:role}) \
         (?<timestamp>%{MONTHDAY} %{MONTH} (?:%{YEAR} )?%{TIME}) %{NOTSPACE:level} \
         %{GREEDYDATA:message}",
    ),
];

/// What the crawler said, or else what the SerDe reads.
fn classification(table: &Table) -> Option<&str> {
    let serde = &table.storage_descriptor.serde_info.serialization_library;
    table.classification().or_else(|| {
        let known = [
            ("JsonSerDe", "json"),
            ("LazySimpleSerDe", "csv"),
            ("OpenCSVSerde", "csv"),
            ("ParquetHiveSerDe", "parquet"),
            ("OrcSerde", "orc"),
            ("AvroSerDe", "avro"),
            ("IonHiveSerDe", "ion"),
            ("GrokSerDe", "grok"),
        ];
        known.iter().find(|(class, _)| serde.ends_with(class)).map(|(_, name)| *name)
    })
}

/// The format of the table's files.
///
/// # Errors
///
/// [`PlanError`] for a format that is not read, or one whose description lacks something.
pub(crate) fn source_format(table: &Table) -> Result<SourceFormat, PlanError> {
    let classification = classification(table);
    let pattern = table.parameter("grokPattern").or_else(|| table.parameter("input.format"));
    Ok(match classification {
        Some("json") => SourceFormat::Json,
        Some("csv") => SourceFormat::Csv(csv_format(table)?),
        Some("parquet") => SourceFormat::Parquet,
        Some("orc") => SourceFormat::Orc,
        Some("avro") => SourceFormat::Avro,
        Some("ion") => SourceFormat::Ion,
        Some("bson") => SourceFormat::Bson,
        Some("xml") => SourceFormat::Xml {
            row_tag: required(table, "rowTag", &["rowTag", "xml.rowTag"])?.to_owned(),
        },
        _ => {
            let known = LOG_CLASSIFIERS.iter().find(|(name, _)| classification == Some(*name));
            // A custom classifier's logs are called as its maker liked.
            let Some(pattern) = pattern.or(known.map(|(_, pattern)| *pattern)) else {
                return Err(match classification {
                    Some("grok") => missing(table, "grokPattern"),
                    other => PlanError::Format {
                        table: table.name.clone(),
                        classification: other.unwrap_or("nothing").to_owned(),
                    },
                });
            };
            let custom = ["grokCustomPatterns", "input.grokCustomPatterns"];
            SourceFormat::Grok(GrokFormat {
                pattern: pattern.to_owned(),
                custom_patterns: custom
                    .iter()
                    .find_map(|name| table.parameter(name))
                    .unwrap_or_default()
                    .to_owned(),
            })
        }
    })
}

fn missing(table: &Table, parameter: &'static str) -> PlanError {
    PlanError::MissingTableParameter { table: table.name.clone(), parameter }
}

fn required<'a>(
    table: &'a Table,
    parameter: &'static str,
    names: &[&str],
) -> Result<&'a str, PlanError> {
    let value = names.iter().find_map(|name| table.parameter(name));
    value.filter(|value| !value.is_empty()).ok_or_else(|| missing(table, parameter))
}

fn csv_format(table: &Table) -> Result<CsvFormat, PlanError> {
    let character = |what, names: &[&str], default: char| {
        let value = names.iter().find_map(|name| table.parameter(name));
        one_byte(value, default).map_err(|value| PlanError::CsvCharacter {
            table: table.name.clone(),
            what,
            value,
        })
    };
    let lines = table.parameter("skip.header.line.count").unwrap_or("0").trim();
    let lines: u64 = lines.parse().map_err(|_| PlanError::HeaderLines {
        table: table.name.clone(),
        count: lines.to_owned(),
    })?;
    // Hive's own delimiter, where the SerDe is Hive's and none is given.
    let serde = &table.storage_descriptor.serde_info.serialization_library;
    let default = if serde.ends_with("LazySimpleSerDe") { '\u{1}' } else { ',' };
    let columns = &table.storage_descriptor.columns;
    Ok(CsvFormat {
        delimiter: character("delimiter", &["delimiter", "field.delim", "separatorChar"], default)?,
        quote: character("quote", &["quoteChar"], '"')?,
        header: lines == 1,
        skipped_lines: if lines > 1 { lines } else { 0 },
        columns: columns.iter().map(|column| column.name.clone()).collect(),
    })
}

/// A delimiter as crawlers write it: the character itself, or its escape.
fn one_byte(value: Option<&str>, default: char) -> Result<char, String> {
    let Some(value) = value else {
        return Ok(default);
    };
    let mut chars = value.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) if c.is_ascii() => Ok(c),
        _ => match value {
            "" => Ok(default),
            "\\t" => Ok('\t'),
            "\\u0001" | "\\001" => Ok('\u{1}'),
            _ => Err(value.to_owned()),
        },
    }
}
