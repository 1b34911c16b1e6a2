# Every target works in a fresh clone on a machine with Python 3.10 or newer; each sets up what it needs.
# The development environment is .venv, installed from requirements-dev.lock with hashes.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.complete
DEMO := .cache/demo
UV := .cache/uv
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: compat vsix try editors screenshots help setup demo test lint types format docs docs-check wheel fuzz engines truth proofs startup bench sbom licences audit lock clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

$(STAMP): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "Python 3.10 or newer is needed; set PYTHON=…"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

setup: $(STAMP) ## Set up the development environment

$(DEMO)/.complete: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "Python 3.10 or newer is needed; set PYTHON=…"; exit 1; }
	@test -x $(DEMO)/bin/python || $(PYTHON) -m venv $(DEMO)
	@echo "Setting up (once) …"
	@$(DEMO)/bin/python -m pip install --quiet --require-hashes -r requirements.lock
	@touch $@

demo: $(DEMO)/.complete ## Show the language server at work on the examples
	@PYTHONPATH=server $(DEMO)/bin/python server/demo.py

test: $(STAMP) ## Run all tests
	$(BIN)/python -m pytest -n auto --dist loadfile $(TESTS)

MINUTES ?= 10
FUZZED := $(VENV)/.fuzz

$(FUZZED): $(STAMP) requirements-fuzz.lock
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-fuzz.lock
	@touch $@

fuzz: $(FUZZED) ## Fuzz every reader and the analysis, MINUTES in all; guided by coverage where atheris exists
	$(BIN)/python -m tests.fuzz --coverage --if-possible --minutes $(MINUTES) $(FUZZ)

compat: $(UV)/bin/uv ## Run the tests on Python 3.10 to 3.13 with the lowest and the newest allowed dependencies
	$(PYTHON) tests/compatibility.py --uv $(abspath $(UV)/bin/uv) $(or $(COMPAT),--write)

lint: $(STAMP) ## Check style and layout of the code
	$(BIN)/ruff check server tests
	$(BIN)/ruff format --check server tests

types: $(STAMP) ## Check types
	$(BIN)/mypy

format: $(STAMP) ## Bring the code into its layout
	$(BIN)/ruff check --fix server tests
	$(BIN)/ruff format server tests

docs: $(STAMP) ## Write everything that is generated: rule pages, schema, manual page, the extension's list of rules
	$(BIN)/python server/docs/generate.py

docs-check: $(STAMP) ## Fail when something generated is stale
	$(BIN)/python server/docs/generate.py --check

wheel: $(STAMP) ## Build sdist and wheel here, elsewhere and from the sdist, and compare the bytes
	$(BIN)/python server/docs/distributions.py

engines: $(STAMP) ## Install the build engines for the tests that build (Linux, root, Debian, Go)
	$(BIN)/python -m tests.buildkit.setup_engine

truth: $(STAMP) ## Build every case again and rewrite what was observed
	$(BIN)/python -m tests.buildkit.observe_truth

proofs: $(STAMP) ## Prove every quick fix by a build before and after it, and write the table
	$(BIN)/python -m tests.buildkit.proofs

startup: $(STAMP) ## Measure what starting a check costs
	$(BIN)/python server/docs/startup.py

bench: $(STAMP) ## Measure latency, start, memory and throughput (PEERS=1: beside other tools)
	$(BIN)/python -m tests.bench

sbom: $(STAMP) ## List every runtime dependency with version and licence
	$(BIN)/python server/docs/sbom.py

licences: $(STAMP) ## List the licence of every runtime dependency
	$(BIN)/python server/docs/sbom.py --licences

audit: $(STAMP) ## Audit the locks and the licences of what is installed, without a network
	$(BIN)/python -m server.docs.audit

$(UV)/bin/uv:
	@$(PYTHON) -m venv $(UV)
	@$(UV)/bin/python -m pip install --quiet uv

lock: $(UV)/bin/uv pyproject.toml ## Choose dependency versions anew
	$(UV)/bin/uv pip compile --quiet --universal --python-version 3.10 --generate-hashes --upgrade --no-emit-index-url --no-emit-find-links --no-header --no-annotate pyproject.toml -o requirements.lock
	$(UV)/bin/uv pip compile --quiet --universal --python-version 3.10 --generate-hashes --upgrade --no-emit-index-url --no-emit-find-links --no-header --no-annotate --group dev -c requirements.lock pyproject.toml -o requirements-dev.lock
	$(UV)/bin/uv pip compile --quiet --universal --python-version 3.10 --generate-hashes --upgrade --no-emit-index-url --no-emit-find-links --no-header --no-annotate --group fuzz -o requirements-fuzz.lock

vscode-client/node_modules/.package-lock.json: vscode-client/package-lock.json
	cd vscode-client && npm ci --silent

vsix: $(STAMP) vscode-client/node_modules/.package-lock.json ## Check, test and pack the extension for VS Code
	$(BIN)/python server/docs/generate.py --check
	cd vscode-client && npm run --silent check && npm run --silent test && PYTHON=../$(BIN)/python node scripts/package.mjs $(VSIX_TARGET)

try: $(STAMP) ## VS Code in the browser on the examples; prints the address
	@tests/editors/run.sh $(BIN)/python try $(PORT)

editors: $(STAMP) ## Use the extension and the other editors' files in the real editors (WHICH=workbench or terminal: in those only)
	tests/editors/run.sh $(BIN)/python $(WHICH)

screenshots: $(STAMP) ## Take the pictures of the extension's README anew
	tests/editors/run.sh $(BIN)/python screenshots

clean: ## Remove what the other targets made
	rm -rf $(VENV) .cache dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
