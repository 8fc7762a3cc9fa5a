# Followup. `make help` lists what can be done; everything happens inside this checkout.
SHELL := /bin/sh
.DEFAULT_GOAL := help

PYTHON ?= python3
WORKERS ?= 2
UV ?= uv
VENV := .venv
BIN := $(VENV)/bin

# pip of the checkout; where Python came without ensurepip, the system's pip installs into it.
PIP = $$($(BIN)/python -m pip --version >/dev/null 2>&1 && echo $(BIN)/python -m pip || echo $(PYTHON) -m pip --python $(BIN)/python)
INSTALL = $(PIP) --disable-pip-version-check install --quiet --require-hashes
LOCK = $(UV) pip compile --quiet --generate-hashes --no-emit-index-url --universal --python-version 3.11 \
       --custom-compile-command "make lock" pyproject.toml requirements/build.in --extra sink

# The difference between the models and a fresh database that stands at the newest migration.
define WRITE_MIGRATION
import sys, tempfile
from followup.store import migrate
with tempfile.TemporaryDirectory() as home:
    url = f"sqlite:///{home}/newest.sqlite3"
    migrate.upgrade(url)
    migrate.autogenerate(url, *sys.argv[1:])
endef
export WRITE_MIGRATION

.PHONY: help demo test check pytest coverage bench migration lock format clean

help: ## Say what can be done
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.installed ## Start the whole service on this machine, with sandbox phones (Ctrl-C ends it)
	@exec $(BIN)/followup demo

test: $(VENV)/.dev tests/node_modules/.installed check pytest coverage ## Check the code, then run every test

check: $(VENV)/.dev ## Style, types, import contracts, content
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml --severity-level medium followup web
	$(BIN)/followup check-content

pytest: $(VENV)/.dev tests/node_modules/.installed
	$(BIN)/pytest -n $(WORKERS) --cov --cov-report=

coverage: pytest
	$(BIN)/coverage report --fail-under=85
	$(BIN)/coverage report --fail-under=100 \
	  --include='followup/clinical/*,followup/messages/*,followup/protocols/*,followup/core/*'

bench: $(VENV)/.dev ## Measure the hot paths against their floors
	@for file in benchmarks/*.py; do $(BIN)/python -m "benchmarks.$$(basename "$$file" .py)" || exit 1; done

migration: $(VENV)/.dev ## Write the next numbered migration: make migration m="add a column"
	@test -n "$(m)" || { echo 'Say what it does: make migration m="add a column"'; exit 2; }
	@next=$$(printf '%04d' $$(( $$(ls migrations/versions/[0-9]*.py 2>/dev/null | wc -l) + 1 ))); \
	$(BIN)/python -c "$$WRITE_MIGRATION" "$(m)" "$$next" && echo "$$next" > migrations/HEAD

lock: ## Pin every dependency by hash again (needs uv)
	$(LOCK) --output-file requirements/base.lock
	$(LOCK) requirements/dev.in --constraint requirements/base.lock --output-file requirements/dev.lock

format: $(VENV)/.dev ## Put imports and lines in order
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

clean: ## Remove what make built
	rm -rf $(VENV) tests/node_modules dist .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

# --- set-up: each stamp says which lock is installed, so that a second start installs nothing ---

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=..."; exit 2; }
	@echo "Building $(VENV) (once)"
	@$(PYTHON) -m venv $(VENV) 2>/dev/null || $(PYTHON) -m venv --clear --without-pip $(VENV)

$(VENV)/.base: requirements/base.lock | $(BIN)/python
	@echo "Installing requirements/base.lock"
	@$(INSTALL) -r requirements/base.lock
	@touch $@

$(VENV)/.installed: pyproject.toml $(VENV)/.base
	@$(PIP) --disable-pip-version-check install --quiet --no-deps --no-build-isolation --no-index -e .
	@touch $@

$(VENV)/.dev: requirements/dev.lock $(VENV)/.installed
	@echo "Installing requirements/dev.lock"
	@$(INSTALL) -r requirements/dev.lock
	@touch $@

tests/node_modules/.installed: tests/package-lock.json
	@if command -v npm >/dev/null 2>&1; then \
	  echo "Installing tests/package-lock.json"; \
	  if (cd tests && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error); then touch $@; \
	  else echo "SKIPPED: npm could not install; tests that need Prism or axe are skipped"; fi; \
	else echo "SKIPPED: no npm here; tests that need Prism or axe are skipped"; fi
