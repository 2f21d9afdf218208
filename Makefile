# make run: set everything up and run the whole pipeline on real images.
# make test: set everything up, check style, run the tests.
BIN := .venv/bin
# Processes that run tests. Each takes some 3 GB with what it starts; make test WORKERS=4
WORKERS ?= 3

.DEFAULT_GOAL := help
.PHONY: help run test check setup lock format docs clean

help: ## say what there is
	@sed -nE 's/^([a-z]+):.*## (.*)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

run: setup ## set up, write the digits, run the whole pipeline on them
	@$(BIN)/effnet demo-data digits demo/digits
	@$(BIN)/effnet run configs/digits.yaml

test: check ## set up, check style, run the tests
	@$(BIN)/python -m pytest tests -n $(WORKERS) --dist loadfile --no-loadscope-reorder

check: setup ## set up, check style (ruff, hadolint) and that what `make docs` writes is up to date
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/hadolint kubeflow/Dockerfile kubeflow/Dockerfile.gpu
	@$(BIN)/python -W ignore tools/config_docs.py --check
	@$(BIN)/python -W ignore tools/lineage_schema.py --check

docs: setup ## write docs/config.md and the JSON schema of records from their classes
	@$(BIN)/python -W ignore tools/config_docs.py
	@$(BIN)/python -W ignore tools/lineage_schema.py

setup: ## set up .venv; at once when it is up to date
	@tools/setup.sh

format: setup ## mend what ruff can mend
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

lock: ## resolve constraints/base.in and setup.py into constraints/base.txt
	@tools/lock.sh

clean: ## remove what set-up and tests made; demo/ and runs/ stay
	rm -rf .venv .tools .pytest_cache .ruff_cache .hypothesis *.egg-info
