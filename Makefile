# The verbs of this project. `make` alone lists them.
#
# Everything is built in one profile, release, so that what one verb has compiled serves the others.

# The server binaries are installed here once, by `ktk` itself.
export KTK_TOOLS_DIR ?= $(CURDIR)/.tools

STATE_DIR := $(CURDIR)/.ktk
TARGET_DIR := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)
KTK := $(TARGET_DIR)/release/ktk

.DEFAULT_GOAL := help
.PHONY: help ktk tests up down demo test check bench chaos simulate fuzz

help:
	@awk 'BEGIN { FS = ":.*## " } /^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

ktk:
	cargo build --release -p ktk

up: ktk ## build and start a private stand, and leave it running
	"$(KTK)" dev up --detach --state-dir "$(STATE_DIR)"

down: ## stop the stand that `make up` left running
	@test -x "$(KTK)" || cargo build --release -p ktk
	"$(KTK)" dev down --state-dir "$(STATE_DIR)"

demo: ktk ## build, start a private stand and show what Kantoku does; the stand is left running
	@KTK="$(KTK)" KTK_STATE_DIR="$(STATE_DIR)" examples/demo.sh

# The program is built with the tests: built apart, with fewer features, most would be compiled twice.
tests:
	cargo test --release --workspace --no-run
	"$(KTK)" dev tools >/dev/null

test: tests ## run every test, against real servers
	cargo test --release --workspace

check: ## check the format, the lints, the documentation and the dependencies
	cargo fmt --all --check
	cargo clippy --release --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --release --workspace --no-deps
	@if cargo deny --version >/dev/null 2>&1; then \
		cargo deny check; \
	else \
		echo "make check: cargo-deny is not installed, so the dependencies' licences and advisories were NOT checked"; \
	fi

# The program is built without what tests switch on. docs/performance.md says what is measured.
bench: ktk ## measure on private stands: make bench ARGS='W1 W4' PEERS=bullmq SYNC=always HISTORY=1000000
	"$(KTK)" dev tools >/dev/null
	cargo bench -p kantoku-tests --bench system -- $(if $(RUNS),--runs $(RUNS)) $(if $(SYNC),--sync $(SYNC)) \
		$(if $(HISTORY),--history $(HISTORY)) $(if $(PEERS),--peers $(PEERS)) $(ARGS)

chaos: tests ## disturb everything under load and judge what is left: make chaos SECONDS=600 SEED=7
	KTK_CHAOS_SECONDS=$(or $(SECONDS),60) KTK_CHAOS_SEED=$(or $(SEED),7) \
		cargo test --release --workspace --test chaos -- --include-ignored --nocapture \
		--test-threads=1 for_as_long_as_asked commands_are_accepted those_who_wait

simulate: ## simulate runs in which everything goes wrong: make simulate SEEDS=20000 FROM=0, or SEED=7
	KTK_SIMULATE_SEEDS=$(or $(SEEDS),20000) KTK_SIMULATE_FROM=$(or $(FROM),0) \
		$(if $(SEED),KTK_SIMULATE_SEED=$(SEED)) \
		cargo test --release --workspace --test simulation -- no_seed --nocapture

# The documents in process need nothing; those over a socket a stand, and are a hundredth as many.
fuzz: tests ## send documents that are hardly meant: make fuzz COUNT=10000000 SEED=7
	KTK_FUZZ_COUNT=$(or $(COUNT),10000000) KTK_FUZZ_SEED=$(or $(SEED),7) \
		cargo test --release --workspace --lib --test suite -- fuzz --nocapture
