# Every target sets up what it needs: Python 3.11 or newer and a reachable package index are enough for make test.
# make test ARGS="tests/core -k batch" runs a part.

DEV := .venv-dev/bin/python
PYTEST = $(DEV) -m pytest -q
ARGS ?=

# Says which files, with which content, the tests were run on; empty outside a git checkout.
TREE = git ls-files -co --exclude-standard -z 2>/dev/null | xargs -0 -r sha256sum 2>/dev/null | sha256sum
PASSED := .venv-dev/tests-passed

.DEFAULT_GOAL := help

.PHONY: help
help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | \
		while IFS="$$(printf '\t')" read -r name text; do printf '  %-14s %s\n' "$$name" "$$text"; done

.PHONY: serve demo
serve: ## Run the server here (ARGS="--port 9000")
	@./ordermill serve $(ARGS)

demo: ## Run the server and send it the documented examples of all three contracts
	@./ordermill demo $(ARGS)

.PHONY: dev-env
dev-env: # makes .venv-dev when there is none, or when its lock file changed
	@./ordermill --dev-python >/dev/null

# Two workers, and each file in one of them: servers and databases that a file starts are started once.
.PHONY: test
test: dev-env ## Run the tests (what takes long has targets of its own)
	@rm -f $(PASSED)
	$(PYTEST) -m "not long" -n 2 --dist loadfile $(ARGS)
	$(if $(ARGS),,@$(TREE) >$(PASSED))

# CI runs make test, then make check: on the very same files the tests are not run a second time there.
.PHONY: check
check: lint types imports ## Everything CI asks for: lint, format, types, import rules, tests
	@if [ "$$CI" = true ] && git rev-parse --git-dir >/dev/null 2>&1 && [ "$$($(TREE))" = "$$(cat $(PASSED) 2>/dev/null)" ]; \
	then echo "tests: passed a moment ago on these very files, not run again"; \
	else $(MAKE) test; fi

.PHONY: lint format types imports
lint: dev-env ## Lint and format check
	$(DEV) -m ruff check .
	$(DEV) -m ruff format --check .

format: dev-env ## Mend what the linter and the formatter can mend by themselves
	$(DEV) -m ruff check --fix .
	$(DEV) -m ruff format .

types: dev-env ## Type check
	$(DEV) -m mypy

imports: dev-env ## Who may import whom
	PYTHONPATH=src $(DEV) -c "from importlinter.cli import lint_imports_command; lint_imports_command()"

.PHONY: bench crash fuzz clients console-test
bench: dev-env ## Measure throughput and latency (ARGS passes options on)
	PYTHONPATH=src $(DEV) -m bench $(ARGS)

crash: dev-env ## Kill the server at every stage of a batch and count the orders again
	$(PYTEST) tests/crash -m long $(ARGS)

fuzz: dev-env ## Long property-based and schema-driven runs
	$(PYTEST) tests -m long --ignore=tests/crash $(ARGS)

clients: dev-env ## Drive the server with the official clients of the three contracts
	$(PYTEST) -m clients $(ARGS)

console-test: dev-env ## Drive the console in a real browser
	$(PYTEST) -m browser $(ARGS)

# No index address goes into the files: whoever installs uses the index their own machine is set up for.
# Versions that still fit are kept; make lock ARGS=--upgrade takes the newest.
COMPILE = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-annotate --no-header $(ARGS)
.PHONY: lock
lock: ## Write both lock files anew from pyproject.toml (needs uv)
	$(COMPILE) pyproject.toml --output-file requirements.lock
	$(COMPILE) pyproject.toml --group dev --constraints requirements.lock --output-file requirements-dev.lock

.PHONY: sbom audit
sbom: dev-env ## Write sbom.json: every locked package with its hashes (CycloneDX)
	$(DEV) deploy/sbom.py sbom.json

audit: ## Ask the vulnerability database about every locked package (needs pip-audit and a network)
	pip-audit --requirement requirements.lock --require-hashes --disable-pip

.PHONY: clean
clean: ## Remove what is made here, not your data
	rm -rf .venv .venv-dev .venv.lock .venv-dev.lock build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis \
		.import_linter_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
