# make app: the app on http://localhost:8501.  make test: lint and every test.  make help: the rest.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV ?= .venv
PORT ?= 8501
# The first of these that is new enough makes the environment; PYTHON=/path/to/python names another.
PYTHON ?= python3 python3.14 python3.13 python3.12 python3.11 python
PY := $(VENV)/bin/python
PIP := $(PY) -m pip install --quiet --disable-pip-version-check --no-input
# The exact versions that were tested; `make newest` installs whatever the ranges allow instead.
EXACT ?= --constraint constraints.txt
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))

# A file's tests run in one process from beginning to end, because they share what they compute. Browser tests wait a
# third of their time for a clock: one process more than cores (at most four) leaves no core idle. Files come in their
# order, the browser's last (tests/conftest.py). More threads than cores only wait for one another.
check: export OMP_NUM_THREADS ?= 1
check: export OMP_WAIT_POLICY ?= PASSIVE
# Containers often forbid it: then each process compiles everything anew, which is half of what collecting takes.
check: export PYTHONDONTWRITEBYTECODE =
export STREAMLIT_BROWSER_GATHER_USAGE_STATS := false

.PHONY: help app test check lint format newest constraints wheel bench bench-app soak crowd attack gpu-check \
        extras-check screenshots browser clean

help:  ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

app: $(VENV)/.app  ## installs what is missing and starts the app (PORT=8501)
	@$(PY) -m streamlit run app/server.py --server.address localhost --server.port $(PORT) --server.headless true

test: $(VENV)/.dev browser lint check  ## installs what is missing, then lint and every test

check: $(VENV)/.dev  ## every test, without lint
	@$(PY) -m pytest --numprocesses $$($(PY) -c "import os; print(min(4, (os.cpu_count() or 1) + 1))") --dist loadfile \
	  --no-loadscope-reorder </dev/null

lint: $(VENV)/.dev  ## ruff and mypy
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy

format: $(VENV)/.dev  ## puts the code into the house's form
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

newest:  ## every test with the newest versions that the ranges allow, in an environment of its own
	@rm -f .venv-newest/.app .venv-newest/.dev
	@$(MAKE) --no-print-directory VENV=.venv-newest EXACT="--upgrade --upgrade-strategy eager" test

constraints: $(VENV)/.dev  ## constraints.txt anew, from what is installed: only after the tests have passed with it
	@$(PY) scripts/constraints.py > constraints.txt

wheel: $(VENV)/.dev  ## dist/*.whl with library, app, checkpoint and labels
	@rm -rf build dist  # setuptools would pack what an earlier build left there; dist/*.whl is to be one file
	@$(PY) -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .
	@ls -l dist/*.whl

bench: $(VENV)/.dev  ## speed beside torchvision's network on this machine
	@$(PY) -m tests.benchmarks

bench-app: $(VENV)/.dev browser  ## from upload to answer and from click to picture, in a browser
	@$(PY) -m tests.benchmarks app

# As many threads as the image has.
soak crowd attack: export OMP_NUM_THREADS ?= 2
soak crowd attack: export OMP_WAIT_POLICY ?= PASSIVE

soak: $(VENV)/.dev  ## 1,000 looks with explanations in 50 sessions: does anything grow?
	@$(PY) -m tests.endurance soak

crowd: $(VENV)/.dev  ## 30 visitors for a minute: errors, answers mixed up, waiting
	@$(PY) -m tests.endurance crowd

attack: $(VENV)/.dev  ## odd and hostile files, then 100,000 fuzzed photos; goes on where it was stopped
	@$(PY) -W ignore -m tests.endurance attack

gpu-check: $(VENV)/.app  ## a GPU's results and speed beside the CPU's
	@$(PY) scripts/gpu_check.py

extras-check: export INCEPTIONSCOPE_EXTRAS := 1
extras-check: $(VENV)/.dev  ## installs the extras ray and umap, and tests what needs them
	@$(PIP) -r requirements.txt -r requirements-ray.txt -r requirements-umap.txt $(EXACT)
	@$(PY) -m pytest tests/examples/test_extras.py

screenshots: $(VENV)/.dev browser  ## docs/screenshots anew, from the running app, and README's moving picture
	@$(PY) scripts/screenshots.py
	@$(PY) scripts/animation.py

browser: $(VENV)/.dev
	@$(PY) -m tests.e2e.browser --install

clean:  ## removes the environment and every cache
	rm -rf $(VENV) .venv-newest .pytest_cache .mypy_cache .ruff_cache build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps make a second call start at once; they are older than a requirements file that has changed.
$(VENV)/bin/python:
	@for python in $(PYTHON); do \
	  version=$$("$$python" -V 2>/dev/null) || continue; \
	  "$$python" -c '$(NEW_ENOUGH)' 2>/dev/null || { found="$${found:+$$found, }$$version"; continue; }; \
	  "$$python" -c 'import venv, ensurepip' 2>/dev/null || { no_venv="$$python"; continue; }; \
	  echo "Making $(VENV) with $$("$$python" -V) ..."; \
	  "$$python" -m venv $(VENV); \
	  exit 0; \
	done; \
	if [ -n "$${no_venv:-}" ]; then \
	  echo "$$no_venv has no venv module. On Debian and Ubuntu: apt-get install python3-venv" >&2; \
	else \
	  echo "InceptionScope needs Python 3.11 or newer; found: $${found:-none}." >&2; \
	  echo "Install one, or name it: make PYTHON=/path/to/python3.12 app" >&2; \
	fi; \
	exit 1

$(VENV)/.app: requirements.txt constraints.txt | $(VENV)/bin/python
	@echo "Installing requirements.txt (PyTorch is large: this takes some minutes the first time) ..."
	@$(PIP) -r requirements.txt $(EXACT)
	@touch $@

$(VENV)/.dev: requirements-dev.txt requirements.txt constraints.txt $(VENV)/.app
	@echo "Installing requirements-dev.txt ..."
	@$(PIP) -r requirements.txt -r requirements-dev.txt $(EXACT)
	@touch $@
