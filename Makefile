# One command is what a person runs and what the build server runs. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

SWIFT ?= swift
PREFIX ?= /usr/local
DESTDIR ?=
BINARY := .build/release/dmarcstat
DEMO := .build/demo

# The standard library is linked statically, so that the binary needs no Swift on the machine it runs on. The C libraries stay
# dynamic: their security updates must arrive from the distribution. libcurl is loaded when IMAP is used, and may be missing otherwise.
RELEASE_FLAGS := -c release --static-swift-stdlib --product dmarcstat
# `build` and `test` must be given the same flags, or everything is built twice.
TEST_FLAGS := --explicit-target-dependency-import-check error
SWIFT_CODE := Sources Tests Fuzz migrations Package.swift

.PHONY: help dependencies build demo test lint format bench evaluate torture soak fuzz install clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' Makefile

dependencies: ## install what building needs, where it is missing
	@scripts/install-dependencies.sh

build: dependencies ## build the release binary, .build/release/dmarcstat
	$(SWIFT) build $(RELEASE_FLAGS)

demo: build ## collect the sample reports and answer three questions about them
	@scripts/demo.sh $(BINARY) $(DEMO)

test: ## all checks and all tests: what the build server runs
	@scripts/install-dependencies.sh --test
	$(MAKE) --no-print-directory lint
	$(SWIFT) build --build-tests $(TEST_FLAGS)
	SWIFT="$(SWIFT)" scripts/run-tests.sh $(TEST_FLAGS)

lint: ## formatting, the arrows between targets, and that data stays out of SQL
	$(SWIFT) format lint --strict -r $(SWIFT_CODE)
	scripts/check-imports.sh --self-test
	scripts/check-imports.sh
	scripts/check-text.sh --self-test
	scripts/check-text.sh

format: ## bring the source into the one format
	$(SWIFT) format -i -r $(SWIFT_CODE)

bench: build ## speed and memory against a fixed yardstick; needs ../shared/tools
	@scripts/install-dependencies.sh --bench
	python3 Benchmarks/bench.py --binary $(BINARY) $(BENCH_FLAGS)

evaluate: build ## how often the verdicts are right, in worlds where the answers are known
	@scripts/install-dependencies.sh --test
	python3 Evaluation/evaluate.py --binary $(BINARY) --attackers --floors Evaluation/floors.tsv --check $(EVALUATE_FLAGS)
	python3 Evaluation/advice.py --binary $(BINARY) $(ADVICE_FLAGS)

torture: build ## kill it, starve it of disk and crowd it, at every point: nothing is lost
	@scripts/install-dependencies.sh --test
	python3 Torture/torture.py --binary $(BINARY) $(TORTURE_FLAGS)

soak: build ## 2,000 cycles of ingest and questions: nothing grows
	@scripts/install-dependencies.sh --test
	python3 Torture/torture.py --binary $(BINARY) soak $(TORTURE_FLAGS)
	DMARCSTAT_SOAK_CYCLES=2000 $(SWIFT) test $(TEST_FLAGS) --filter SoakTests

fuzz: dependencies ## feed each reader of foreign bytes with mutations; FUZZ_SECONDS=600 for each
	SWIFT="$(SWIFT)" scripts/fuzz.sh $(FUZZ_TARGETS)

install: ## copy the binary to $(DESTDIR)$(PREFIX)/bin; PREFIX=/usr/local
	@test -x $(BINARY) || { echo "make install: $(BINARY) is missing; run 'make build' first" >&2; exit 1; }
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 0755 -s $(BINARY) $(DESTDIR)$(PREFIX)/bin/dmarcstat

clean: ## remove everything that was built
	rm -rf .build
