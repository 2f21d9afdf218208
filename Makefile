# make run: set everything up and run the whole pipeline on real images.
# make test: set everything up, check style, run the tests.
BIN := .venv/bin

.PHONY: run test check setup lock format clean

run: setup
	@$(BIN)/effnet demo-data digits demo/digits
	@$(BIN)/effnet run configs/digits.yaml

test: check
	@$(BIN)/python -m pytest tests

check: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

setup:
	@tools/setup.sh

format: setup
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

lock: setup
	@tools/lock.sh

clean:
	rm -rf demo runs .venv .tools
