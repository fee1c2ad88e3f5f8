//! Whole conversions: records across block boundaries, and promises that hold for any bytes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

use std::io::{Read, Write};
use std::sync::Arc;

use bytes::Bytes;
use personalize_engine::{Compression, ConvertError, Converter, Counts, Input, SourceFile};
use personalize_plan::glue::{Column, Table};
use personalize_plan::{Parameters, resolve};
use proptest::prelude::*;

fn converter(classification: &str, parameters: &[(&str, &str)]) -> Converter {
    table_converter(&[("classification", classification)], parameters)
}

fn table_converter(of_table: &[(&str, &str)], parameters: &[(&str, &str)]) -> Converter {
    let column = |name: &str| Column { name: name.into(), type_name: "string".into() };
    let mut table = Table { name: "t".into(), ..Table::default() };
    table.parameters =
        of_table.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    table.storage_descriptor.columns = ["user_id", "item_id", "timestamp"].map(column).into();
    Converter::new(
        &resolve(&Parameters::from_pairs(parameters.iter().copied()).unwrap(), &table).unwrap(),
    )
}

struct Converted {
    counts: Counts,
    rows: String,
    rejects: Vec<serde_json::Value>,
}

fn convert(converter: &Converter, bytes: &[u8]) -> Result<Converted, ConvertError> {
    convert_input(converter, Arc::new(Bytes::copy_from_slice(bytes)))
}

fn convert_input(converter: &Converter, input: Arc<dyn Input>) -> Result<Converted, ConvertError> {
    let (mut rows, mut rejects) = (Vec::new(), Vec::new());
    let counts = converter.convert(&SourceFile::default(), input, &mut rows, &mut rejects)?;
    let rejects = String::from_utf8(rejects).unwrap();
    Ok(Converted {
        counts,
        rows: String::from_utf8(rows).expect("rows are UTF-8"),
        rejects: rejects.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
    })
}

/// The number of filler bytes in record `n`: every length comes up, and some are very long.
fn filler(n: usize) -> usize {
    if n.is_multiple_of(97) { 300_000 + n } else { n * 7 % 2000 }
}

#[test]
fn records_are_whole_wherever_blocks_end() {
    for separator in ["\n", "\r\n", "", ",\n"] {
        let mut text = String::new();
        let mut expected = String::new();
        for n in 0..3000 {
            text += &format!(
                r#"{{"user_id":"u}}{{","x":"{}","item_id":"i\n{n}","timestamp":{}}}{separator}"#,
                "é".repeat(filler(n) / 2),
                1_700_000_000 + n
            );
            expected += &format!("i {n},u}}{{,{}\n", 1_700_000_000 + n);
        }
        let converted = convert(&converter("json", &[]), text.as_bytes()).unwrap();
        assert_eq!(converted.counts.rows_written, 3000, "{:?}", converted.rejects.first());
        assert!(converted.rows == expected, "rows differ for {separator:?}");
    }
}

#[test]
fn csv_rows_are_whole_wherever_blocks_end() {
    let mut text = String::new();
    let mut expected = String::new();
    for n in 0..3000 {
        let line_end = if n % 2 == 0 { "\r\n" } else { "\n" };
        let filler = "x\n\"\"".repeat(filler(n) / 50);
        text += &format!("\"u{filler}\",i{n},{}{line_end}", 1_700_000_000 + n);
        let user = format!("u{filler}").replace("\"\"", "\"").replace('\n', " ");
        if user.chars().count() <= 256 {
            let quoted = user.replace('"', "\\\"");
            let user = if user.contains('"') { format!("\"{quoted}\"") } else { user };
            expected += &format!("i{n},{user},{}\n", 1_700_000_000 + n);
        }
    }
    let converted = convert(&converter("csv", &[]), text.as_bytes()).unwrap();
    assert_eq!(converted.counts.records_read, 3000);
    assert!(converted.rows == expected);
}

const XML: [(&str, &str); 2] = [("classification", "xml"), ("rowTag", "event")];

