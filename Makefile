# Two commands are all the set-up there is: `make demo` and `make test`.
# uv is used where it is installed; otherwise venv and pip do the same, from the same lock file.

PY ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ok
UV := $(shell command -v uv 2>/dev/null)
PYTEST ?= $(BIN)/python -m pytest -n auto --dist worksteal

# Compiled once, not by each of the processes that tests start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-all check docs bench lock clean

demo: $(STAMP)
	@$(BIN)/reconcile demo

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check
	$(PYTEST) -m "not slow"

test-all: check $(VENV)/.spark
	$(PYTEST)

# What the docs say of the settings, from their declarations; and what the notebooks show.
docs: $(STAMP)
	$(BIN)/python -c 'from reconcile.settings.template import markdown; print(markdown(), end="")' > docs/settings.md
	$(BIN)/python tests/operations/executed.py

bench: $(STAMP)
	$(BIN)/python -m benchmarks

$(STAMP): requirements/dev.lock pyproject.toml
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "reconcile needs Python 3.11 or newer; $(PY) is $$($(PY) -V 2>&1)."; \
	  echo "Name a newer one: make $(or $(MAKECMDGOALS),demo) PY=python3.12"; exit 1; }
ifneq ($(UV),)
	@uv venv --quiet --allow-existing --python "$$($(PY) -c 'import sys; print(sys.executable)')" $(VENV)
	@uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.lock
	@uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
else
	@$(PY) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "This Python has no venv module. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@echo "Setting up $(VENV) with pip (once; uv, where installed, is faster) ..."
	@$(PY) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
endif
	@touch $@

# The engine of 450 MB: only what tests it needs it.
$(VENV)/.spark: requirements/spark.lock $(STAMP)
ifneq ($(UV),)
	@uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/spark.lock
else
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/spark.lock
endif
	@touch $@

# run.lock: the product with all its extras, for installations. dev.lock: the product and what tests and lint need.
# Needs uv. `--universal` writes one file for every system and Python; no index or host is recorded.
lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --no-annotate --upgrade --custom-compile-command "make lock" pyproject.toml --all-extras -o requirements/run.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --no-annotate --upgrade --custom-compile-command "make lock" -c requirements/run.lock --group dev pyproject.toml -o requirements/dev.lock
	awk '/^[a-z]/ { wanted = /^(py4j|pyspark)==/ } wanted' requirements/run.lock > requirements/spark.lock

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
