# Run `make` without a target for the list of targets.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= python3
# Where it is set, each of the many processes of the service and its tests would compile all modules again.
unexport PYTHONDONTWRITEBYTECODE
UV_VERSION := 0.13.9
BIN := .venv/bin
RUN := $(BIN)/python -m localstack.run
INSTALLED := .venv/installed
# checkov needs another version of boto3 than the service.
LINT_INSTALLED := .venv-lint/installed
TEMPLATES := $(foreach database,own proxy given,build/templates/$(database)/cloudformation-template-update-stack.json)
# LocalStack without Docker; it pins other versions of boto3 and cryptography than the service.
LOCALSTACK := .venv-localstack/bin/python
LOCALSTACK_INSTALLED := .venv-localstack/installed
LOCALSTACK_TESTS := tests/e2e/test_uploads.py tests/batch/test_from_outside.py
# npm writes this file when it installs packages.
NODE_INSTALLED := node_modules/.package-lock.json
CONSOLE_INSTALLED := console/node_modules/.package-lock.json
CONSOLE := build/console/index.html
# Without schema.ts, which `npm run check` writes anew.
CONSOLE_SOURCES := $(shell find console -name node_modules -prune -o -type f ! -name schema.ts -print)

.PHONY: help all up up-localstack up-docker down demo logs test coverage test-localstack unit-tests e2e-tests test-deploy lint lint-template lint-workflows format package templates \
	deploy smoke remove build-local-db build-prod-db chaos fuzz faults memory soak redrive audit audit-deps bench bench-batch openapi pin

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

all: lint test package ## Lint, test and package

up: $(INSTALLED) ## Start the service on this machine in the foreground; Ctrl-C stops it
	@$(BIN)/python -m deploy.build_console
	@$(RUN) up

up-localstack: $(INSTALLED) $(LOCALSTACK_INSTALLED) ## Start the service on a real LocalStack without Docker; uploaded files are lost when it stops
	@$(BIN)/python -m deploy.build_console
	@LOCALSTACK_PYTHON="$(CURDIR)/$(LOCALSTACK)" $(RUN) up

up-docker: ## Start the service with LocalStack and Postgres in Docker; Ctrl-C stops it
	docker compose -f localstack/docker-compose.yml up --build

down: $(INSTALLED) ## Stop the service that `make up` started in another terminal
	@$(RUN) down

demo: $(INSTALLED) ## Fill the running service with a month of realistic use
	@$(RUN) demo

logs: $(INSTALLED) ## Follow the log of the running service
	@$(RUN) logs

test: $(INSTALLED) $(NODE_INSTALLED) $(CONSOLE) ## Run all tests against an embedded Postgres, S3 and SQS; WORKERS=6 processes
	$(BIN)/pytest -n $(or $(WORKERS),6)

test-localstack: $(INSTALLED) $(LOCALSTACK_INSTALLED) ## Run the upload and batch tests against a real LocalStack without Docker
	LOCALSTACK_PYTHON="$(CURDIR)/$(LOCALSTACK)" $(BIN)/pytest $(LOCALSTACK_TESTS)

coverage: $(INSTALLED) $(NODE_INSTALLED) $(CONSOLE) ## Run all tests with coverage, processes that they start included; slower than `make test`
	$(BIN)/pytest -n $(or $(WORKERS),6) --cov --cov-report=term

unit-tests: $(INSTALLED) ## Run the tests that need no server
	$(BIN)/pytest tests/unit

e2e-tests: $(INSTALLED) $(NODE_INSTALLED) $(CONSOLE) ## Run the end-to-end tests; URL=https://… runs them against a deployed service
	URL="$(URL)" $(BIN)/pytest tests/e2e

test-deploy: $(INSTALLED) $(NODE_INSTALLED) $(CONSOLE) ## Deploy the whole stack to an emulated cloud, test it, and remove it
	$(BIN)/pytest tests/deploy

lint: $(INSTALLED) $(CONSOLE_INSTALLED) ## Check format, style, types, templates and workflows
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	npm --prefix console run --silent check
	@$(MAKE) --no-print-directory lint-template lint-workflows

