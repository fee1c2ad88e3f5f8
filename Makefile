# `make run` tries everything on sample data; `make test` checks everything.

PROGRAM := target/release/personalize-pipeline
# Three environments, since the tools' requirements exclude each other: the tests', sam's, and the linters'.
VENV := .venv
SAM_VENV := .venv-sam
LINT_VENV := .venv-lint
# Of the functions that the tests run: this machine's own.
ARCHITECTURE := $(if $(filter aarch64 arm64,$(shell uname -m)),arm64,x86_64)
# Public test data (JSONTestSuite as jts, csv-test-data as csvtd); its tests are skipped without it.
CORPORA ?= ../shared/corpora

export SAM_CLI_TELEMETRY := 0
SAM := PATH="$(CURDIR)/$(SAM_VENV)/bin:$$PATH" sam

.PHONY: run test local bench lint build functions clean

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

test: build functions $(VENV)/installed $(LINT_VENV)/installed
	cargo test --locked --workspace
	CORPORA=$(CORPORA) $(VENV)/bin/python -m pytest tests --ignore-glob='*/test_bulk*'
	$(VENV)/bin/python -m pytest --numprocesses 2 tests/test_bulk*.py

# The stack on a local stand-in for AWS, to try it by hand.
local: build functions $(VENV)/installed
	PYTHONPATH=tests $(VENV)/bin/python tests/local_stack.py

bench:
	cargo bench --locked --package personalize-engine

# What the converting function costs; by hand, on a machine that does nothing else.
.PHONY: bench-functions
bench-functions: build functions $(VENV)/installed
	PYTHONPATH=tests $(VENV)/bin/python benchmarks/functions.py

lint:
	cargo fmt --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps

$(VENV)/installed: tests/requirements.txt
$(SAM_VENV)/installed: tests/requirements-sam.txt
$(LINT_VENV)/installed: tests/requirements-lint.txt
%/installed:
	python3 -m venv $*
	$*/bin/python -m pip install --quiet --requirement $<
	touch $@

clean:
	rm -rf target build samples .aws-sam $(VENV) $(SAM_VENV) $(LINT_VENV)
