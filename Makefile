# What a contributor runs. Each target sets up what it needs with python3, make and git alone;
# what is set up already is not set up again.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Tests mostly wait, for servers and processes: more workers than cores.
WORKERS ?= 4
LOADERS := $(patsubst loaders/%.lock,%,$(sort $(wildcard loaders/*.lock)))
ENVIRONMENTS := $(patsubst environments/%.in,%,$(sort $(wildcard environments/*.in)))
PIP_INSTALL := -m pip install -qq --disable-pip-version-check
COMPILE := pip compile --quiet --system-certs --universal --python-version 3.10 \
	--generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links \
	--custom-compile-command "make lock"

.DELETE_ON_ERROR:
.PHONY: help setup demo answers check test coverage lint types unit loaders environments docs bench fuzz \
	kills soak queue mutants dist sbom lock clean

help:
	@echo "make demo     the simulator's tenant, through meltano run, into an embedded Postgres;"
	@echo "              with KEEP=1 both stay up to look around"
	@echo "make answers  the same tenant, loaded, and three questions answered by dbt's models"
	@echo "make check    linters, types, the quick tests: no loaders, trials or browser, in 75 seconds"
	@echo "make test     linters, types, every test, with real loaders"
	@echo "make coverage every test, measuring which lines and branches are run"
	@echo "make docs     the documentation as a site, in output/docs"
	@echo "make bench    the tap beside a template tap, with figures"
	@echo "make fuzz     hostile input for longer than make test does"
	@echo "make kills    the tap, killed at more points than make test does"
	@echo "make soak     300 datasets on a bad day: throttled, broken off, late; with figures"
	@echo "make queue    tenants and shards under Dagster's daemon: who ran when"
	@echo "make mutants  small changes to the code, and which of them no test notices"
	@echo "make dist     the wheel and the source archive, in dist/"
	@echo "make sbom     the software bill of materials of what is released, in output/"
	@echo "make lock     the lock files, brought up to date"
	@echo "make clean    all that the other targets made"

# --- the virtual environments ---------------------------------------------------------------

setup: $(VENV)/.project

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
		echo "tap-orgvue needs Python 3.10 or newer, and $(PYTHON) is not:" \
			"name another one, as in 'make PYTHON=python3.12'." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.locked: requirements.lock | $(VENV)/bin/python
	$(BIN)/python $(PIP_INSTALL) --require-hashes --only-binary :all: -r requirements.lock
	@touch $@

$(VENV)/.project: $(VENV)/.locked pyproject.toml
	$(BIN)/python $(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

# Loaders pin other versions of the SDK than the tap does, so each has an environment of its own,
# as it has under Meltano.
loaders: $(LOADERS:%=.venv-loaders/%/.locked)

.venv-loaders/%/.locked: loaders/%.lock | $(VENV)/bin/python
	$(BIN)/python -m venv $(@D)
	$(@D)/bin/python $(PIP_INSTALL) --require-hashes -r $<
	@touch $@

# What runs beside the tap in tests, neither a part of it nor a loader: Dagster, dbt.
environments: $(patsubst %,.venv-loaders/%/.locked,$(filter-out sbom,$(ENVIRONMENTS)))

.venv-loaders/%/.locked: environments/%.lock | $(VENV)/bin/python
	$(BIN)/python -m venv $(@D)
	$(@D)/bin/python $(PIP_INSTALL) --require-hashes -r $<
	@touch $@

# --- what there is to run -------------------------------------------------------------------

demo: $(VENV)/.project
	@$(BIN)/python -m demo

answers: $(VENV)/.project .venv-loaders/target-postgres/.locked .venv-loaders/dbt/.locked
	@$(BIN)/python -m demo.answers

# Parallel tests start hundreds of processes: each module is compiled once, not in every one.
check unit: export PYTHONDONTWRITEBYTECODE :=

# The quick tests wait more than the others.
check: lint types
	$(BIN)/python -m pytest -n 6 --hypothesis-profile quick -m "not slow" \
		--ignore tests/loaders --ignore tests/trials

test: lint types unit

lint: $(VENV)/.project
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/check-jsonschema --builtin-schema vendor.meltano meltano.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(BIN)/zizmor --offline --quiet .github

types: $(VENV)/.project
	$(BIN)/mypy

unit: $(VENV)/.project loaders environments
	$(BIN)/python -m pytest -n $(WORKERS)

# Measuring makes the tests take half as long again.
coverage: $(VENV)/.project loaders environments
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n $(WORKERS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

docs: $(VENV)/.project
	$(BIN)/sphinx-build -W -n -q -E docs output/docs
	@echo "Open output/docs/index.html."

bench: $(VENV)/.project
	$(BIN)/python -m benchmarks

fuzz: $(VENV)/.project
	$(BIN)/python -m tests.trials.fuzz

kills: $(VENV)/.project
	$(BIN)/python -m tests.trials.kills

# `make soak SIZE="--datasets 60 --rows 500"` takes less.
soak: $(VENV)/.project
	$(BIN)/python -m tests.trials.soak $(SIZE)

# `make queue SIZE="--tenants 4 --at-once 6"` takes more.
queue: $(VENV)/.project .venv-loaders/target-postgres/.locked .venv-loaders/dagster/.locked
	$(BIN)/python -m tests.trials.dagster_queue $(SIZE)

# `make mutants SAMPLE="--seed 7 --only tap_orgvue/exports"` runs a chosen sample.
mutants: $(VENV)/.project
	$(BIN)/python -m tests.trials.mutants $(SAMPLE)

# --- upkeep ---------------------------------------------------------------------------------

dist: $(VENV)/.project
	rm -rf dist
	$(BIN)/hatchling build

# Of the wheel with its extras, in an environment that holds nothing else.
sbom: dist .venv-loaders/sbom/.locked
	rm -rf build/sbom
	mkdir -p build output
	$(BIN)/python -m venv --without-pip build/sbom
	sed -n 's/^\([A-Za-z0-9._-]*==[^ \\]*\( ; [^\\]*\)*\).*/\1/p' requirements.lock > build/pins.txt
	$(BIN)/uv pip install --quiet --system-certs --python build/sbom/bin/python \
		--constraint build/pins.txt "$$(ls dist/*.whl)[faker,report,s3]"
	.venv-loaders/sbom/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
		--output-file output/tap-orgvue.cdx.json build/sbom

# Pins move only where they must; `make lock UPGRADE=--upgrade` moves all of them.
lock: $(VENV)/.project
	$(BIN)/uv $(COMPILE) $(UPGRADE) pyproject.toml --all-extras --group dev -o requirements.lock
	for name in $(LOADERS); do \
		$(BIN)/uv $(COMPILE) $(UPGRADE) loaders/$$name.in -o loaders/$$name.lock || exit 1; \
	done
	# pip asks for the pin of a requirement with extras by the name with them.
	for name in $(ENVIRONMENTS); do \
		$(BIN)/uv $(COMPILE) --no-strip-extras $(UPGRADE) environments/$$name.in \
			-o environments/$$name.lock || exit 1; \
	done

clean:
	rm -rf $(VENV) .venv-loaders .meltano .tox build dist output .coverage .coverage.* \
		.hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
