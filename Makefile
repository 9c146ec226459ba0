# Everything runs from .venv, which is created on first use. Needs Python 3.11+ with venv, and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes

.DEFAULT_GOAL := help
.PHONY: help demo run test lint format chaos bench pictures lock fuzz sbom audit

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/run.stamp ## run the app end to end on this machine with sample data (ARGS=--once ends by itself)
	@$(BIN)/python app.py demo $(ARGS)

run: $(VENV)/run.stamp ## serve with the settings of .env
	@$(BIN)/python app.py serve $(ARGS)

# Empty, so that compiled modules are kept: every process of the tests would compile all of them again.
test: export PYTHONDONTWRITEBYTECODE =
test: $(VENV)/dev.stamp lint ## run the linters and all tests
	@sh .ci/install_chromium.sh
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 8 --dist worksteal $(ARGS)

lint: $(VENV)/dev.stamp ## run ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/dev.stamp ## format the code and apply ruff's fixes
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

chaos: $(VENV)/dev.stamp ## test with killed processes, outages and floods, on both databases
	$(BIN)/python -m pytest tests/chaos tests/simulation --in-full -m "not alone" --numprocesses 3 --dist worksteal $(ARGS) || test $$? -eq 5
	$(BIN)/python -m pytest tests/chaos --in-full -m alone $(ARGS) || test $$? -eq 5  # 5: ARGS selects none of these

bench: $(VENV)/dev.stamp ## run the benchmarks and update the figures in the documents
	$(BIN)/python -m bench $(ARGS)

fuzz: $(VENV)/dev.stamp ## send 10,000 hostile requests to every route
	$(BIN)/python -m pytest tests/fuzz --requests 10000 $(ARGS)

sbom: $(VENV)/run.stamp ## write sbom.json (a CycloneDX bill of materials) and docs/licenses.md
	@$(BIN)/python -m ops.supply sbom

audit: $(VENV)/dev.stamp ## check the locked packages for known vulnerabilities
	@$(BIN)/python -m venv $(VENV)/audit
	@$(VENV)/audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit || true
	@$(BIN)/python -m ops.supply audit

pictures: $(VENV)/dev.stamp ## take the pictures in docs/pictures again
	@sh .ci/install_chromium.sh
	$(BIN)/python -m tests.project.pictures

lock: $(VENV)/dev.stamp ## pin the newest dependencies that pyproject.toml allows
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --upgrade -q pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --upgrade -q pyproject.toml --extra tracing -o requirements-tracing.lock
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --upgrade -q pyproject.toml --extra tracing --group dev -o requirements-dev.lock

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: requirements.lock | $(VENV)/bin/python
	@echo "Installing into $(VENV) …"
	@$(PIP_INSTALL) -r requirements.lock
	@touch $@

$(VENV)/dev.stamp: requirements-dev.lock | $(VENV)/bin/python
	@echo "Installing into $(VENV) …"
	@$(PIP_INSTALL) -r requirements-dev.lock
	@touch $@ $(VENV)/run.stamp
