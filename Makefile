# `make run` tries everything on sample data; `make test` checks everything.

PROGRAM := target/release/personalize-pipeline
VENV := .venv
# Public test data (JSONTestSuite as jts, csv-test-data as csvtd); its tests are skipped without it.
CORPORA ?= ../shared/corpora

.PHONY: run test bench lint build clean

build:
	cargo build --release --locked

run: build
	$(PROGRAM) sample firehose samples/firehose --records 20000 --seed 1
	$(PROGRAM) run samples/firehose/useritem build/run
	@echo
	@echo "The results are in build/run:"
	@ls build/run
	@echo
	@echo "The first rows of build/run/interactions.csv:"
	@head -n 6 build/run/interactions.csv

test: build $(VENV)/installed
	cargo test --locked --workspace
	CORPORA=$(CORPORA) $(VENV)/bin/python -m pytest tests

bench:
	cargo bench --locked

lint:
	cargo fmt --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps

$(VENV)/installed: tests/requirements.txt
	python3 -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --requirement tests/requirements.txt
	touch $@

clean:
	rm -rf target build samples $(VENV)
