# The front door. On a machine with Python 3.11 or newer and make, nothing else:
#
#   make demo     both parties' nodes on this machine, one exchange played through, then type a line yourself
#   make test     the whole test suite; ends with the list of parts that were not run
#
# The first call installs the locked parts into .venv (about a minute); later calls start at once.

.DEFAULT_GOAL := help
SHELL := /bin/sh
MAKEFLAGS += --no-print-directory

PYTHON ?= python3 python3.14 python3.13 python3.12 python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/stamp
SOURCES := channel keys tests
ARGS ?=
ROUNDS ?= 3
SEED ?= 1
RULES := tests/keys tests/protocol tests/properties/test_fold.py tests/vectors tests/i18n --ignore tests/protocol/test_archive_small.py
BROWSER := $(filter-out tests/desk/test_forms.py tests/desk/test_pictures.py tests/desk/test_watch.py tests/desk/test_entry.py,$(wildcard tests/desk/test_*.py))
EACH := --numprocesses auto --dist loadfile --no-loadscope-reorder
COMPILE := uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --quiet

.PHONY: help ladder screenshots demo test test-desk faults bench bench-quick bench-coded bench-timers bench-desk coverage mutants check fmt review lock ci clean

help:  ## show this list
	@sed -n 's/^\([a-z-]*\):.*## */make \1\t/p' Makefile | expand -t 16

demo: $(STAMP)  ## the whole channel on this machine; ARGS=--script plays it through without a person
	@$(BIN)/channel demo $(ARGS)

test: $(STAMP)  ## the test suite, but for most browser tests of the desk (make test-desk); ARGS goes to pytest
	@$(BIN)/python -m pytest $(EACH) $(addprefix --deselect=,$(BROWSER)) $(ARGS)

test-desk: $(STAMP)  ## every test of the desk in a real browser, a quarter of an hour; ARGS goes to pytest
	@$(BIN)/python -m pytest $(EACH) tests/desk $(ARGS)

faults: $(STAMP)  ## kills and damage for longer; SEED=2 draws others, ROUNDS=3 is three times as many
	@$(BIN)/python -m pytest tests/faults tests/protocol/test_archive_small.py --campaign $(ROUNDS) --seed $(SEED) $(ARGS)

bench: bench-quick bench-coded bench-timers bench-desk  ## all of the following, about a quarter of an hour

bench-quick: $(STAMP)  ## what the core costs, as ratios from one run; ARGS="--rounds 1" is shorter
	@$(BIN)/python -m tests.bench $(ARGS)
	@$(BIN)/python -m tests.bench.memory

bench-coded: $(STAMP)  ## a coded message between two nodes: its bytes on the line, and how soon it is read
	@$(BIN)/python -m tests.bench.coded $(ARGS)

bench-timers: $(STAMP)  ## what 200 open cases with all their deadlines cost a node
	@$(BIN)/python -m tests.bench.timers

bench-desk: $(STAMP)  ## the desk with 100 and with 10,000 records in the log; ARGS=--quick takes 1,000
	@$(BIN)/python -m tests.bench.desk $(ARGS)

coverage: $(STAMP)  ## every branch of keys and channel/protocol, by the tests of these two alone
	@$(BIN)/python -m pytest -q $(EACH) --cov --cov-report term-missing:skip-covered $(RULES) $(ARGS)

mutants: $(STAMP)  ## seeded single changes of keys and channel/protocol, each to be caught; ARGS="--seed 2 --count 20"
	@$(BIN)/python -m tests.mutation $(ARGS)

check: $(STAMP)  ## lint, format, types, floors
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: $(STAMP)  ## let ruff mend and format what it can
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

review: $(STAMP)  ## write docs/chinese-review.md anew: every text in both languages, for native readers
	@$(BIN)/python -m tests.scripts.chinese_review

ci:  ## what the build server runs: parts of the system, check, every test, none left out
	./.ci/run

screenshots: $(STAMP)  ## build/contact-sheet.png: every page in each mode and language; docs/pictures anew
	@$(BIN)/python -m tests.scripts.screenshots

ladder: $(STAMP)  ## write docs/ladder.md and its pictures anew, from the policy's tables and the rules of the code
	@$(BIN)/python -m tests.scripts.ladder_page

lock:  ## write both lock files anew from pyproject.toml; ARGS=--upgrade takes newer versions
	@command -v uv >/dev/null || { echo "make lock needs uv (pip install uv)" >&2; exit 2; }
	$(COMPILE) --group dev $(ARGS) --output-file requirements.lock
	$(COMPILE) --constraints requirements.lock --output-file deploy/requirements.lock

clean:  ## remove what was installed and cached here; demo data outside stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +

# The project itself is installed last, from this folder and with nothing fetched: hatchling stands in the lock.
$(STAMP): requirements.lock pyproject.toml
	@for python in $(PYTHON); do \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; python=; \
	done; \
	[ -n "$$python" ] || { echo "Python 3.11 or newer is needed. Name one: make PYTHON=/path/to/python3.12 ..." >&2; exit 2; }; \
	echo "Installing the locked parts into $(VENV) ..."; \
	"$$python" -m venv --clear $(VENV) || { echo "No venv could be made; on Debian: apt-get install python3-venv" >&2; exit 2; }
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index --editable .
	@touch $(STAMP)
