//! Whole conversions in memory: JSON lines as Firehose writes them, and nested events of which
//! some are kept.

#![allow(clippy::expect_used, missing_docs, reason = "a benchmark may fail loudly")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use personalize_engine::infer::Profile;
use personalize_engine::{Converter, SourceFile};
use personalize_plan::{Limits, Parameters, resolve};

const RECORDS: u64 = 20_000;

fn flat() -> String {
    let mut text = String::new();
    for n in 0..RECORDS {
        let (item, user, time) = (n * 7919 % 5000, n * 104_729 % 200_000, 1_547_157_950 + n);
        let event = ["click", "click", "view", "purchase"][n as usize % 4];
        let _ = writeln!(
            text,
            r#"{{"type": "useritem", "ITEM_ID": {item}, "USER_ID": {user}, "EVENT_TYPE": "{event}", "EVENT_VALUE": {item}, "TIMESTAMP": {time}}}"#
        );
    }
    text
}

fn nested() -> String {
    let mut text = String::new();
    for n in 0..RECORDS {
        let event =
            ["Product Clicked", "Page Viewed", "Order Completed", "Email Opened"][n as usize % 4];
        let (sku, minute, second) = (n * 7919 % 5000, n / 60 % 60, n % 60);
        let _ = writeln!(
            text,
            r#"{{"anonymousId":"9d6f2a{n:010}","context":{{"ip":"203.0.113.7","library":{{"name":"analytics.js","version":"3.7.4"}},"page":{{"path":"/product/{sku}","title":"Winter \u2744 sale","url":"https://shop.example.com/product/{sku}"}},"userAgent":"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_14_2) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/71.0 Safari/537.36"}},"event":"{event}","messageId":"ajs-{n:032}","properties":{{"sku":"sku-{sku}","price":{sku}.5,"quantity":1}},"timestamp":"2019-01-10T22:{minute:02}:{second:02}.123Z","type":"track","userId":"{n}","version":2}}"#
        );
    }
    text
}

fn conversion(criterion: &mut Criterion, name: &str, text: &str, parameters: &[(&str, &str)]) {
    let input = Arc::new(Bytes::copy_from_slice(text.as_bytes()));
    let mut profile = Profile::default();
    profile
        .sample(Arc::clone(&input) as _, 1 << 20, Limits::default())
        .expect("text in memory can be read");
    let table = profile.table("events", "", &[]).expect("it is JSON");
    let parameters = Parameters::from_pairs(parameters.iter().copied()).expect("they are valid");
    let plan = resolve(&parameters, &table).expect("its columns are there");
    let converter = Converter::new(&plan);
    let mut group = criterion.benchmark_group("convert");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function(name, |bencher| {
        let mut rows = Vec::new();
        bencher.iter(|| {
            rows.clear();
            let file = SourceFile::default();
            let input = Arc::clone(&input);
            let counts = converter.convert(&file, input, &mut rows, std::io::sink());
            black_box(counts.expect("text in memory can be converted"))
        });
    });
    group.finish();
}

fn benches(criterion: &mut Criterion) {
    conversion(criterion, "flat JSON lines", &flat(), &[]);
    conversion(
        criterion,
        "nested events, filtered",
        &nested(),
        &[
            ("EventTypes", "Product Clicked,Order Completed"),
            ("SourceColumnUserId", "userId"),
            ("SourceColumnItemId", "properties.sku"),
            ("SourceColumnEventType", "event"),
        ],
    );
}

criterion_group!(all, benches);
criterion_main!(all);
