.DEFAULT_GOAL := help
PYTHON ?= python3

.PHONY: help
help: ## Show this help
	@awk 'BEGIN {FS = ":.*## "} /^##@ / {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Development

.PHONY: venv
venv: .venv/bin/ecc-listener ## Install the program for this user into .venv

.venv/bin/ecc-listener: listener/requirements-demo.txt listener/pyproject.toml
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet --require-hashes -r listener/requirements-demo.txt
	.venv/bin/pip install --quiet --no-deps --no-build-isolation -e listener
	@touch $@

.venv/.dev: .venv/bin/ecc-listener listener/requirements-dev.txt
	.venv/bin/pip install --quiet --require-hashes -r listener/requirements-dev.txt
	@touch $@

.PHONY: test
test: .venv/.dev ## Run the tests
	cd listener && ../.venv/bin/pytest

.PHONY: lint
lint: .venv/.dev ## Check style and types
	cd listener && ../.venv/bin/ruff check . && ../.venv/bin/ruff format --check . && ../.venv/bin/mypy
