# Everything runs from .venv, which is made here and reused. Needs Python 3.11+ with venv, and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes

.DEFAULT_GOAL := help
.PHONY: help demo run test lint format chaos bench pictures lock fuzz sbom audit

help: ## what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/run.stamp ## the main job, end to end, on this machine (ARGS=--once ends by itself)
	@$(BIN)/python app.py demo $(ARGS)

run: $(VENV)/run.stamp ## serve for real, from .env
	@$(BIN)/python app.py serve $(ARGS)

test: $(VENV)/dev.stamp lint ## every check that CI runs
	@sh .ci/install_chromium.sh
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 8 --dist worksteal $(ARGS)

lint: $(VENV)/dev.stamp ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/dev.stamp ## let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

chaos: $(VENV)/dev.stamp ## kill -9, outages and floods in earnest, on both databases
	$(BIN)/python -m pytest tests/chaos --in-full -m "not alone" --numprocesses 3 --dist worksteal $(ARGS) || test $$? -eq 5
	$(BIN)/python -m pytest tests/chaos --in-full -m alone $(ARGS) || test $$? -eq 5  # 5: ARGS leaves none of these

bench: $(VENV)/dev.stamp ## the benchmarks, each beside its floor
	$(BIN)/python -m bench $(ARGS)

fuzz: $(VENV)/dev.stamp ## 10,000 hostile requests on every route of the served app
	$(BIN)/python -m pytest tests/fuzz --requests 10000 $(ARGS)

sbom: $(VENV)/run.stamp ## a CycloneDX bill of materials in sbom.json, and docs/licences.md
	@$(BIN)/python -m ops.supply sbom

audit: $(VENV)/dev.stamp ## known vulnerabilities of what is locked, where the data can be had
	@$(BIN)/python -m venv $(VENV)/audit
	@$(VENV)/audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit || true
	@$(BIN)/python -m ops.supply audit

pictures: $(VENV)/dev.stamp ## the pictures in docs/pictures, made again by running the demo
	@sh .ci/install_chromium.sh
	$(BIN)/python -m tests.pictures

lock: $(VENV)/dev.stamp ## pin again what pyproject.toml asks for
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --upgrade -q pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --upgrade -q pyproject.toml --group dev -o requirements-dev.lock

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
