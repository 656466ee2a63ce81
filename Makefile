# One environment in .venv, made once; every target below uses it.

.DEFAULT_GOAL := help

CANDIDATES := python3.13 python3.14 python3.12 python3
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 12))
ifndef PYTHON
PYTHON := $(shell for name in $(CANDIDATES); do \
    if "$$name" -c "$(NEW_ENOUGH)" >/dev/null 2>&1; then echo "$$name"; break; fi; done)
endif

BIN := .venv/bin
INSTALLED := .venv/.installed
DEVELOPER := .venv/.installed-dev
PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt

# One more than there are cores: tests wait for processes of their own.
WORKERS = $(shell $(BIN)/python -c "import os; print((os.cpu_count() or 1) + 1)")

# Threads of linear algebra that wait for each other take the cores that other tests need.
test test-long check: export OMP_NUM_THREADS = 1
test test-long check: export OPENBLAS_NUM_THREADS = 1

.PHONY: help install demo test test-long check lint bench docs clean

help:
	@echo "make install   make .venv and install the package with its tools"
	@echo "make demo      install, then run the main job on bundled data (pictures in demo/)"
	@echo "make test      install, then run the tests"
	@echo "make test-long run the longest tests, which make test leaves out"
	@echo "make check     lint, and the quick tests: six minutes"
	@echo "make lint      style, types and the order of imports"
	@echo "make bench     measure speed, as ratios to named alternatives"
	@echo "make docs      build the documentation into docs/_build/html"
	@echo "make clean     delete what the other targets made"

.venv/bin/python:
	@if [ -z "$(PYTHON)" ]; then \
	    echo "No Python >= 3.12 was found: tried $(CANDIDATES)." >&2; \
	    echo "Install one, or name it: make PYTHON=/path/to/python3.13 $(MAKECMDGOALS)" >&2; \
	    exit 1; fi
	@if ! "$(PYTHON)" -c "$(NEW_ENOUGH)"; then \
	    echo "PYTHON=$(PYTHON) does not run, or is older than Python 3.12." >&2; exit 1; fi
	@if ! "$(PYTHON)" -m venv .venv; then \
	    rm -rf .venv; \
	    echo "$(PYTHON) cannot make a virtual environment. On Debian and Ubuntu: apt install python3-venv" >&2; \
	    exit 1; fi

$(INSTALLED): pyproject.toml constraints.txt | .venv/bin/python
	@echo "Installing scaling_bayes into .venv ..."
	@$(PIP_INSTALL) --editable .
	@touch $@

$(DEVELOPER): $(INSTALLED)
	@echo "Installing the tools for tests, lint and documentation into .venv ..."
	@$(PIP_INSTALL) --editable ".[dev,docs]"
	@touch $@

install: $(DEVELOPER)

demo: $(INSTALLED)
	$(BIN)/scaling-bayes demo --output-dir demo

test: $(DEVELOPER)
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not long"

test-long: $(DEVELOPER)
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder -m long

check: lint
	$(BIN)/python -m pytest tests/unit --numprocesses $(WORKERS) --dist loadfile -m "not slow" --quiet

lint: $(DEVELOPER)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(DEVELOPER)
	for script in startup first_answer each_law samplers refit many_refits allocation decide extrapolation rows; do \
	    $(BIN)/python benchmarks/$$script.py || exit 1; done

docs: $(DEVELOPER)
	$(BIN)/sphinx-build -W --keep-going -b html docs docs/_build/html

clean:
	rm -rf .venv demo docs/_build docs/api .pytest_cache .ruff_cache .mypy_cache .hypothesis