#[test]
fn elements_are_whole_wherever_blocks_end() {
    let mut text = "<?xml version=\"1.0\"?>\n<events>\n".to_owned();
    let mut expected = String::new();
    let mut broken = Vec::new();
    for n in 0..3000 {
        let (filler, time) = ("é<b/>".repeat(filler(n) / 7), 1_700_000_000 + n);
        let end = if n % 50 == 49 { "i" } else { "item_id" };
        if n % 50 == 49 {
            broken.push((text.len() as u64 + 2, text.matches('\n').count() as u64 + 1));
        } else {
            expected += &format!("i&{n},u,{time}\n");
        }
        text += &format!(
            "  <event>\n    <x>{filler}</x>\n    <user_id>u</user_id>\n    <item_id>i&amp;{n}</{end}>\n    <timestamp>{time}</timestamp>\n  </event>\n"
        );
    }
    text += "</events>\n";
    let converted = convert(&table_converter(&XML, &[]), text.as_bytes()).unwrap();
    assert!(converted.rows == expected);
    let place = |reject: &serde_json::Value| {
        assert_eq!(reject["reason"], "malformed_xml");
        (reject["offset"].as_u64().unwrap(), reject["line"].as_u64().unwrap())
    };
    assert_eq!(converted.rejects.iter().map(place).collect::<Vec<_>>(), broken);
}

#[test]
fn an_element_without_an_end_costs_itself() {
    let good =
        "<event><user_id>u</user_id><item_id>i</item_id><timestamp>1700000000</timestamp></event>";
    let text = format!("<events><event><user_id>u</user_id>{}", good.repeat(220_000));
    let converted = convert(&table_converter(&XML, &[]), text.as_bytes()).unwrap();
    assert_eq!((converted.counts.rows_written, converted.counts.rejected()), (220_000, 1));

    let text = "<event><user_id>".repeat(100_000);
    let converted = convert(&table_converter(&XML, &[]), text.as_bytes()).unwrap();
    assert_eq!((converted.counts.rows_written, converted.counts.rejected()), (0, 100_000));
}

#[test]
fn log_lines_are_whole_wherever_blocks_end() {
    let of_table = [
        ("classification", "our-log"),
        ("grokPattern", "^%{OURS:user_id} %{QS:item_id} %{INT:timestamp:long}"),
        ("grokCustomPatterns", "OURS u[0-9]+\nOTHER x"),
    ];
    let mut text = String::new();
    let mut expected = String::new();
    for n in 0..3000 {
        let line_end = if n % 2 == 0 { "\r\n\n" } else { "\n" };
        let (item, time) = ("é".repeat(filler(n) / 2), 1_700_000_000 + n);
        text += &format!("u{n} \"{item}\" {time} more{line_end}");
        if item.is_empty() || item.chars().count() > 256 {
            continue;
        }
        expected += &format!("{item},u{n},{time}\n");
    }
    let converted = convert(&table_converter(&of_table, &[]), text.as_bytes()).unwrap();
    assert_eq!(converted.counts.records_read, 3000);
    assert!(converted.rows == expected);

    let converted = convert(&table_converter(&of_table, &[]), b"u1 \"i\" 1700000000\nv\n").unwrap();
    assert_eq!(converted.counts.rows_written, 1);
    assert_eq!(converted.rejects[0]["reason"], "no_match");
}

#[test]
fn an_unusable_grok_pattern_is_told() {
    let of_table = [("classification", "our-log"), ("grokPattern", "%{NONE:user_id}")];
    let fault = convert(&table_converter(&of_table, &[]), b"x\n").err().unwrap();
    assert!(matches!(fault, ConvertError::Pattern(_)), "{fault}");
}

