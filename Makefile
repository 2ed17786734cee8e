# make run     install what is needed and start the server with everything it needs (Python 3.11+, nothing else)
# make test    every check and every test, as CI does; sets the machine up first (Debian)
# make check   the static checks alone
# make soak    every fault on real servers, again and again with other seeds (MINUTES=60)
# make bench   every goal beside its yardstick, peers included (ops/bench/README.md)
# make lock    pin every dependency anew from pyproject.toml (UPGRADE=--upgrade for newer versions)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input
LOCKED := $(PIP_INSTALL) --require-hashes --only-binary :all: --requirement
E2E := tests/e2e

.PHONY: install run machine setup check test soak bench lock clean

install: $(VENV)/installed

$(VENV)/installed: requirements-local.lock pyproject.toml
	@PYTHON="$(PYTHON)" ops/make-venv.sh "$(VENV)" >&2
	@$(LOCKED) requirements-local.lock >&2
	@$(PIP_INSTALL) --no-deps --no-build-isolation --editable . >&2
	@touch $@

run: install
	@exec $(BIN)/stackmentor dev

$(VENV)/installed-dev: requirements-dev.lock $(VENV)/installed
	@$(LOCKED) requirements-dev.lock >&2
	@touch $@

$(E2E)/node_modules/installed: $(E2E)/package-lock.json | machine
	cd $(E2E) && npm ci --no-audit --no-fund
	@touch $@

machine:
	@PYTHON="$(PYTHON)" ops/setup-test-machine.sh

setup: machine $(VENV)/installed-dev $(E2E)/node_modules/installed

check: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m ops.contract

test: setup check
	$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder

soak: setup
	$(BIN)/python -m tests.faults --minutes $(or $(MINUTES),60)

bench: $(VENV)/installed-dev
	PYTHON="$(PYTHON)" ops/bench/peers/setup.sh
	$(BIN)/python -m ops.bench

LOCK := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --only-binary :all: \
	--generate-hashes --no-header --group build $(UPGRADE)

lock: $(VENV)/installed-dev
	$(LOCK) --output-file requirements.lock
	$(LOCK) --constraints requirements.lock --extra local --extra load --extra console --output-file requirements-local.lock
	$(LOCK) --constraints requirements-local.lock --extra local --extra load --extra console --group dev --output-file requirements-dev.lock

clean:
	rm -rf $(VENV) $(E2E)/node_modules build dist *.egg-info
