# Everything here needs only Python 3.11 to 3.13 with pip and venv, and make.
PYTHON ?= $(shell for p in python3.12 python3.11 python3.13 python3; do \
	$$p -c 'import sys; raise SystemExit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& { echo $$p; break; }; done)
VENV ?= .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
export PYTHONWARNINGS ?= ignore::RuntimeWarning:platformdirs

.DEFAULT_GOAL := help
.PHONY: help demo up test storms test-real check lint types bench lock clean

help: ## Say what there is.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# The environment: uv installs exactly what the lock names, every file checked against its hash.
$(VENV)/.run: requirements/run.txt
	@test -n "$(PYTHON)" || { echo "Tallygate needs Python 3.11, 3.12 or 3.13; set PYTHON=/path/to/it"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/run.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@touch $@

demo: $(VENV)/.run ## Rehearse a dock on this machine: simulated devices to a proven ledger.
	$(BIN)/tallygate demo

up: $(VENV)/.run ## Run Tallygate until Ctrl-C (TALLYGATE_SITE_FILE=site.toml for your own site).
	$(BIN)/tallygate up

test: $(VENV)/.dev ## Run all tests that need nothing but Python packages.
	$(BIN)/python -m pytest -m "not real and not storm" $(PYTEST)

storms: $(VENV)/.dev ## Kill, pause and break the real programs on a small shift; nothing may be lost.
	$(BIN)/python -m pytest -m storm $(PYTEST)

test-real: $(VENV)/.dev ## Install and start the real servers, run the tests that need them.
	sh scripts/real_servers.sh
	$(BIN)/python -m pytest -m real --require-servers $(PYTEST)

check: lint types ## Lint and types.

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

bench: $(VENV)/.dev ## Compare with peers: ratios, in one run, on the same input. Takes most of an hour.
	$(BIN)/python -m benchmarks.llrp
	$(BIN)/python -m benchmarks.agent
	$(BIN)/python -m benchmarks.latency
	$(BIN)/python -m benchmarks.pipeline
	$(BIN)/python -m benchmarks.memory
	$(BIN)/python -m benchmarks.ledger
	$(BIN)/python -m benchmarks.ledger_verification
	$(BIN)/python -m benchmarks.ledger_queries

lock: $(VENV)/.run ## Renew the two lock files after a change of pyproject.toml.
	$(BIN)/uv pip compile -q --upgrade --universal --generate-hashes --no-emit-index-url --python-version 3.11 \
		--custom-compile-command "make lock" pyproject.toml --group dev -o requirements/dev.txt
	$(BIN)/uv pip compile -q --upgrade --universal --generate-hashes --no-emit-index-url --python-version 3.11 \
		--custom-compile-command "make lock" -c requirements/dev.txt pyproject.toml -o requirements/run.txt

clean: ## Remove the environment and what runs left behind.
	rm -rf $(VENV) .tallygate .mypy_cache .ruff_cache .hypothesis build dist *.egg-info
