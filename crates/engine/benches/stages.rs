//! The stages that JSON lines and CSV go through, one by one.

#![allow(clippy::expect_used, missing_docs, reason = "a benchmark may fail loudly")]

mod data;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use personalize_engine::stages::Stages;

fn json(criterion: &mut Criterion, name: &str, text: &str, parameters: &[(&str, &str)]) {
    let stages = Stages::new(&data::plan(text, parameters));
    let bytes = text.as_bytes();
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("check text", |b| b.iter(|| stages.check_text(black_box(bytes))));
    group.bench_function("frame", |b| b.iter(|| stages.frame(black_box(bytes))));
    group.bench_function("walk", |b| b.iter(|| stages.walk(black_box(bytes))));
    group.bench_function("walk strictly", |b| b.iter(|| stages.walk_strictly(black_box(bytes))));
    let record = text.lines().next().unwrap_or_default();
    group.bench_function("convert and write", |b| {
        b.iter(|| stages.convert(black_box(record), data::RECORDS));
    });
    group.finish();
}

fn csv(criterion: &mut Criterion, text: &str) {
    let stages = Stages::new(&data::plan(text, &[]));
    let mut group = criterion.benchmark_group("CSV");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("rows", |b| b.iter(|| stages.rows(black_box(text.as_bytes()))));
    group.finish();
}

fn benches(criterion: &mut Criterion) {
    json(criterion, "flat JSON lines", &data::flat(), &[]);
    json(criterion, "nested events", &data::nested(), data::NESTED);
    csv(criterion, &data::csv());
}

criterion_group!(all, benches);
criterion_main!(all);