# .cfnlintrc and .checkov.yml list the disabled checks with their reasons.
lint-template: $(LINT_INSTALLED) package
	.venv-lint/bin/cfn-lint
	.venv-lint/bin/checkov --config-file .checkov.yml --file $(TEMPLATES) deploy/github_role.yml

lint-workflows: $(LINT_INSTALLED)
	.venv-lint/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	.venv-lint/bin/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	.venv-lint/bin/check-jsonschema --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	.venv-lint/bin/check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/[!c]*.yml
	.venv-lint/bin/zizmor --offline --quiet .github

format: $(INSTALLED) ## Format the code, and apply automatic fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

package: $(INSTALLED) $(NODE_INSTALLED) $(CONSOLE) ## Build the deployable zip and the templates; needs no credentials
	@$(BIN)/python -m deploy.package
	@$(MAKE) --no-print-directory templates

# Production's templates: with the stack's own database, with all its options, and with a given database. The
# template only refers to the URL, so any URL works.
templates: export CONFIG_TYPE = production
templates: $(INSTALLED) $(NODE_INSTALLED)
	AWS_PGSQL_PATH= DATABASE_PROXY= npx --no-install serverless package --package build/templates/own
	AWS_PGSQL_PATH= DATABASE_PROXY=true BUDGET_DOLLARS=50 ALARM_EMAIL=alarms@example.com npx --no-install serverless package --package build/templates/proxy
	AWS_PGSQL_PATH=postgresql://db.example.com DATABASE_PROXY= npx --no-install serverless package --package build/templates/given

deploy: $(INSTALLED) $(NODE_INSTALLED) $(CONSOLE) ## Package, deploy to AWS and migrate; STAGE=… chooses the stage
	@$(BIN)/python -m deploy.validate_settings
	@$(BIN)/python -m deploy.package
	@$(BIN)/python -m deploy.release

smoke: $(INSTALLED) ## Check a deployed service without a charge; URL=https://… CLIENT_PASSWORD=…
	@$(BIN)/python -m deploy.smoke

remove: $(INSTALLED) $(NODE_INSTALLED) ## Remove the deployed stack; STAGE=… chooses it, production needs CONFIRM=its name
	@$(BIN)/python -m deploy.remove

build-local-db: $(INSTALLED) ## Recreate the local database, bucket and queues (deletes all data)
	@$(RUN) reset-db

build-prod-db: $(INSTALLED) ## Migrate and seed the database at db=postgresql://… with production's checks
	@test -n "$(db)" || { echo "Set the database: make build-prod-db db=postgresql://user:password@host/name"; exit 2; }
	@$(BIN)/python -m deploy.build_database "$(db)"

chaos: $(INSTALLED) ## Kill the worker at every step of a file, then run random actions; KILLS=200 MINUTES=10 SEED=…
	@$(BIN)/python -m tests.batch.chaos --kills $(or $(KILLS),200) $(if $(SEED),--seed $(SEED))
	@$(BIN)/python -m tests.machine --minutes $(or $(MINUTES),10) $(if $(SEED),--seed $(SEED))

faults: $(INSTALLED) ## Break the database, bucket, queue, disk and random.org during calls; includes the slow tests
	@$(BIN)/pytest tests/faults tests/client/cli/test_kills.py -m "slow or not slow"

fuzz: $(INSTALLED) ## Fuzz the API from its OpenAPI document, signed out, as client and as admin; SEED=… EXAMPLES=200
	@$(BIN)/python -m tests.fuzz.run --examples $(or $(EXAMPLES),200) $(if $(SEED),--seed $(SEED))

memory: $(INSTALLED) ## Measure the worker's peak memory by file size; ROWS="100000 5000000"
	@$(BIN)/python -m tests.batch.memory $(or $(ROWS),100000 1000000)

soak: $(INSTALLED) ## Run mixed traffic of many users under faults; MINUTES=10, SEED=… repeats a run
	@$(BIN)/python -m tests.soak.soak --minutes $(or $(MINUTES),10) $(if $(SEED),--seed $(SEED))

redrive: $(INSTALLED) ## Move messages from the dead-letter queue to the work queue; STAGE=… on AWS
	@$(if $(STAGE),,$(RUN) exec) $(BIN)/python -m deploy.redrive