#[test]
fn offsets_and_lines_of_rejects_hold_in_large_files() {
    let mut text = String::new();
    let mut places = Vec::new();
    for n in 0..3000 {
        if n % 50 == 49 {
            places.push((text.len() as u64, text.matches('\n').count() as u64 + 1));
            text += &format!("{{\"broken\":{}\n", "1".repeat(filler(n)));
        } else {
            let filler = "\n".repeat(filler(n) / 10);
            text += &format!(r#"{{"user_id":"u","item_id":"i",{filler}"timestamp":1700000000}}"#);
            text.push('\n');
        }
    }
    let converted = convert(&converter("json", &[]), text.as_bytes()).unwrap();
    let found: Vec<_> = converted
        .rejects
        .iter()
        .map(|reject| (reject["offset"].as_u64().unwrap(), reject["line"].as_u64().unwrap()))
        .collect();
    assert_eq!(found, places);
}

/// A record that begins and does not end.
struct Endless;

impl Input for Endless {
    fn size(&self) -> u64 {
        1 << 30
    }

    fn stream(&self) -> std::io::Result<Box<dyn Read + Send>> {
        let spaces = std::io::repeat(b' ').take(1 << 30);
        Ok(Box::new(std::io::Cursor::new(b"{\"x\":[".to_vec()).chain(spaces)))
    }

    fn read_range(&self, _: u64, _: usize) -> std::io::Result<Bytes> {
        panic!("text is read from its beginning")
    }
}

#[test]
fn a_record_without_an_end_is_told_not_held() {
    let fault = convert_input(&converter("json", &[]), Arc::new(Endless)).err();
    let fault = fault.expect("it never ends");
    assert!(matches!(fault, ConvertError::RecordTooLong { offset: 0, line: 1 }), "{fault}");
    assert!(fault.is_poison());

    // A record without its end costs itself, however much follows.
    let good = r#"{"user_id":"u","item_id":"i","timestamp":1700000000}"#;
    let text = format!(r#"{good}{{"user_id":"u","more":{{"x":1}}{}"#, good.repeat(400_000));
    let converted = convert(&converter("json", &[]), text.as_bytes()).unwrap();
    assert_eq!((converted.counts.rows_written, converted.counts.rejected()), (400_001, 1));

    // A stray quote costs its own line, however much follows.
    let mut text = b"\"u,i,1700000000\n".to_vec();
    for _ in 0..1_200_000 {
        text.extend_from_slice(b"u,i,1700000000\n");
    }
    let converted = convert(&converter("csv", &[]), &text).unwrap();
    assert_eq!((converted.counts.rows_written, converted.counts.rejected()), (1_200_000, 1));
}

/// Bytes that look like records more often than chance would have it.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => Just(br#"{"user_id":"u","item_id":"i","timestamp":1700000000}"#.to_vec()),
        2 => Just(br#"{"user_id":7,"item_id":[],"timestamp":"2024-02-30"}"#.to_vec()),
        2 => Just(b"u,i,1700000000\n".to_vec()),
        4 => prop::sample::select(vec!["\n", "}", "{", "[", "]", ",", "\"", "\\", "\r\n", "null", " "])
            .prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(1..=255_u8, 0..8),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn zip(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = rawzip::ZipArchiveWriter::new(Vec::new());
    for (name, content) in entries {
        let (mut entry, config) = archive.new_file(name).start().unwrap();
        let mut writer = config.wrap(&mut entry);
        writer.write_all(content.as_bytes()).unwrap();
        let (_, descriptor) = writer.finish().unwrap();
        entry.finish(descriptor).unwrap();
    }
    archive.finish().unwrap()
}

#[test]
fn every_entry_of_an_archive_is_a_file_of_its_own() {
    let table = Table::from_json(
        r#"{"Table": {"Name": "t", "StorageDescriptor": {"Columns": [
            {"Name": "user_id", "Type": "string"}, {"Name": "item_id", "Type": "string"},
            {"Name": "timestamp", "Type": "bigint"}]},
            "Parameters": {"classification": "csv", "skip.header.line.count": "1"}}}"#,
    );
    let parameters = Parameters::from_pairs::<&str, &str>([]).unwrap();
    let converter = Converter::new(&resolve(&parameters, &table.unwrap()).unwrap());
    let one = "user_id,item_id,timestamp\nu,i,1700000000\n";
    let two = "timestamp,item_id,user_id\nsoon,j,v\n1700000001,j,v\n";
    let archive = zip(&[("a/one.csv", one), ("a/two.csv", two), ("empty.csv", "")]);
    let (mut rows, mut rejects) = (Vec::new(), Vec::new());
    let file = SourceFile { name: "in.zip".into(), ..SourceFile::default() };
    let counts =
        converter.convert(&file, Arc::new(Bytes::from(archive)), &mut rows, &mut rejects).unwrap();
    assert_eq!(String::from_utf8(rows).unwrap(), "i,u,1700000000\nj,v,1700000001\n");
    assert_eq!((counts.records_read, counts.bytes_decoded), (3, (one.len() + two.len()) as u64));
    let reject: serde_json::Value = serde_json::from_slice(&rejects).unwrap();
    assert_eq!(reject["file"], "in.zip/a/two.csv");
    assert_eq!((&reject["offset"], &reject["line"]), (&26.into(), &2.into()));
}

