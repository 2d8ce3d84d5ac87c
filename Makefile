# Everything a contributor runs. A fresh machine needs make and Python 3.11 to 3.14, nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: demo test test-slow test-all check fmt bench lock install clean help

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1: /p' Makefile

demo: $(STAMP) ## watch an agent learn, offline, with no key
	$(BIN)/verbalrl demo --store .verbalrl

# In two processes; the tests of a file stay together and in order, so that they share what the file sets up.
test: $(STAMP) ## the tests that take seconds
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile

test-slow: $(STAMP) ## only the slow tests
	$(BIN)/python -m pytest -m slow

test-all: $(STAMP) ## every test
	$(BIN)/python -m pytest

check: $(STAMP) ## lint, format, types, floor plan, house limits
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/python -m tools.house

fmt: $(STAMP) ## format, and fix what can be fixed
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: $(STAMP) ## list the benchmarks and run them: make bench, or make bench ONLY=name
	$(BIN)/python -m benchmarks $(ONLY)

lock: ## pin every dependency again, for all supported Pythons
	$(PYTHON) -m tools.lock

install: $(STAMP) ## .venv with the locked packages and this checkout

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' \
		|| { echo "verbalrl needs Python 3.11 to 3.14: make PYTHON=python3.11 install"; exit 1; }
	@echo "installing the locked packages into $(VENV) (a few minutes on a slow line)"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --no-deps --requirement requirements.lock
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	touch $@

clean: ## remove what the other targets made
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
