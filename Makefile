# `make help` lists the targets: every target that people call has a `##` comment on its line.

PORT ?= 8000
HOST ?= 127.0.0.1
PYTHON ?= python3
PYTEST_ARGS ?= --durations=15
LEAST_BRANCHES ?= 80
VENV := .venv
# Integration tests that wait for no clock: they run in the lane of the unit tests.
CALM := audit bad_input cancelled chains database execute explain fuzz hostile invariants keys migrations openapi patients \
	random_days reading request_costs retention role_matrix statements
# Those that follow the browsers' in their lane, so that all three end at about the same time.
LATER := command_line law leaks lost_answers nginx
# What is live: what every screen is told, whatever happens.
LIVE := another_history display_health junk_frames law live nothing_left other_clients point_live revoked stalled
# Each lock has a stamp of its own: what is installed is what the lock says, and is installed once.
RUN_STAMP := $(VENV)/.installed-run
DEV_STAMP := $(VENV)/.installed-dev
NPM_STAMP := tests/npm/node_modules/.installed
PIP := $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check

.PHONY: run test check paths fuzz stress bench pictures packages wheel clean help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: $(RUN_STAMP) ## run a small clinic with a simulated day: PORT=9000, HOST=0.0.0.0
	@$(VENV)/bin/python -m server.cli demo --host $(HOST) --port $(PORT)

test: packages $(DEV_STAMP) $(NPM_STAMP) check ## install what the tests need, then run all of them
	node --test tests/web
	$(VENV)/bin/python -m coverage erase
	@# Three lanes for two cores: real servers and browsers are waited for a good part of the time, and what only thinks
	@# takes what they leave over.
	@echo "Three lanes run side by side; the results of two follow that of the third."
	@mkdir -p .make; \
	nice $(VENV)/bin/python -m coverage run -m pytest tests/unit $(CALM:%=tests/integration/test_%.py) $(PYTEST_ARGS) \
		>.make/calm.log 2>&1 & calm=$$!; \
	{ trap 'kill $$!; exit 1' TERM; \
	$(VENV)/bin/python -m pytest tests/browser $(PYTEST_ARGS) & wait $$!; browser=$$?; \
	$(VENV)/bin/python -m coverage run -m pytest $(LATER:%=tests/integration/test_%.py) $(PYTEST_ARGS) & \
	wait $$! && [ $$browser = 0 ]; } >.make/browser.log 2>&1 & browser=$$!; \
	trap 'kill $$calm $$browser' INT TERM; \
	$(VENV)/bin/python -m coverage run -m pytest tests/integration tests/faults \
		$(patsubst %,--ignore=tests/integration/test_%.py,$(CALM) $(LATER)) $(PYTEST_ARGS); others=$$?; \
	wait $$browser; browser=$$?; cat .make/browser.log; \
	wait $$calm; calm=$$?; cat .make/calm.log; \
	[ $$others = 0 ] && [ $$browser = 0 ] && [ $$calm = 0 ]
	$(VENV)/bin/python -m coverage combine --quiet
	$(VENV)/bin/python -m coverage report --skip-covered --skip-empty --sort=cover
	@$(VENV)/bin/python -m coverage json --quiet -o .make/coverage.json
	@$(VENV)/bin/python tests/support/branches.py .make/coverage.json $(LEAST_BRANCHES)

check: $(DEV_STAMP) $(NPM_STAMP) ## lint, types and import rules alone
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	tests/npm/node_modules/.bin/tsc -p tests/npm
	tests/npm/node_modules/.bin/tsc -p tests/npm/tsconfig.worker.json

paths: packages $(DEV_STAMP) $(NPM_STAMP) ## test the live streams on asyncio's own loop, and without the hand-off
	NOWSERVING_TEST_EVENT_LOOP=asyncio $(VENV)/bin/python -m pytest tests/faults $(LIVE:%=tests/integration/test_%.py)
	NOWSERVING_TEST_HAND_OFF=off $(VENV)/bin/python -m pytest tests/faults $(LIVE:%=tests/integration/test_%.py)

fuzz: $(DEV_STAMP) ## fuzz the whole API for some minutes: FUZZ_ARGS
	$(VENV)/bin/python -m tests.fuzz $(FUZZ_ARGS)

stress: packages $(DEV_STAMP) ## inject faults while screens follow: STRESS_ARGS="--minutes 30 --seed 7"
	$(VENV)/bin/python -m tests.faults $(STRESS_ARGS)

bench: $(DEV_STAMP) ## measure the live streams beside other servers
	@sh tests/packages.sh bench
	$(VENV)/bin/python loadtests/bench_fanout.py --streams 1000 5000
	$(VENV)/bin/python loadtests/bench_personal.py
	$(VENV)/bin/python loadtests/bench_connect.py
	$(VENV)/bin/python loadtests/bench_latency.py
	$(VENV)/bin/python loadtests/bench_burst.py

pictures: packages $(DEV_STAMP) ## regenerate the screenshots of the README from a running demo
	$(VENV)/bin/python docs/pictures.py

packages: ## check for the servers and the browser of the tests; install them as root
	@sh tests/packages.sh

wheel: $(DEV_STAMP) ## build the wheel into dist/
	$(VENV)/bin/python -m build --wheel --outdir dist .

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version)'
	@$(PYTHON) -m venv $(VENV)

$(RUN_STAMP): requirements.lock | $(VENV)/bin/python
	@echo "Installing what is locked (once)..."
	@$(PIP) --require-hashes -r requirements.lock
	@touch $@

$(DEV_STAMP): requirements-dev.lock | $(VENV)/bin/python
	@echo "Installing what the tests need (once)..."
	@$(PIP) --require-hashes -r requirements-dev.lock
	@touch $@ $(RUN_STAMP)

# Other people's clients and judges, for the tests alone: the pages need no package.
$(NPM_STAMP): tests/npm/package.json tests/npm/package-lock.json | packages
	@echo "Installing what the tests need of npm (once)..."
	@cd tests/npm && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

clean: ## remove everything that was installed or built
	rm -rf $(VENV) dist tests/npm/node_modules
