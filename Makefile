# `make demo` brings a venue to life; `make test` proves that it counts. Both install what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PEERS := .venv-bench
PEERS_LIST := tests/benchmarks/peers/requirements.txt
ARGS ?=

.PHONY: demo test pytest check fmt clean faults nightly bench

demo: $(VENV)/.installed
	@exec $(BIN)/gatepulse demo $(ARGS)

test: $(VENV)/.installed-test
	@sh infra/install-browser.sh
	@sh infra/install-faketime.sh
	@sh infra/install-prometheus.sh
	@$(BIN)/python -m infra.servers.kafka
	@$(MAKE) --no-print-directory --jobs 2 --keep-going check pytest

# One process has the tests with plants of servers, two have all others, which wait a lot: see tests/conftest.py.
pytest: $(VENV)/.installed-test
	$(BIN)/python -m pytest --numprocesses 3 $(ARGS)

faults: $(VENV)/.installed-test
	@sh infra/install-browser.sh
	@sh infra/install-faketime.sh
	@$(BIN)/python -m infra.servers.kafka
	@exec $(BIN)/python -m tests.faults $(ARGS)

# Everything that takes long, in a night; `make nightly ARGS="--minutes 10 --quick"` in two hours.
nightly: $(VENV)/.installed-test
	@sh infra/install-browser.sh
	@sh infra/install-faketime.sh
	@$(BIN)/python -m infra.servers.kafka
	@exec $(BIN)/python -m tests.nightly $(ARGS)

bench: $(VENV)/.installed-test $(PEERS)/.installed
	@$(BIN)/python -m infra.servers.kafka
	@exec $(BIN)/python -m tests.benchmarks.peers --publish $(ARGS)

check: $(VENV)/.installed-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: $(VENV)/.installed-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(VENV)/.installed: pyproject.toml infra/doctor/check_python.py
	@$(PYTHON) infra/doctor/check_python.py
	@$(PYTHON) -m venv $(VENV)
	@echo "Installing gatepulse into $(VENV) (once) ..." >&2
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --editable . 1>&2
	@$(BIN)/python -m infra.doctor.compile_kernels
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --editable '.[test]'
	@touch $@

$(PEERS)/.installed: $(PEERS_LIST)
	@$(PYTHON) infra/doctor/check_python.py
	@$(PYTHON) -m venv $(PEERS)
	@echo "Installing the peers into $(PEERS) (once) ..." >&2
	@$(PEERS)/bin/python -m pip install --disable-pip-version-check --quiet --requirement $(PEERS_LIST) 1>&2
	@touch $@

clean:
	rm -rf $(VENV) $(PEERS) .demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
