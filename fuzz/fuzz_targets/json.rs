//! What the walker learns from records must not change what it finds in others.
//!
//! Each line of the input is converted by itself, where nothing is known before it, and all of them
//! in one file, twice over. Rows and counts must agree; and what is a record must be what serde_json
//! takes for an object.

#![no_main]

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use personalize_engine::infer::{Amount, Profile};
use personalize_engine::{Converter, Counts, SourceFile};
use personalize_plan::{Limits, Parameters, resolve};

static CONVERTER: LazyLock<Converter> = LazyLock::new(|| {
    let sample = r#"{"user":"u","p":{"item":"i","l":[{"x":1}]},"time":1547157950,"tags":["a"]}"#;
    let mut profile = Profile::default();
    let input = Arc::new(Bytes::from_static(sample.as_bytes()));
    profile.sample(input, Amount::ALL, Limits::default()).expect("the sample is JSON");
    let table = profile.table("events", "", &[]).expect("the sample is JSON");
    let parameters = Parameters::from_pairs([
        ("SourceColumnUserId", "user"),
        ("SourceColumnItemId", "p.item"),
        ("SourceColumnTimestamp", "time"),
        ("AdditionalColumns", "tags:TAGS,p.l[0].x:X"),
    ]);
    Converter::new(&resolve(&parameters.expect("they are valid"), &table).expect("all are there"))
});

/// The rows and counts of a file; none if it is taken for no text.
fn convert(text: &[u8]) -> Option<(Vec<u8>, Counts)> {
    let mut rows = Vec::new();
    let input = Arc::new(Bytes::copy_from_slice(text));
    let counts = CONVERTER.convert(&SourceFile::default(), input, &mut rows, std::io::sink());
    Some((rows, counts.ok()?))
}

fuzz_target!(|data: &[u8]| {
    let is_object = |line: &&[u8]| {
        line.starts_with(b"{") && serde_json::from_slice::<serde_json::Value>(line).is_ok()
    };
    // Without a first line that is plainly text, the file may be taken for another format.
    let first = br#"{"user":"u","p":{"item":"i"},"time":1547157950}"#.as_slice();
    let mut lines = vec![first];
    for line in data.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
        let line = line.trim_ascii();
        if is_object(&line) {
            lines.push(line);
        } else if line.starts_with(b"{") {
            let alone = [first, b"\n", line].concat();
            // serde_json takes no surrogate's half, nor an object 128 levels deep.
            let Some((_, counts)) = convert(&alone) else { return };
            let is_lenient = line.windows(2).any(|pair| pair == b"\\u")
                || line.iter().filter(|byte| matches!(byte, b'{' | b'[')).count() > 100;
            assert!(counts.rejected() > 0 || is_lenient, "{}", String::from_utf8_lossy(line));
        }
    }
    let (mut rows, mut counts) = (Vec::new(), Counts::default());
    for line in lines.iter().chain(&lines) {
        let (these, count) = convert(line).expect("a JSON object is text");
        rows.extend(these);
        counts.add(&count);
    }
    let joined = [lines.join(&b'\n'), lines.join(&b'\n')].join(&b'\n');
    let (all_rows, mut all_counts) = convert(&joined).expect("JSON lines are text");
    (all_counts.bytes_read, all_counts.bytes_decoded) = (counts.bytes_read, counts.bytes_decoded);
    assert_eq!(String::from_utf8_lossy(&all_rows), String::from_utf8_lossy(&rows));
    assert_eq!(all_counts, counts);
});
