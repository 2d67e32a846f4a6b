# `make demo` brings a venue to life; `make test` proves that it counts. Both install what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: demo test check fmt clean faults

demo: $(VENV)/.installed
	@exec $(BIN)/gatepulse demo $(ARGS)

test: $(VENV)/.installed-test
	@sh infra/install-browser.sh
	@sh infra/install-faketime.sh
	@sh infra/install-prometheus.sh
	@$(BIN)/python -m infra.kafka.install
	$(MAKE) check
	$(BIN)/python -m pytest $(ARGS)

faults: $(VENV)/.installed-test
	@sh infra/install-browser.sh
	@sh infra/install-faketime.sh
	@$(BIN)/python -m infra.kafka.install
	@exec $(BIN)/python -m tests.faults $(ARGS)

check: $(VENV)/.installed-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: $(VENV)/.installed-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(VENV)/.installed: pyproject.toml infra/check_python.py
	@$(PYTHON) infra/check_python.py
	@$(PYTHON) -m venv $(VENV)
	@echo "Installing gatepulse into $(VENV) (once) ..." >&2
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --editable . 1>&2
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --editable '.[test]'
	@touch $@

clean:
	rm -rf $(VENV) .demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
