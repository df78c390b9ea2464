# Every target prepares what it needs; nothing but Python 3.11 or newer is expected on the machine. Who only wants to look
# (demo, smoke) gets what the program itself needs; linters, test tools and a browser come with test and lint.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
RUN    := $(VENV)/.ready-to-run
DEV    := $(VENV)/.ready-to-develop
PIP    := $(BIN)/python -m pip --disable-pip-version-check install

.PHONY: setup demo test smoke test-unit test-all lint docs audit bench browser archive pictures lock schema clean

setup: $(DEV)

$(RUN): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, found " + sys.version.split()[0] + "; say make PYTHON=/path/to/python3.11")'
	@echo "set-up 1 of 3: a Python environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@echo "set-up 2 of 3: $$(grep -c '^[a-z].*==' requirements.txt) packages, some 100 MB to fetch: a minute or a few, once"
	@$(PIP) --quiet --require-hashes -r requirements.txt
	@echo "set-up 3 of 3: tongshui itself, as $(BIN)/tongshui"
	@$(PIP) --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(DEV): $(RUN) requirements-dev.txt requirements-crosscheck.txt
	@echo "set-up for development: linters, test tools; a minute or two, once"
	@$(PIP) --quiet --require-hashes -r requirements-dev.txt
	@$(PIP) --quiet --require-hashes --upgrade --target $(VENV)/crosscheck -r requirements-crosscheck.txt
	@touch $@

demo: $(RUN)
	$(BIN)/tongshui demo

smoke: $(RUN)
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

# The jars that only the tests need are fetched meanwhile; the result is that of the unit tests.
BESIDE_UNIT = $(BIN)/python -m tests.jars & $(UNIT) $(1); tested=$$?; wait; exit $$tested

# What a run skips for want of something on this machine; its last lines say it.
test test-all: export NOT_TESTED := $(VENV)/not-tested.txt

test: lint browser archive
	@rm -f $(NOT_TESTED)
	$(call BESIDE_UNIT,-m "not slow")
	$(WHOLE) -m "not slow"
	@test ! -e $(NOT_TESTED) || cat $(NOT_TESTED)

test-all: lint browser archive
	@rm -f $(NOT_TESTED)
	$(call BESIDE_UNIT,)
	$(WHOLE)
	$(ORACLE)
	@test ! -e $(NOT_TESTED) || cat $(NOT_TESTED)

# Chromium for the tests of the pages, where this machine lets it be fetched.
browser: setup
	$(BIN)/python -m tests.e2e.browser

# Kafka's classes as Java keeps them: the tests start a hundred brokers, and with it each takes half the processor time.
archive: setup
	$(BIN)/python -c 'from infra.embedded.kafka_archive import make; make()'

# Known vulnerabilities of what we ship, where a public list of them can be reached.
audit: setup
	@$(BIN)/python -m tests.audit

# The pictures of README and the documents, from the demo that runs; PICTURES_OF says where.
pictures: browser
	$(BIN)/python -m tests.e2e.pictures $(PICTURES_OF)

bench: setup
	$(BIN)/python -m tests.bench

# The lock files: exact versions with hashes, for every platform and Python >= 3.11.
lock: setup
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --extra build pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --extra dev -c requirements.txt pyproject.toml -o requirements-dev.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" requirements-crosscheck.in -o requirements-crosscheck.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" -c requirements-dev.txt requirements-confluent.in -o requirements-confluent.txt

# infra/sql/schema.sql, from a freshly migrated database.
schema: setup
	$(BIN)/python -m infra.postgres.schema

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache
