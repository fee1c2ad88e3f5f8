//! Shortcuts for what is common give the rows and rejects that converting value by value gives.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, Int64Array, LargeStringArray, RecordBatch, StringArray};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use personalize_engine::{Converter, SourceFile};
use personalize_plan::glue::{Column, Table};
use personalize_plan::{Parameters, resolve};
use proptest::prelude::*;
use serde_json::json;

/// Rows, and what the rejects say without the records themselves.
type Converted = (String, Vec<(String, String)>);

const NAMES: [&str; 6] = ["note", "user_id", "item_id", "event_type", "event_value", "timestamp"];
/// As they are written, so that all cells of a plain row are copied at once.
const AS_WRITTEN: [&str; 6] =
    ["note", "item_id", "user_id", "event_type", "event_value", "timestamp"];

fn convert(
    table: &[(&str, &str)],
    names: [&str; 6],
    types: [&str; 6],
    kept: &str,
    partition: Option<&str>,
    bytes: Vec<u8>,
) -> Converted {
    let columns = names.iter().zip(types);
    let column =
        |(name, kind): (&&str, &str)| Column { name: (*name).into(), type_name: kind.into() };
    let mut of_files = Table { name: "t".into(), ..Table::default() };
    of_files.parameters =
        table.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    of_files.storage_descriptor.columns = columns.map(column).collect();
    if partition.is_some() {
        let columns = &mut of_files.storage_descriptor.columns;
        let place = columns.iter().position(|column| column.name == "event_type").unwrap();
        let name = std::mem::replace(&mut columns[place].name, "unused".into());
        of_files.partition_keys.push(Column { name, type_name: "string".into() });
    }
    let parameters = [("EventTypes", kept)];
    let parameters = Parameters::from_pairs(parameters.into_iter().filter(|_| !kept.is_empty()));
    let converter = Converter::new(&resolve(&parameters.unwrap(), &of_files).unwrap());
    let (mut rows, mut rejects) = (Vec::new(), Vec::new());
    let partition_values = partition.map(|value| Some(value.to_owned())).into_iter().collect();
    let file = SourceFile { partition_values, ..SourceFile::default() };
    converter.convert(&file, Arc::new(Bytes::from(bytes)), &mut rows, &mut rejects).unwrap();
    let said = |line: &str| {
        let reject: serde_json::Value = serde_json::from_str(line).unwrap();
        (reject["reason"].to_string(), json!([reject["offset"], reject["line"]]).to_string())
    };
    let rejects = String::from_utf8(rejects).unwrap();
    (String::from_utf8(rows).unwrap(), rejects.lines().map(said).collect())
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just(" ".to_owned()),
        Just("view".to_owned()),
        "[0-9]{1,17}",
        "[a-z0-9 ._|-]{1,40}",
        "[a-z]{250,260}",
        "[a-zé\"\\\\,;#\t]{1,20}",
    ]
}

fn event_type() -> impl Strategy<Value = String> {
    prop_oneof![6 => Just("view".to_owned()), 1 => Just("buy".to_owned()), 1 => text()]
}

fn number() -> impl Strategy<Value = i64> {
    prop_oneof![
        0..200_000_i64,
        1_500_000_000..1_800_000_000_i64,
        1_500_000_000_000..1_800_000_000_000_i64,
        any::<i32>().prop_map(i64::from),
        any::<i64>(),
    ]
}

fn number_text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => number().prop_map(|number| number.to_string()),
        1 => Just("2019-01-10T22:34:04Z".to_owned()),
        1 => "0?[0-9]{1,12}(\\.[0-9]{0,3})?",
        1 => text(),
    ]
}

type Cells = (String, String, String, String, String);

/// A row whose first cell is that note. Cells are quoted where they must be.
fn row(note: &str, (user, item, kind, value, time): &Cells, delimiter: char, end: &str) -> String {
    let quoted = |cell: &String| match cell.contains([delimiter, '"']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell.clone(),
    };
    let cells: Vec<String> = [user, item, kind, value, time].into_iter().map(quoted).collect();
    format!("{note}{delimiter}{}{end}", cells.join(&delimiter.to_string()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn plain_rows_are_converted_as_others(
        cells in prop::collection::vec(
            (text(), text(), event_type(), number_text(), number_text()), 0..60),
        ends in prop::collection::vec(prop::sample::select(vec!["\n", "\r\n", "\n\n"]), 60),
        delimiter in prop::sample::select(vec![',', ';', '\t']),
        kept in prop::sample::select(vec!["", "view"]),
        names in prop::sample::select(vec![NAMES, AS_WRITTEN]),
        partition in prop::sample::select(vec![None, Some("view"), Some("buy")]),
    ) {
        let file = |note: &str| -> Vec<u8> {
            let rows = cells.iter().zip(&ends).map(|(cells, end)| row(note, cells, delimiter, end));
            rows.collect::<String>().into_bytes()
        };
        let delimiter = delimiter.to_string();
        let table = [("classification", "csv"), ("delimiter", &delimiter)];
        let types = ["string", "string", "string", "string", "double", "string"];
        // A number sign might have to be quoted, so that no row with it is plain.
        prop_assert_eq!(
            convert(&table, names, types, kept, partition, file("n")),
            convert(&table, names, types, kept, partition, file("#"))
        );
    }

    #[test]
    fn a_rejected_records_line_is_right_wherever_line_breaks_are(
        records in prop::collection::vec((
            prop::sample::select(vec![
                r#"{"user_id":"u","item_id":"i","timestamp":1547157950}"#,
                r#"{"user_id":"u","item_id":"i","timestamp":"never"}"#,
                r#"{"user_id":"u","note":{"a":[1,2]},"timestamp":1547157950}"#,
                r#"{"user_id":"u","item_id":["i","j"],"timestamp":1547157950}"#,
                r#"{"user_id":"u","item_id":"i","timestamp":1547157950,}"#,
            ]),
            prop::collection::vec(any::<prop::sample::Index>(), 0..3),
            prop::sample::select(vec!["", "\n", "\n", "\n", "\n\n", " \r\n"]),
        ), 0..60),
    ) {
        let mut text = String::new();
        for (record, breaks, end) in records {
            // Between a record's tokens a line may end.
            let places: Vec<_> = record.match_indices([',', '[', ']', '}']).collect();
            let mut record = record.to_owned();
            let mut places: Vec<_> = breaks.iter().map(|place| place.get(&places).0).collect();
            places.sort_unstable();
            for place in places.into_iter().rev() {
                record.insert(place, '\n');
            }
            text += &record;
            text += end;
        }
        let table = [("classification", "json")];
        let types = ["string"; 6];
        let (_, rejects) = convert(&table, NAMES, types, "", None, text.clone().into_bytes());
        for (_, place) in rejects {
            let place: serde_json::Value = serde_json::from_str(&place).unwrap();
            let offset = place[0].as_u64().unwrap() as usize;
            let line = 1 + text[..offset].matches('\n').count();
            prop_assert_eq!(place[1].as_u64(), Some(line as u64), "{}", text);
        }
    }

    #[test]
    fn columns_are_converted_as_members(
        rows in prop::collection::vec((
            prop::option::weighted(0.9, text()),
            prop::option::weighted(0.9, number()),
            prop::option::weighted(0.9, event_type()),
            prop::option::weighted(0.9, any::<i32>()),
            prop::option::weighted(0.9, number()),
        ), 0..400),
        kept in prop::sample::select(vec!["", "view"]),
    ) {
        let arrays: [(&str, ArrayRef); 6] = [
            ("note", Arc::new(StringArray::from(vec![Some("n"); rows.len()]))),
            ("user_id", Arc::new(rows.iter().map(|row| row.0.clone()).collect::<StringArray>())),
            ("item_id", Arc::new(rows.iter().map(|row| row.1).collect::<Int64Array>())),
            ("event_type",
                Arc::new(rows.iter().map(|row| row.2.clone()).collect::<LargeStringArray>())),
            ("event_value", Arc::new(rows.iter().map(|row| row.3).collect::<Int32Array>())),
            ("timestamp", Arc::new(rows.iter().map(|row| row.4).collect::<Int64Array>())),
        ];
        let batch = RecordBatch::try_from_iter_with_nullable(
            arrays.into_iter().map(|(name, array)| (name, array, true)),
        ).unwrap();
        let mut columns = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut columns, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let members: String = rows.iter().map(|(user, item, kind, value, time)| {
            let object = serde_json::json!({
                "note": "n", "user_id": user, "item_id": item, "event_type": kind,
                "event_value": value, "timestamp": time,
            });
            format!("{object}\n")
        }).collect();
        let types = ["string", "string", "bigint", "string", "int", "bigint"];
        let parquet = [("classification", "parquet")];
        let (found, rejects) = convert(&parquet, NAMES, types, kept, None, columns);
        let json = [("classification", "json")];
        let (expected, refused) =
            convert(&json, NAMES, types, kept, None, members.into_bytes());
        prop_assert_eq!(found, expected);
        let reasons = |rejects: Vec<(String, String)>| -> Vec<String> {
            rejects.into_iter().map(|(reason, _)| reason).collect()
        };
        prop_assert_eq!(reasons(rejects), reasons(refused));
    }
}
