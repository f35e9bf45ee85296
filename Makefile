# `make eval`: from a fresh clone to a scored, stored run.   `make test`: the whole check.
# `make bench`: speed and memory beside bare loops (see docs/performance.md).   `make bench-quick`: one minute of it.
# `make simulate`: how often the gate is wrong (see docs/statistics.md).
# `make crash`: every crash test 200 times, about 20 minutes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: eval test crash bench bench-quick simulate lint types contracts docs clean

eval: $(VENV)/.installed
	$(BIN)/llmctl models pull
	$(BIN)/llmctl eval

test: $(VENV)/.installed-dev
	$(BIN)/llmctl models pull
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n auto

crash: $(VENV)/.installed-dev
	$(BIN)/llmctl models pull
	LLMCTL_ROUNDS=$(or $(ROUNDS),200) $(BIN)/pytest tests/crash tests/endings tests/runs/test_journal_kill.py -q

bench: $(VENV)/.installed-dev
	$(BIN)/llmctl models pull
	$(BIN)/python -m benchmarks $(BENCH)

bench-quick: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks --quick $(BENCH)

simulate: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks.simulate $(SIMULATE)

docs: $(VENV)/.installed-dev
	$(BIN)/python docs/generate.py
	$(BIN)/python docs/generate_sql.py

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("llmctl needs Python 3.11 or newer; say which with: make PYTHON=python3.12 ...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) --editable '.[local,semantic]'
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) --editable '.[local,semantic,text,dev]'
	touch $@
