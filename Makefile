# One command for everything. Each target sets up what it needs in .venv.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
PEERS  := $(VENV)/peers/.ready

# Tests start hundreds of processes; compiling the modules for each costs more than the work.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: setup demo test thorough coverage check format bench long-read backfill clean services

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

clean:
	rm -rf $(VENV) demo build dist .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis tests/systems/.venvs
