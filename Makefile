# One command for everything. Each target sets up what it needs in .venv.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
PEERS  := $(VENV)/peers/.ready

# Tests start hundreds of processes; compiling the modules for each costs more than the work.
export PYTHONDONTWRITEBYTECODE :=

AUDIT  := $(VENV)/audit/.ready
MUTATE := $(VENV)/mutation/.ready

.PHONY: setup demo test thorough soak mutation coverage check format bench long-read backfill drift clean services audit sbom build release

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/pip install --quiet -c constraints.txt -e '.[all]' --group dev
	touch $@

demo: $(READY)
	rm -rf demo
	$(BIN)/zimun-sync demo --folder demo

# Some tests talk to a real PostgreSQL; as root on Debian it is installed, else they are skipped.
services:
	@sh tests/services.sh

test: $(READY) services
	$(BIN)/pytest --numprocesses=3 --dist=loadscope --no-loadscope-reorder

# The same at length: kills at every moment, long histories, every kind of remote system.
thorough: $(READY) services
	ZIMUN_THOROUGH=1 $(BIN)/pytest --numprocesses=3 --dist=loadscope --no-loadscope-reorder

# Simulated histories of faults, each by its seed; SEEDS and JOBS choose which and how fast.
SEEDS ?= 0-9999
JOBS  ?= 2
soak: $(READY)
	$(BIN)/python -m tests.simulation --seeds $(SEEDS) --jobs $(JOBS)

# It has an environment of its own, and beside it the packages of ours, but not our code: that is copied.
PURELIB := import sysconfig; print(sysconfig.get_path("purelib"))
$(MUTATE): bench/constraints-mutation.txt $(READY)
	$(PYTHON) -m venv $(VENV)/mutation
	$(VENV)/mutation/bin/pip install --quiet --disable-pip-version-check \
		-c constraints.txt -c bench/constraints-mutation.txt mutmut
	$(BIN)/python -c '$(PURELIB)' > "$$($(VENV)/mutation/bin/python -c '$(PURELIB)')/project.pth"
	touch $@

# Mistakes made on purpose, and which of them the tests notice: see docs/mutation.md.
# NAMES chooses some, such as 'zimun_sync.store.merge.*'.
mutation: $(MUTATE)
	$(VENV)/mutation/bin/python bench/mutation.py $(NAMES)

coverage: $(READY) services
	$(BIN)/coverage erase
	$(BIN)/pytest --cov --cov-report=term:skip-covered

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# What a sync is compared with has an environment of its own.
$(PEERS): bench/constraints-peers.txt $(READY)
	$(PYTHON) -m venv $(VENV)/peers
	$(VENV)/peers/bin/pip install --quiet --disable-pip-version-check \
		-c bench/constraints-peers.txt 'dlt[duckdb]' httpx orjson pyarrow
	touch $@

# BENCH takes the options of bench/run.py.
bench: $(READY) $(PEERS)
	$(BIN)/python bench/run.py $(BENCH)
	$(BIN)/python bench/latency.py
	$(BIN)/python bench/intake.py

long-read: $(READY)
	$(BIN)/python bench/long_read.py

backfill: $(READY)
	$(BIN)/python bench/backfill.py

# Records that move while they are listed: see docs/paging.md.
drift: $(READY)
	$(BIN)/python -m tests.pipeline.moving 1000 auto unstable

# Tools that look at a release from outside have an environment of their own.
$(AUDIT):
	$(PYTHON) -m venv $(VENV)/audit
	$(VENV)/audit/bin/pip install --quiet --disable-pip-version-check 'pip-audit>=2.9' 'build>=1.2'
	touch $@

# Known vulnerabilities of every pinned version; asks a database on the network, and fails where it cannot.
audit: $(AUDIT)
	@$(VENV)/audit/bin/pip-audit --strict --no-deps --disable-pip --progress-spinner off -r constraints.txt || \
		{ echo 'make audit: something was found, or the audit could not be carried out; see above.' >&2; exit 1; }

sbom: $(READY)
	$(BIN)/python deploy/sbom.py dist/zimun-sync.cdx.json

build: $(AUDIT)
	$(VENV)/audit/bin/python -m build --outdir dist .

# Everything that has to be true of a release, in the order in which it fails soonest.
release: check test audit sbom build

clean:
	rm -rf $(VENV) demo build dist .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis tests/systems/.venvs
