# The commands of the project. `make help` lists them. All run without a terminal and ask no question.

CARGO ?= cargo
# Where rustup puts Cargo, for shells that did not read its env file yet.
export PATH := $(PATH):$(HOME)/.cargo/bin
TARGET = $(or $(CARGO_TARGET_DIR),target)

.DEFAULT_GOAL := help
.PHONY: help demo demo-check test check bench bench-instructions install-demo install-test install-bench build-release clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: install-demo build-release ## a cluster, its agents and two proxies on this machine, until Ctrl-C
	$(TARGET)/release/lab up

demo-check: install-demo build-release ## the demo without a person: a failover, watched; exit status 0 or 1
	$(TARGET)/release/lab demo-check

# The binaries first: the tests of the lab start `capitana` from where they were built.
test: install-test ## every test (installs the packages that are missing)
	$(CARGO) build --workspace --bins
	$(CARGO) test --workspace --no-fail-fast

check: install-test ## formatting, and clippy with warnings as errors
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

bench: install-bench build-release ## what capitana costs, beside a direct connection, HAProxy and nginx (half an hour)
	$(TARGET)/release/lab bench all

bench-instructions: install-bench ## how many instructions the relay takes, by valgrind
	@version=$$($(CARGO) tree --invert gungraun-runner --depth 0 --edges all --prefix none | sed 's/.* v//'); \
	$(CARGO) install --quiet --locked --root $(TARGET)/tools --version $$version gungraun-runner
	GUNGRAUN_RUNNER=$(abspath $(TARGET)/tools/bin/gungraun-runner) $(CARGO) bench --bench instructions

install-demo:
	@scripts/install demo

install-test:
	@scripts/install test

install-bench:
	@scripts/install bench

build-release:
	$(CARGO) build --release --workspace --bins

clean: ## what was built
	$(CARGO) clean