audit: $(INSTALLED) ## Check that balances and usage match the ledger; STAGE=… on AWS
	@$(if $(STAGE),$(BIN)/python -m deploy.audit,$(RUN) audit)

bench: $(INSTALLED) $(CONSOLE) ## Run all benchmarks and write docs/results/performance-tables.md; takes half an hour
	$(BIN)/python -m benchmarks.cold_start
	$(BIN)/python -m benchmarks.sign_in
	$(BIN)/python -m benchmarks.charge
	$(BIN)/python -m benchmarks.unprepared
	$(BIN)/python -m benchmarks.memory
	$(BIN)/python -m benchmarks.lists
	$(BIN)/python -m benchmarks.load
	$(BIN)/python -m benchmarks.gateway $${BEFORE:+--before $$BEFORE}
	$(BIN)/python -m benchmarks.start $${BEFORE:+--before $$BEFORE}
	@$(MAKE) --no-print-directory bench-batch
	$(BIN)/python -m benchmarks.capacity
	$(BIN)/python -m benchmarks.cost

audit-deps: $(INSTALLED) ## Check the pinned packages for known vulnerabilities; fails if a database is unreachable
	@$(BIN)/python -m deploy.vulnerabilities

bench-batch: $(INSTALLED) ## Compare the batch with psql's COPY; ROWS=1000000 ROUNDS=3 BEFORE=an earlier commit
	$(BIN)/python -m benchmarks.batch --rows $${ROWS:-1000000} --rounds $${ROUNDS:-3} $${BEFORE:+--before $$BEFORE}

openapi: $(INSTALLED) ## Generate docs/openapi.json, the SQL of lists, the console's password policy, and tables and pages of docs/
	@$(BIN)/python -m docs.openapi
	@$(BIN)/python -m deploy.compile_lists
	@$(BIN)/python -m deploy.password_policy
	@$(BIN)/python -m docs.tables
	@$(BIN)/python -m docs.settings
	@$(BIN)/python -m docs.command_line
	@$(BIN)/python -m tests.support.access_matrix --write

pin: $(INSTALLED) ## Pin the newest versions that the requirements allow
	$(BIN)/uv pip compile -q --no-header --python-version 3.11 --universal --upgrade requirements.in -o requirements.txt
	$(BIN)/uv pip compile -q --no-header --python-version 3.11 --universal --upgrade requirements-dev.in client/pyproject.toml -o requirements-dev.txt
	$(BIN)/uv pip compile -q --no-header --python-version 3.11 --universal --upgrade requirements-lint.in -o requirements-lint.txt
	$(BIN)/uv pip compile -q --no-header --python-version 3.11 --universal --upgrade requirements-localstack.in -o requirements-localstack.txt

# Compile byte code once: without it every start takes three times as long.
$(INSTALLED): requirements-dev.txt client/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is required. Choose one with PYTHON=, for example: make up PYTHON=python3.12"; exit 1; }
	@echo "creating the virtual environment (once) …"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(BIN)/uv pip sync --python $(BIN)/python --compile-bytecode requirements-dev.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable client
	@touch $@

$(LINT_INSTALLED): requirements-lint.txt | $(INSTALLED)
	@$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python .venv-lint
	@$(BIN)/uv pip sync --quiet --python .venv-lint/bin/python --compile-bytecode requirements-lint.txt
	@touch $@

$(LOCALSTACK_INSTALLED): requirements-localstack.txt | $(INSTALLED)
	@$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python .venv-localstack
	@$(BIN)/uv pip sync --quiet --python $(LOCALSTACK) --compile-bytecode requirements-localstack.txt
	@touch $@

# The Serverless CLI, newman, and the generators of TypeScript clients.
$(NODE_INSTALLED): package-lock.json
	npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(CONSOLE_INSTALLED): console/package-lock.json
	@echo "installing the console's packages (once) …"
	@npm --prefix console ci --no-audit --no-fund --loglevel=error
	@touch $@

$(CONSOLE): $(CONSOLE_SOURCES) docs/openapi.json $(CONSOLE_INSTALLED)
	@echo "building the console …"
	@npm --prefix console run --silent build

# The console's build writes its page before it compresses the files.
.DELETE_ON_ERROR:
