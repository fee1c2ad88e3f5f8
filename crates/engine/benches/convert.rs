//! Whole conversions in memory.

#![allow(clippy::expect_used, missing_docs, reason = "a benchmark may fail loudly")]

mod data;

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use personalize_engine::{Converter, SourceFile};

fn conversion(criterion: &mut Criterion, name: &str, text: &str, parameters: &[(&str, &str)]) {
    let input = Arc::new(Bytes::copy_from_slice(text.as_bytes()));
    let converter = Converter::new(&data::plan(text, parameters));
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
    conversion(criterion, "flat JSON lines", &data::flat(), &[]);
    conversion(criterion, "nested events, filtered", &data::nested(), data::NESTED);
    conversion(criterion, "CSV", &data::csv(), &[]);
}

criterion_group!(all, benches);
criterion_main!(all);
