# `make run` and `make test` do all their own set-up: a folder .venv with exactly what the locks name, hash by hash.
# The second time a stamp, named after the hash of the lock, says that nothing is to be done.

PYTHON       ?= python3
PORT         ?= 8000
DEMO_PORT    ?= 8001
CONSOLE_PORT ?= 8002
# One test process more than cores, as some of the tests wait; each brings its own PostgreSQL and, for some tests, a browser.
WORKERS      ?= $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1); [ "$$n" -gt 7 ] && n=7; echo "$$((n + 1))")

VENV := .venv
BIN  := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help run test lint bench build lock env env-dev

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: env ## A demo wallet, watched, with its status page: http://127.0.0.1:8000 (PORT, DEMO_PORT, CONSOLE_PORT)
	@PORT=$(PORT) DEMO_PORT=$(DEMO_PORT) CONSOLE_PORT=$(CONSOLE_PORT) exec $(BIN)/statuspage serve --demo

test: env-dev ## All tests, with coverage at the end (ARGS="tests/web -k name" for some)
	@scripts/test-setup
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --cov --cov-report=term $(ARGS)

lint: env-dev ## ruff (every rule but the explained exceptions) and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: env-dev ## Benchmarks beside a peer or a floor (NAME=probe_http for one)
	$(BIN)/python -m bench $(NAME)

build: env-dev ## Wheel and source archive in dist/
	$(BIN)/python -m build --no-isolation

env:
	@PYTHON="$(PYTHON)" scripts/setup requirements.lock

env-dev:
	@PYTHON="$(PYTHON)" scripts/setup requirements-dev.lock

# Resolves anew from pyproject.toml, for every platform, and writes each file's hash. Review the difference like code.
lock: ## Renew the locks (needs uv; see scripts/lock)
	@scripts/lock
