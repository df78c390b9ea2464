# Every target prepares what it needs; nothing but Python 3.11 or newer is expected on the machine.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.ready

.PHONY: setup demo test smoke test-unit test-all lint docs bench lock schema clean

setup: $(STAMP)

$(STAMP): requirements-dev.txt requirements-crosscheck.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, found " + sys.version.split()[0] + "; say make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --require-hashes --upgrade --target $(VENV)/crosscheck -r requirements-crosscheck.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $(STAMP)

demo: setup
	$(BIN)/tongshui demo

smoke: setup
	$(BIN)/tongshui demo --until-proven

lint: setup docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The documents as a site in build/docs; a broken link or anchor, or a page that the navigation lacks, ends it.
docs: setup
	NO_MKDOCS_2_WARNING=1 PYTHONWARNINGS=ignore $(BIN)/mkdocs build --strict

# Two at once, a file of tests each, with servers of its own; those that take longest first.
UNIT  := $(BIN)/pytest -n 2 tests/unit tests/contract
WHOLE := $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder tests/integration tests/faults tests/e2e

# The recount as the oracle, 20,000 random histories for each property.
ORACLE := HYPOTHESIS_PROFILE=deep $(BIN)/pytest -n 2 tests/unit/test_recount.py tests/unit/test_recount_others.py -k agree --timeout 7200

test-unit: setup
	$(UNIT)

test: lint
	$(UNIT) -m "not slow"
	$(WHOLE) -m "not slow"

test-all: lint
	$(UNIT)
	$(WHOLE)
	$(ORACLE)

bench: setup
	$(BIN)/python -m tests.bench

# The lock files: exact versions with hashes, for every platform and Python >= 3.11.
lock: setup
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --extra dev -c requirements.txt pyproject.toml -o requirements-dev.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" requirements-crosscheck.in -o requirements-crosscheck.txt

# infra/sql/schema.sql, from a freshly migrated database.
schema: setup
	$(BIN)/python -m infra.postgres.schema

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache
