# `make help` lists the targets: every target that people call has a `##` comment on its line.

PORT ?= 8000
HOST ?= 127.0.0.1
PYTHON ?= python3
DOCKER ?= docker
DOCKERFILE ?= Dockerfile
PYTEST_ARGS ?= --durations=15
# Four workers for two cores: tests spend much of their time waiting for servers and browsers. The whole matrices take three,
# which leaves some time of the cores to the tests with deadlines.
TEST_WORKERS ?= 4
TEST_ALL_WORKERS ?= 3
# One worker runs a whole module, with the servers that the module starts. tests/conftest.py gives the order of the modules.
PYTEST = -m pytest --dist=loadfile --no-loadscope-reorder
LEAST_BRANCHES ?= 93
# The tests of the database, for `make test-mysql`.
MYSQL_TESTS ?= backup_commands backups busy_cells chains columns database execute migrations point_in_time retention statements
VENV := .venv
# The tests of the live stream, for `make paths`.
LIVE := another_history display_health junk_frames law live nothing_left other_clients point_live revoked stalled
# Each lock file has a stamp of its own, so that its packages are installed once.
RUN_STAMP := $(VENV)/.installed-run
DEV_STAMP := $(VENV)/.installed-dev
NPM_STAMP := tests/npm/node_modules/.installed
PIP := $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check

# Zone data come from the package tzdata alone, as in `server/__init__.py`.
export PYTHONTZPATH :=
# Else each process of the tests would compile every module again.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: serve run test tested checked test-rest test-mysql test-all check types style scan audit sbom pin collected paths fuzz stress bench pictures packages wheel clean help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

serve: $(RUN_STAMP) ## run a clinic of your own, with its data in var/: PORT=9000, HOST=0.0.0.0
	@$(VENV)/bin/python -m server.cli serve --host $(HOST) --port $(PORT)

run: $(RUN_STAMP) ## run a small clinic with a simulated day: PORT=9000, HOST=0.0.0.0
	@$(VENV)/bin/python -m server.cli demo --host $(HOST) --port $(PORT)

test: packages $(DEV_STAMP) $(NPM_STAMP) ## install the packages of the tests, then test every behaviour, with a daily sample of each matrix
	$(MAKE) --no-print-directory collected
	$(MAKE) --no-print-directory --jobs=2 tested checked

# The checks run at the same time, with a lower priority: the tests often wait.
tested: ## the tests of `make test` alone
	node --test tests/web
	NOWSERVING_TEST_EXTENT=sample $(VENV)/bin/python $(PYTEST) --numprocesses=$(TEST_WORKERS) $(PYTEST_ARGS) tests

# The lines of the checks must not mix with those of the tests.
checked: ## the checks beside the tests, with their output in one piece
	@mkdir -p .make
	@if nice $(MAKE) --no-print-directory check >.make/check.log 2>&1; then cat .make/check.log; \
	else cat .make/check.log; echo "The checks have failed; the tests go on." >&2; exit 1; fi

test-rest: packages $(DEV_STAMP) $(NPM_STAMP) ## test the rest of the sample of make test
	NOWSERVING_TEST_EXTENT=rest $(VENV)/bin/python $(PYTEST) --numprocesses=$(TEST_ALL_WORKERS) $(PYTEST_ARGS) tests

# test_migrations compares copies that only MariaDB makes.
test-mysql: packages $(DEV_STAMP) ## test the database on a real MySQL of Debian unstable, unpacked into .make/mysql
	@sh tests/mysql.sh .make/mysql
	NOWSERVING_TEST_EXTENT=sample $(VENV)/bin/python -m tests.support.mysql .make/mysql $(PYTEST_ARGS) \
		-k "not test_copied_test_databases" $(MYSQL_TESTS:%=tests/integration/test_%.py)

test-all: packages $(DEV_STAMP) $(NPM_STAMP) ## the same tests with every matrix and property whole, and coverage
	$(VENV)/bin/python -m coverage erase
	$(VENV)/bin/python -m coverage run $(PYTEST) --numprocesses=$(TEST_ALL_WORKERS) $(PYTEST_ARGS) tests
	$(VENV)/bin/python -m coverage combine --quiet
	$(VENV)/bin/python -m coverage report --skip-covered --skip-empty --sort=cover
	@mkdir -p .make
	@$(VENV)/bin/python -m coverage json --quiet -o .make/coverage.json
	@$(VENV)/bin/python tests/support/branches.py .make/coverage.json $(LEAST_BRANCHES)

check: types style scan ## lint, types, import rules and the search for weak code alone

types: $(DEV_STAMP) ## check the types alone
	$(VENV)/bin/mypy

style: $(DEV_STAMP) $(NPM_STAMP) ## lint, import rules and the types of the pages alone
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports
	tests/npm/node_modules/.bin/tsc -p tests/npm
	tests/npm/node_modules/.bin/tsc -p tests/npm/tsconfig.worker.json

# bandit warns of each comment that another line of the same call needs; the log has these lines.
scan: $(DEV_STAMP) ## search our own code for weaknesses alone
	@mkdir -p .make
	@$(VENV)/bin/bandit -q -c pyproject.toml -r server workers 2>.make/bandit.log || { cat .make/bandit.log; exit 1; }

# A package that the service does not know counts as a failure: without the internet, this target fails.
audit: ## ask a service on the internet for known vulnerabilities of the locked packages
	@$(PYTHON) -m venv .make/audit
	@.make/audit/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-audit.lock
	.make/audit/bin/pip-audit --strict --require-hashes --disable-pip -r requirements.lock
	.make/audit/bin/pip-audit --strict --require-hashes --disable-pip -r requirements-dev.lock

sbom: $(DEV_STAMP) ## write the list of all packages (CycloneDX) and of their licences into dist/
	@$(VENV)/bin/python deploy/sbom.py dist

pin: ## write the digest of the present base of the image into the Dockerfile (needs Docker and the internet)
	@base=$$(sed -n 's/^ARG BASE=\([^@]*\).*/\1/p' $(DOCKERFILE)); \
	digest=$$($(DOCKER) buildx imagetools inspect "$$base" --format '{{.Manifest.Digest}}') || exit 1; \
	case "$$digest" in sha256:*) ;; *) echo "no digest of $$base: $$digest" >&2; exit 1 ;; esac; \
	sed -i "s|^ARG BASE=.*|ARG BASE=$$base@$$digest|" $(DOCKERFILE)

# Compile the test modules once, while the types are checked: else every worker compiles all of them.
collected: $(DEV_STAMP) ## compile the test modules
	$(VENV)/bin/python -m pytest --collect-only -qq tests >/dev/null

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
	$(VENV)/bin/python docs/first_run.py

packages: ## check for the servers and the browser of the tests; install them as root
	@sh tests/packages.sh

wheel: $(DEV_STAMP) ## build the wheel into dist/
	$(VENV)/bin/python -m build --wheel --no-isolation --outdir dist .

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
