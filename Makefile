# Two commands matter: `make run` and `make test`. Everything they need is installed into .venv.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
INSTALLED_DEV := .venv/.installed-dev
# Processes that tests start would compile all modules again, each of them.
unexport PYTHONDONTWRITEBYTECODE
# In two processes, since the smallest machine has two cores. Slow tests wait for servers most of the time; those
# that share them stay together (tests/scheduling.py).
PYTEST_FAST = $(BIN)/python -m pytest -m "not slow and not faults" -n 2 --dist worksteal $(ARGS)
PYTEST_SLOW = $(BIN)/python -m pytest -m "slow and not faults" -n 2 --dist loadfile $(ARGS)

.DEFAULT_GOAL := help
.PHONY: help run test test-fast test-faults browser lint format docs protos evaluate bench bench-ranking bench-gpu bench-scale gpu clean

help: ## Show the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-14s %s\n", $$1, $$2}'

run: $(INSTALLED) ## Build what is missing, start everything, print an answer; DATA=<folder> for your own files
	@exec $(BIN)/shopfront run $(if $(DATA),--data "$(DATA)") $(ARGS)

test: $(INSTALLED_DEV) ## Run the tests: every behaviour once, with real servers (under 20 minutes)
	$(PYTEST_FAST) || test $$? -eq 5 # 5: none of the tests that ARGS names is of this kind
	$(PYTEST_SLOW) || test $$? -eq 5

test-fast: $(INSTALLED_DEV) ## Run the tests that start no service and train nothing (under two minutes)
	$(PYTEST_FAST)

test-faults: $(INSTALLED_DEV) ## Run the long series of faults and attacks, which make test samples
	$(BIN)/python -m pytest -m faults $(ARGS)

browser: ## Install Chromium for the tests of the console, where it is missing and apt-get may
	@{ command -v chromium && command -v chromedriver; } >/dev/null || { \
	  test "$$(id -u)" = 0 && export DEBIAN_FRONTEND=noninteractive && timeout 300 apt-get update -qq && \
	  timeout 600 apt-get install -qq -y --no-install-recommends chromium chromium-driver >/dev/null; } || \
	  echo "No Chromium: the tests of the console in a browser will be skipped." >&2

lint: $(INSTALLED_DEV) ## Check style, formatting, types and imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo

format: $(INSTALLED_DEV) ## Sort imports, fix what can be fixed, and format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(INSTALLED_DEV) ## Write the generated parts of docs/, config/ and deploy/
	$(BIN)/python -m docs.rooms_table
	$(BIN)/python -m docs.item_columns_table
	$(BIN)/python -m docs.event_kinds_table
	$(BIN)/python -m docs.scene_settings_page
	$(BIN)/shopfront config > config/shopfront.yaml.new && mv config/shopfront.yaml.new config/shopfront.yaml
	cp config/scenes.yaml config/experiments.yaml deploy/kubernetes/base/config/

protos: $(INSTALLED_DEV) ## Generate Python from protos/
	$(BIN)/python -m protos.generate

evaluate: $(INSTALLED) ## Print the evaluation table; DATA=<folder> for your own files
	@$(BIN)/shopfront evaluate $(if $(DATA),--data "$(DATA)") $(ARGS)

bench: $(INSTALLED_DEV) ## Measure the service against a plain peer
	$(BIN)/python -m benchmarks.end_to_end $(ARGS)

bench-ranking: $(INSTALLED_DEV) ## Measure every form of the ranking model against a plain deployment of it
	$(BIN)/python -m benchmarks.ranking $(ARGS)

bench-gpu: $(INSTALLED_DEV) ## Run the GPU tests and measure ranking and search on a GPU (under 8 minutes)
	$(BIN)/python -m benchmarks.gpu $(ARGS)

gpu: $(INSTALLED) ## Install what an NVIDIA GPU is used by, in place of the same for CPUs
	$(BIN)/pip uninstall --disable-pip-version-check -q -y faiss-cpu onnxruntime
	$(BIN)/pip install --disable-pip-version-check -q -r requirements-gpu.txt

bench-scale: $(INSTALLED_DEV) ## Measure how everything grows, from 10,000 items to ten million (hours; goes on where it ended)
	$(BIN)/python -m benchmarks.scale $(ARGS)

clean: ## Remove everything built (data sets, models, state), keeping .venv
	rm -rf build

.venv/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else "Shopfront needs Python 3.11 to 3.13 and found %d.%d; name another with make PYTHON=python3.12" % v)'
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "python3 cannot make virtual environments; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }

$(INSTALLED): requirements.txt requirements-triton.txt requirements-sample.txt constraints.txt pyproject.toml | .venv/bin/python
	$(BIN)/pip install --disable-pip-version-check --progress-bar on -q -r requirements.txt -c constraints.txt
	$(BIN)/pip install --disable-pip-version-check -q --no-deps -r requirements-triton.txt -r requirements-sample.txt
	$(BIN)/pip install --disable-pip-version-check -q --no-deps --no-build-isolation --config-settings editable_mode=compat -e .
	@touch $@

$(INSTALLED_DEV): requirements-dev.txt $(INSTALLED)
	$(BIN)/pip install --disable-pip-version-check -q -r requirements-dev.txt -c constraints.txt
	@touch $@
