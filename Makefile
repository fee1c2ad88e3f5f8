# `make run` tries everything on sample data; `make test` checks everything.

PROGRAM := target/release/personalize-pipeline
# Environments of their own, since the tools' requirements exclude each other: the tests', sam's, the linters', and that
# of the programs that the benchmark compares with.
VENV := .venv
SAM_VENV := .venv-sam
LINT_VENV := .venv-lint
BENCH_VENV := .venv-bench
# Of the functions that the tests run: this machine's own.
ARCHITECTURE := $(if $(filter aarch64 arm64,$(shell uname -m)),arm64,x86_64)
# Public test data (JSONTestSuite as jts, csv-test-data as csvtd); its tests are skipped without it.
CORPORA ?= ../shared/corpora
# Of the benchmark: the size of each set of data, how often each program runs, and which tasks and peers, separated by
# commas; all of them, but not the peers spark and simdjson, if empty. simdjson takes a C++ compiler.
SIZE ?= 100MB
ROUNDS ?= 5
TASKS ?=
PEERS ?=

export SAM_CLI_TELEMETRY := 0
# Cargo has a jobserver of its own.
unexport MAKEFLAGS MFLAGS
SAM := PATH="$(CURDIR)/$(SAM_VENV)/bin:$$PATH" sam

.PHONY: run test test-crates local bench bench-plot bench-stages lint build functions clean

build:
	cargo build --release --locked --package personalize-pipeline

run: build
	$(PROGRAM) sample firehose samples/firehose --records 20000 --seed 1
	$(PROGRAM) run samples/firehose/useritem build/run
	@echo
	@echo "The results are in build/run:"
	@ls build/run
	@echo
	@echo "The first rows of build/run/interactions.csv:"
	@head -n 6 build/run/interactions.csv

functions: $(SAM_VENV)/installed
	$(SAM) build --parameter-overrides Architecture=$(ARCHITECTURE)

# Tests of one file may build on each other.
test: build functions $(VENV)/installed $(LINT_VENV)/installed test-crates
	CORPORA=$(CORPORA) $(VENV)/bin/python -m pytest --numprocesses 2 --dist loadfile tests

test-crates:
	cargo test --locked --workspace

# The stack on a local stand-in for AWS, to try it by hand.
local: build functions $(VENV)/installed
	PYTHONPATH=tests $(VENV)/bin/python tests/local_stack.py

bench: build $(BENCH_VENV)/installed \
    $(if $(findstring spark,$(PEERS)),$(BENCH_VENV)/spark) \
    $(if $(findstring simdjson,$(PEERS)),$(BENCH_VENV)/bin/simdjson_flat)
	cargo build --release --locked --package gunzip
	$(BENCH_VENV)/bin/python benchmarks/run.py --program $(PROGRAM) --gunzip target/release/gunzip \
	    --size $(SIZE) --rounds $(ROUNDS) --tasks '$(TASKS)' --peers '$(PEERS)'

bench-plot:
	python3 benchmarks/plot.py build/bench/$(SIZE)/results.json docs/benchmark.svg

# The engine's stages by themselves, without files and processes.
bench-stages:
	cargo bench --locked --package personalize-engine --features stages

# What the converting function costs; by hand, on a machine that does nothing else.
.PHONY: bench-functions
bench-functions: build functions $(VENV)/installed
	PYTHONPATH=tests $(VENV)/bin/python benchmarks/functions.py

# `--examples`, of which there are none, resolves features as for clippy, so what that checked is used.
lint:
	cargo fmt --check
	cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --all-features --no-deps --lib --bins --examples

$(VENV)/installed: tests/requirements.txt
$(SAM_VENV)/installed: tests/requirements-sam.txt
$(LINT_VENV)/installed: tests/requirements-lint.txt
$(BENCH_VENV)/installed: benchmarks/requirements.txt
# Modules are compiled when they are first imported; most never are.
%/installed:
	python3 -m venv $*
	$*/bin/python -m pip install --quiet --no-compile --requirement $<
	touch $@

$(BENCH_VENV)/spark: benchmarks/requirements-spark.txt $(BENCH_VENV)/installed
	$(BENCH_VENV)/bin/python -m pip install --quiet --no-compile --requirement $<
	touch $@

# A package for Python is where the registries have simdjson's sources.
$(BENCH_VENV)/bin/simdjson_flat: benchmarks/peers/simdjson_flat.cpp $(BENCH_VENV)/installed
	mkdir -p build/simdjson
	$(BENCH_VENV)/bin/python -m pip download --quiet --no-deps --no-binary :all: --dest build/simdjson pysimdjson==7.0.2
	tar --extract --gzip --file build/simdjson/pysimdjson-7.0.2.tar.gz --directory build/simdjson --strip-components 1
	$(CXX) -std=c++20 -O3 -march=native -I build/simdjson/simdjson $< build/simdjson/simdjson/simdjson.cpp -o $@

clean:
	rm -rf target build samples .aws-sam $(VENV) $(SAM_VENV) $(LINT_VENV) $(BENCH_VENV)
