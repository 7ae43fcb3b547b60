# Every verb creates its own virtual environment; nothing but Python >= 3.11 with venv and pip is needed.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: dev seed test check fix bench nightly fuzz gaps record export clean

dev: $(STAMP) seed  ## run the Inference UI application with a real chat model
	@$(BIN)/pyworkers models pull smollm2
	@$(BIN)/pyworkers dev

seed: $(STAMP)  ## apply the application's migrations and store its demo tenant; a second time changes nothing
	@$(BIN)/python workers/seed.py

test: $(STAMP)  ## run the whole test suite, on every core
	@$(BIN)/python -m pytest -q -n auto

check: $(STAMP)  ## lint, types, layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/mypy benchmarks/*.py
	@$(BIN)/lint-imports

fix: $(STAMP)  ## format and mend what ruff can mend
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(STAMP)  ## measure, as ratios against the floor in one run
	@$(BIN)/python -m benchmarks

nightly: $(STAMP)  ## the long run: 5 minutes of load; 200 times SIGKILL a binding, ten minutes; 10,000 random programs a kind, half an hour
	@PYWORKERS_KILLS=$${PYWORKERS_KILLS:-200} $(BIN)/python -m pytest tests/faults --durations=5 -s
	@PYWORKERS_PROGRAMS=$${PYWORKERS_PROGRAMS:-10000} $(BIN)/python -m pytest tests/stateful
	@PYWORKERS_LOAD_S=$${PYWORKERS_LOAD_S:-300} $(BIN)/python -m pytest tests/apps/test_load.py -s

fuzz: $(STAMP)  ## look for inputs that break a parser; two minutes each, or FUZZ_S seconds (tests/fuzz)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[fuzz]'
	@nice -n 19 $(BIN)/python tests/fuzz --seconds $${FUZZ_S:-120}

gaps: $(STAMP)  ## write the part of docs/gaps.md that the recordings' gaps make
	@$(BIN)/python tests/contract/gaps.py

record:  ## run the project's own recorded cases on the real runtime again (needs Node)
	@cd tests/contract/record && npm install --silent --no-audit --no-fund && node record.mjs

clean:
	rm -rf $(VENV) .pyworkers .mypy_cache .ruff_cache .pytest_cache

$(STAMP): pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing pyworkers and its tools into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@
