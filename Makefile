# Every command a person needs. `make` alone lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
export CARGO_TERM_COLOR ?= auto
TARGET := $(or $(CARGO_TARGET_DIR),target)

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

setup: ## install what the build and the tests need (safe to repeat)
	@tests/env/install.sh build

guests: setup ## build the library and the hostile guests for wasm32-wasip2
	cargo build --workspace
	@capsules/build.sh $(TARGET)/debug/soma

demo: setup ## sign, run, deny, cut, kill; publish, review, install, back out, settle, refund (release build)
	cargo build --release -p soma -p soma-tests --bins
	@tests/env/demo.sh $(TARGET)/release/soma

test: guests ## all tests, with real servers on loopback
	@tests/env/install.sh test
	cargo test --workspace --no-fail-fast
	@capsules/test.sh $(TARGET)/debug/soma
	@tests/env/tutorial.sh $(TARGET)/debug/soma
	@tests/env/contract.sh $(TARGET)/debug/soma

contract: setup ## fuzz the server's interface by its description, on both databases
	cargo build --workspace --bins
	@tests/env/contract.sh $(TARGET)/debug/soma

bench: setup ## what Soma costs, against peers and floors (release build; BENCH="gate http" chooses)
	@tests/env/install.sh bench
	cargo build --release --workspace --bins --bench decision --bench platform --bench measures
	@tests/env/bench.sh $(TARGET)/release/soma $(BENCH)

lint: ## formatting, clippy, licences, bans, sources, advisories
	@tests/env/install.sh lint
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	@tests/env/lint.sh

docs: ## the API documentation without a warning, and the book's links
	RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" cargo doc --workspace --no-deps --document-private-items
	@tests/env/docs.sh

coverage: guests ## line coverage of the rooms that decide: policy, capsule, host, market, server
	@tests/env/install.sh coverage
	@tests/env/coverage.sh

install: guests ## put `soma` on the path, and the catalogue where it looks for it
	cargo install --path host/cli --locked
	@root=$${CARGO_INSTALL_ROOT:-$${CARGO_HOME:-$$HOME/.cargo}}; mkdir -p "$$root/share/soma" \
	  && rm -rf "$$root/share/soma/capsules" && cp -r $(TARGET)/share/soma/capsules "$$root/share/soma/"

fmt: ## format everything
	cargo fmt --all

.PHONY: help setup guests demo test contract bench lint docs coverage install fmt
