# The front door. `make help` lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup build demo test lint bench clean

CARGO ?= cargo

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install missing Debian packages (says which, and why)
	@.ci/setup.sh test

build: ## build the compiler, optimised: target/release/btaot
	@.ci/setup.sh build
	$(CARGO) build --release --locked

demo: build ## compile the examples into tools and run them on this kernel
	@.ci/setup.sh test
	@examples/demo.sh

test: ## run every test (also in virtual machines); BTAOT_REQUIRE=all makes a skip a failure
	@.ci/setup.sh test
	$(CARGO) test --workspace --locked

lint: ## formatting and lints, as in continuous integration
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

bench: build ## measure against the budgets; fails when one is exceeded
	@.ci/setup.sh test
	bench/budgets.py --btaot target/release/btaot
	$(CARGO) bench --locked --bench native

clean: ## remove what cargo built
	$(CARGO) clean
