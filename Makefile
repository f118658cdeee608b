# Everything below needs nothing but Python 3.10 or newer; `make test` also installs Chromium where it can.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ORACLE := .cache/oracle

# The tests start a hundred servers; compiled once, each begins a second earlier.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "PremRunner needs Python 3.10 or newer; this is " + sys.version)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

serve: $(VENV)/installed ## Run the site, its engine and its first model
	@exec $(BIN)/premrunner serve

dev: $(VENV)/installed-dev ## The same, loading changed code again
	@exec $(BIN)/premrunner serve --reload

test: $(VENV)/installed-dev ## Run every test, in a real browser and with a real model too
	@sh tests/install.sh chromium
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile

screenshots: $(VENV)/installed-dev ## Take every page of a real site, light and dark, into .cache/screenshots
	@sh tests/install.sh chromium
	$(BIN)/python tests/browser/screenshots.py .cache/screenshots

$(ORACLE)/installed: pyproject.toml
	$(PYTHON) -m venv --clear $(ORACLE)
	$(ORACLE)/bin/python -m pip install --quiet --disable-pip-version-check 'pip>=25.1'
	$(ORACLE)/bin/python -m pip install --quiet --disable-pip-version-check --group oracle
	@touch $@

oracle: $(ORACLE)/installed ## Install PyTorch, PEFT and llama.cpp's converter (1.2 GB), with which `make test` then compares

check: $(VENV)/installed-dev ## Lint, formatting, types, and packages that fit
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python -m pip check

audit: $(VENV)/installed-dev ## Ask the advisory database about the installed packages; needs the network, and fails without it
	$(PYTHON) -m venv .cache/audit
	.cache/audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit
	$(BIN)/python -m pip freeze --exclude-editable > .cache/audit/packages.txt
	.cache/audit/bin/pip-audit --strict --disable-pip --no-deps --requirement .cache/audit/packages.txt

bench: $(VENV)/installed-dev ## Measure everything beside its peers and write docs/performance.md, in 25 minutes; FULL=1 measures more
	$(BIN)/python -m bench $(if $(FULL),--full) --report docs/performance.md

fix: $(VENV)/installed-dev ## Mend what lint and formatting can mend
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

dist: $(VENV)/installed-dev ## One file to copy to a server and run: dist/premrunner
	@mkdir -p dist
	$(BIN)/shiv --quiet --disable-pip-version-check --compressed --extend-pythonpath \
		--console-script premrunner --output-file dist/premrunner '.[postgresql,redis]'

soak: $(VENV)/installed-dev ## Everything at once for 30 minutes while things break; MINUTES=3 is the short one
	@sh tests/install.sh chromium
	$(BIN)/python -m bench.soak --minutes $(or $(MINUTES),30)

sure: check test ## Both

.PHONY: help serve dev test oracle screenshots check audit bench fix dist soak sure
