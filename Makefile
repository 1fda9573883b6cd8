# Two commands for a newcomer: `make run` and `make test`. Needs Python 3.11+ and nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Where `npm install` puts the Solidity compiler; without it one test is skipped.
export ZONE_B_SOLC ?= $(CURDIR)

.PHONY: run test lint types bench matrix causes faults mutants proto schema lock clean env images

run: $(STAMP)  ## the main job: 50 agents against the embedded stack, verdict as exit code
	$(BIN)/harness run scenarios/smoke.toml

test: $(STAMP)  ## lint, types and every test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest

env: $(STAMP)

$(STAMP): pyproject.toml requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed, this is " + sys.version)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock -e '.[embedded,dev]'
	touch $@

images: $(STAMP)  ## the offline image set, for --stack docker (needs root, docker, debootstrap)
	$(BIN)/harness images build

proto: $(STAMP)  ## build the Protobuf bindings from compose/proto
	$(BIN)/python -m harness.contract.build_proto

schema: $(STAMP)  ## publish the JSON schema of result.json
	$(BIN)/python -m harness.judge.result_schema

lock: $(STAMP)  ## pin every dependency (needs uv)
	uv pip compile --quiet --universal --no-header --no-annotate --all-extras pyproject.toml -o requirements.lock

bench: $(STAMP)  ## timings, as ratios within one run
	$(BIN)/python -m tests.bench

matrix: $(STAMP)  ## every named defect and 20 clean runs for real; writes the table of docs/defects.md
	$(BIN)/python -m tests.matrix --write

causes: $(STAMP)  ## every cause of a high P99 provoked for real; writes the table of docs/diagnosis-causes.md
	$(BIN)/python -m tests.causes --write

faults: $(STAMP)  ## every fault for real, on child processes; writes the table of docs/faults.md
	$(BIN)/python -m tests.faults --write

mutants: $(STAMP)  ## does a test notice each changed operator? writes no file; about half an hour
	$(BIN)/python -m tests.mutants

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
