.DEFAULT_GOAL := help
PYTHON ?= python3

# What you type for a variable goes to the scripts as it is: neither make nor a shell interprets it.
export GIVEN_NAME = $(value NAME)
export GIVEN_SENSOR = $(value SENSOR)
export GIVEN_FOR = $(value FOR)
export GIVEN_FILE = $(value FILE)
export GIVEN_OPTIONS = $(value OPTIONS)
unexport NAME SENSOR FOR FILE OPTIONS OFF YES MERGE SECRETS JSON

.PHONY: help
help: ## Show this help
	@awk 'BEGIN {FS = ":.*## "} /^##@ / {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z0-9-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ The stack

.PHONY: up
up: ## Set up and start everything, the first time and every time
	@listener/scripts/up

.PHONY: down
down: ## Stop and remove the containers; the data stays
	@listener/scripts/compose down

.PHONY: restart
restart: ## Apply every edit of settings, configuration and secrets
	@listener/scripts/up --recreate

.PHONY: setup
setup: ## Create .env, folders and passwords, without starting anything
	@listener/scripts/setup

.PHONY: logs
logs: ## Follow the logs of the containers (Ctrl-C ends it)
	@listener/scripts/compose logs --tail 50 --follow

.PHONY: status
status: ## Show containers, connection, last message, sensors and sizes
	@listener/scripts/compose ps
	@listener/scripts/compose exec -T listener ecc-listener status

.PHONY: doctor
doctor: ## Look at every part, and say what is broken and what to do; JSON=yes
	@listener/scripts/doctor $(if $(filter yes,$(value JSON)),--json)

.PHONY: sql
sql: ## Open a read-only SQL shell over the database and its newest archives
	@listener/scripts/sql

.PHONY: backup
backup: ## Back up database and settings to data/backup now; SECRETS=yes includes passwords
	@listener/scripts/backup $(if $(filter yes,$(value SECRETS)),--with-secrets)

.PHONY: restore
restore: ## Restore a backup, after asking: FILE=data/backup/...; MERGE=yes, YES=yes
	@listener/scripts/restore "$$GIVEN_FILE" $(if $(filter yes,$(value YES)),--yes) $(if $(filter yes,$(value MERGE)),--merge)

.PHONY: export
export: ## Write readings to standard output: make export OPTIONS="--from 2026-03-01" >march.csv
	@listener/scripts/with-options listener/scripts/compose exec -T listener ecc-listener export

.PHONY: recover
recover: ## Recover what can be read from a damaged database that was moved aside
	@listener/scripts/compose exec -T listener ecc-listener recover

.PHONY: replay
replay: ## Decode rejected messages again, after an update
	@listener/scripts/compose exec -T listener ecc-listener replay

.PHONY: add-sensor
add-sensor: ## Give a sensor its own account at the broker: NAME=...
	@listener/scripts/accounts add "$$GIVEN_NAME"

.PHONY: remove-sensor
remove-sensor: ## Remove a sensor's account at the broker, and end its connection: NAME=...
	@listener/scripts/accounts remove "$$GIVEN_NAME"

.PHONY: list-sensors
list-sensors: ## Show the accounts at the broker: last reading, and last address
	@listener/scripts/accounts list

.PHONY: rotate-password
rotate-password: ## Give an account at the broker a new password: NAME=... (NAME=sensor: the shared one)
	@listener/scripts/accounts rotate "$$GIVEN_NAME"

.PHONY: mute
mute: ## Send nothing about a sensor or location for a while: SENSOR=... FOR=8h; OFF=yes
	@listener/scripts/mute $(if $(filter yes,$(value OFF)),--off)

.PHONY: test-mail
test-mail: ## Send one test mail, or say what prevents it
	@listener/scripts/compose run --rm --no-deps -T listener test-mail

.PHONY: simulate
simulate: ## Publish readings of simulated sensors (Ctrl-C ends it); OPTIONS="--sensors 20 ..."
	@listener/scripts/with-options listener/scripts/simulate

.PHONY: base-images
base-images: ## Build replacements for the official images from Debian's packages
	@listener/scripts/base-images

##@ Without Docker

.PHONY: demo
demo: .venv/bin/ecc-listener ## See it all without Docker: broker, listener, page and simulated rooms
	@.venv/bin/ecc-listener demo

##@ Development

.PHONY: venv
venv: .venv/bin/ecc-listener ## Install the program into .venv

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
test: test-setup .venv/.dev lint ## Run all checks and tests; as root this installs what they need
	@listener/scripts/test

.PHONY: test-setup
test-setup:
	@listener/scripts/test-setup

.PHONY: lint
lint: .venv/.dev ## Check style, types, scripts, compose file and Dockerfile
	@listener/scripts/lint

.PHONY: bench
bench: .venv/.bench ## Measure speed, memory and disk use against references (20 minutes)
	@.venv/bin/python listener/benchmarks/bench.py $(PARTS)

.PHONY: faults
faults: test-setup .venv/.dev ## Run the long fault matrix (an hour); CYCLES=10 runs a tenth of it
	@cd listener/tests && PYTHONPATH=stack ../../.venv/bin/python -m faults $(PARTS)
