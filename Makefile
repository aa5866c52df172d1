# The commands of this repository. `make demo` and `make test` need Python 3.11 and make only.

PYTHON ?= python3.11
BIN := .venv/bin

.PHONY: help setup demo test check format protos bench clean

help: ## Show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

# Each stamp is as old as the last installation, so that a second call is immediate.
.venv/run.stamp: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing the packages of constraints.txt (once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	@$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[s2]'
	@touch $@

.venv/dev.stamp: .venv/run.stamp
	@echo "Installing what development needs (once) ..."
	@$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@

setup: .venv/dev.stamp ## Make .venv with everything that development needs

demo: .venv/run.stamp ## Find the changes between two simulated Sentinel-2 scenes
	@$(BIN)/eoloom run examples/demo.yaml

# One process for each core; what shares a browser or the Docker engine stays in one of them.
test: .venv/dev.stamp ## Run all tests
	@$(BIN)/python -m pytest -n logical --dist loadgroup

check: .venv/dev.stamp ## Lint, types, layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: .venv/dev.stamp ## Format the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

protos: .venv/dev.stamp ## Regenerate the code of the contracts and the schemas of the parameters
	@$(BIN)/python scripts/gen_protos.py
	@$(BIN)/python scripts/gen_schemas.py

bench: .venv/dev.stamp ## Print the figures of the README
	@$(BIN)/python benchmarks/relay.py
	@$(BIN)/python benchmarks/s2_change_accuracy.py
	@$(BIN)/python benchmarks/s2_change.py

clean: ## Remove the virtual environment and all caches
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .benchmarks
