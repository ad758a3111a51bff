.DEFAULT_GOAL := help
PYTHON ?= python3

.PHONY: help
help: ## Show this help
	@awk 'BEGIN {FS = ":.*## "} /^##@ / {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z0-9-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ The stack

.PHONY: up
up: ## Set up and start everything, the first time and every time
	@listener/scripts/up

.PHONY: down
down: ## Stop and remove the containers; the data stays
	@listener/scripts/compose down

.PHONY: restart
restart: ## Bring every edit of settings, configuration and secrets into effect
	@listener/scripts/up --recreate

.PHONY: setup
setup: ## Make .env, folders and passwords, without starting anything
	@listener/scripts/setup

.PHONY: logs
logs: ## Follow what broker and listener say (Ctrl-C ends it)
	@listener/scripts/compose logs --tail 50 --follow

.PHONY: status
status: ## Show containers, connection, last message, sensors and sizes
	@listener/scripts/compose ps
	@listener/scripts/compose exec -T listener ecc-listener status

.PHONY: sql
sql: ## Look into the database and its newest archives with SQL, without changing anything
	@listener/scripts/sql

.PHONY: backup
backup: ## Copy database and settings to data/backup now; SECRETS=yes takes the passwords, too
	@listener/scripts/backup $(if $(filter yes,$(SECRETS)),--with-secrets)

.PHONY: restore
restore: ## Put a backup back, after asking: FILE=data/backup/...; MERGE=yes, YES=yes
	@listener/scripts/restore "$(FILE)" $(if $(filter yes,$(YES)),--yes) $(if $(filter yes,$(MERGE)),--merge)

.PHONY: export
export: ## Write readings to standard output: make export OPTIONS="--from 2026-03-01" >march.csv
	@listener/scripts/compose exec -T listener ecc-listener export $(OPTIONS)

.PHONY: recover
recover: ## Read what can be read of a damaged database that was moved aside
	@listener/scripts/compose exec -T listener ecc-listener recover

.PHONY: replay
replay: ## Decode what was no reading again, after an update that understands more
	@listener/scripts/compose exec -T listener ecc-listener replay

.PHONY: add-sensor
add-sensor: ## Give a sensor a user of its own at the broker: NAME=...
	@listener/scripts/add-sensor "$(NAME)"

.PHONY: test-mail
test-mail: ## Send one test mail, or say what keeps it from being sent
	@listener/scripts/compose run --rm --no-deps -T listener test-mail

.PHONY: simulate
simulate: ## Play sensors against the running stack (Ctrl-C ends it); OPTIONS="--sensors 20 ..."
	@listener/scripts/simulate $(OPTIONS)

.PHONY: base-images
base-images: ## Make stand-ins for the official images from Debian's packages
	@listener/scripts/base-images

##@ Without Docker

.PHONY: demo
demo: .venv/bin/ecc-listener ## Show it all: broker, listener and simulated rooms
	@.venv/bin/ecc-listener demo

##@ Development

.PHONY: venv
venv: .venv/bin/ecc-listener ## Install the program for this user into .venv

.venv/bin/ecc-listener: listener/requirements-demo.txt listener/pyproject.toml
	@listener/scripts/venv $(PYTHON) listener/requirements-demo.txt
	@touch $@

.venv/.dev: .venv/bin/ecc-listener listener/requirements-dev.txt
	@listener/scripts/venv $(PYTHON) listener/requirements-dev.txt
	@touch $@

.venv/.bench: .venv/.dev listener/requirements-bench.txt
	@listener/scripts/venv $(PYTHON) listener/requirements-bench.txt
	@touch $@

.PHONY: test
test: test-setup .venv/.dev lint ## Run the checks and all tests; as root this installs what they need
	@listener/scripts/test

.PHONY: test-setup
test-setup:
	@listener/scripts/test-setup

.PHONY: lint
lint: .venv/.dev ## Check style, types, scripts, compose file and Dockerfile
	@listener/scripts/lint

.PHONY: bench
bench: .venv/.bench ## Measure speed, size and quiet, each beside a reference (20 minutes)
	@.venv/bin/python listener/benchmarks/bench.py $(PARTS)

.PHONY: faults
faults: test-setup .venv/.dev ## Run the long matrix of faults (an hour); CYCLES=10 for a tenth of it
	@cd listener/tests && PYTHONPATH=stack ../../.venv/bin/python -m faults $(PARTS)
