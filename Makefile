# `make run` and `make test` need only Python and make, and install everything else.
#
#   ARGS=...    more arguments for run, test or bench:   make test ARGS='-k http'
#   (two test modules run at a time; ARGS='-n 0' runs them one after the other)
#   PYTHON=...  the interpreter to use, in a separate environment:   make PYTHON=python3.12 test

VENV := .venv$(if $(PYTHON),-$(notdir $(PYTHON)))
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input --quiet
SCRIPTS := .ci/run tools/apt-install tools/compose-2 tools/debian-servers tools/lock tools/mongodb-stand-in tools/python-env tools/test-components scripts/*.sh
export PYTHON

.DEFAULT_GOAL := help
.PHONY: help install run test test-system fuzz mutants bench lint format docs lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

install: $(VENV)/.runtime ## install the command exporter into .venv

run: $(VENV)/.runtime ## start the daemon on the example catalog, with simulated services
	$(BIN)/python -m exporter run --demo $(ARGS)

test: components lint ## lint, type checks and tests, as in CI
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile $(ARGS)

test-system: $(VENV)/.dev ## slower tests with whole stacks of real programs
	tools/test-components
	tools/debian-servers || [ $$? -eq 77 ]
	$(BIN)/python -m pytest tests/system --numprocesses 2 --dist loadfile $(ARGS)

fuzz: $(VENV)/.dev ## look for inputs that crash or hang a reader; ARGS='--seconds 600 grpc'
	$(BIN)/python -m pip --disable-pip-version-check --quiet install 'atheris>=3,<4' || true
	$(BIN)/python -m tests.fuzz.guided $(ARGS)

mutants: $(VENV)/.dev ## mutate the modules that you changed and see whether the tests notice
	$(BIN)/python -m tools.mutants $(ARGS)

bench: $(VENV)/.dev ## compare the daemon with blackbox_exporter
	tools/test-components bench
	$(BIN)/python -m benchmarks $(ARGS)

lint: $(VENV)/.dev ## check formatting, lint, types and generated files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m tools.reference --check
	$(BIN)/python -m exporter gen --config config.example.yaml -e production --check
	@if command -v shellcheck >/dev/null; then echo shellcheck -x $(SCRIPTS); shellcheck -x $(SCRIPTS); \
	else echo 'shellcheck is not installed; scripts were not checked'; test -z "$$CI"; fi

format: $(VENV)/.dev ## format the code and apply automatic fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/.dev ## regenerate the reference pages and the example's files
	$(BIN)/python -m tools.reference
	$(BIN)/python -m exporter gen --config config.example.yaml -e production

lock: $(BIN)/python ## update the locked dependencies to the newest allowed versions
	tools/lock $(BIN)/python

clean: ## remove everything that make created
	rm -rf .components .venv .venv-* .mypy_cache .ruff_cache .pytest_cache build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: components
components:
	tools/test-components

$(BIN)/python:
	tools/python-env $(VENV)

# Only locked versions with known hashes are installed; the package itself is built with a locked hatchling, which
# is why isolation is off.
$(VENV)/.runtime: $(BIN)/python pyproject.toml requirements.txt requirements-build.txt
	$(PIP) install --require-hashes -r requirements-build.txt -r requirements.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements-dev.txt
	$(PIP) install --require-hashes -r requirements-dev.txt
	@touch $@