#[test]
fn an_error_in_an_archive_names_the_entry() {
    let good = r#"{"user_id":"u","item_id":"i","timestamp":1700000000}"#;
    let damaged = |mut archive: Vec<u8>| {
        let place = archive.windows(4).position(|bytes| bytes == b"GOOD").unwrap();
        archive[place] ^= 1;
        convert(&converter("json", &[]), &archive).err().unwrap()
    };
    let fault =
        damaged(zip(&[("a.json", good), ("b.json", r#"{"x":"GOOD","more":"than a head"}"#)]));
    assert_eq!(
        fault.to_string(),
        "holds \"b.json\", which is damaged: its zip content cannot be decoded at byte 33: its \
         checksum is wrong"
    );
    assert!(fault.is_poison());
    let fault = convert(&converter("json", &[]), &zip(&[("a.png", "\0\0")])).err().unwrap();
    assert_eq!(fault.to_string(), "holds \"a.png\", which is not UTF-8 text; this plan reads JSON");
    let whole = zip(&[("a.json", good)]);
    let fault = convert(&converter("json", &[]), &whole[..whole.len() - 1]).err().unwrap();
    assert!(matches!(fault, ConvertError::Truncated { compression: Compression::Zip, .. }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_the_bytes_counts_add_up_and_nothing_is_lost(bytes in bytes(), csv in any::<bool>()) {
        let converter = converter(if csv { "csv" } else { "json" }, &[]);
        let Ok(converted) = convert(&converter, &bytes) else { return Ok(()) };
        let counts = &converted.counts;
        prop_assert_eq!(counts.records_read, counts.records_written + counts.filtered + counts.rejected());
        prop_assert_eq!(counts.rows_written as usize, converted.rows.lines().count());
        prop_assert_eq!(counts.rejected() as usize, converted.rejects.len());
        prop_assert_eq!(counts.bytes_decoded, bytes.len() as u64);
        // Rejected bytes stand where the reject says, one behind the other.
        let mut end = 0;
        for reject in converted.rejects.iter().filter_map(|reject| Some((reject["offset"].as_u64()? as usize, reject["record"].as_str()?))) {
            prop_assert!(reject.0 >= end);
            end = reject.0 + reject.1.len();
            prop_assert_eq!(&bytes[reject.0..end], reject.1.as_bytes());
        }
    }

    #[test]
    fn identifiers_survive_the_csv(user in "[\\PC&&[^\\p{Zl}\\p{Zp}]]{1,40}", item in "[ -~]{1,40}") {
        let record = serde_json::json!({ "user_id": user, "item_id": item, "timestamp": 1_700_000_000 });
        let converted = convert(&converter("json", &[]), record.to_string().as_bytes()).unwrap();
        let blank = |text: &str| text.trim_matches(' ').is_empty();
        if blank(&user) || blank(&item) {
            prop_assert_eq!(converted.counts.rejected(), 1);
        } else {
            let cells = read_row(converted.rows.trim_end_matches('\n'));
            prop_assert_eq!(cells, [item, user, "1700000000".to_owned()]);
        }
    }
}

/// A row in Personalize's dialect, read by its rules.
fn read_row(row: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let (mut quoted, mut chars) = (false, row.chars());
    while let Some(c) = chars.next() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            '\\' => cells.last_mut().unwrap().extend(chars.next()),
            c => cells.last_mut().unwrap().push(c),
        }
    }
    cells
}
