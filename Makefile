# Two commands for a newcomer: `make run` and `make test`. Needs Python 3.11+ and nothing else.
# `make run` installs what a run needs; `make test` adds what the tests need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -P -m pip --disable-pip-version-check
RUN_STAMP := $(VENV)/.installed-run
TEST_STAMP := $(VENV)/.installed-test
# Where `npm ci` puts the Solidity compiler; without it one test is skipped.
export ZONE_B_SOLC ?= $(CURDIR)
# Without written bytecode each process of a run compiles the harness anew, and pytest every test.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run check test lint types unit containers servers pairs alone bench matrix causes faults mutants proto schema
.PHONY: lock clean env images docs

# make ends with 2 whatever the harness ends with, so its own exit code is printed.
run: $(RUN_STAMP)  ## the main job: 50 agents against the embedded stack
	@echo '$(BIN)/harness run scenarios/smoke.toml'
	@$(BIN)/harness run scenarios/smoke.toml || { code=$$?; \
	    case $$code in 1) verdict=FAIL;; 2) verdict='wrong usage';; 3) verdict=INCONCLUSIVE;; 4) verdict=INVALID;; \
	        5) verdict='stack not available';; *) verdict=interrupted;; esac; \
	    echo "exit code of harness: $$code, $$verdict (make itself always ends with 2 then)"; exit $$code; }

# Types are checked beside the tests, which start no server and share the cores; a failure of one
# part ends no other. `+` shows the progress of the tests at once, the output of others in one piece.
check: $(TEST_STAMP)  ## lint, types, unit tests and the stored runs
	@$(MAKE) --no-print-directory --jobs 2 --keep-going --output-sync=target types lint unit

lint: $(TEST_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PYTHONPATH=compose $(BIN)/lint-imports --no-logo

types: $(TEST_STAMP)
	$(BIN)/mypy

unit: $(TEST_STAMP)
	+$(BIN)/pytest -n auto tests/unit tests/corpus

# Tests with real servers wait more than they compute, so three of them share the cores. Those marked
# `pair` follow two at a time, then those marked `alone`; also after a failure.
test: check  ## lint, types and every test
	@code=0; for lanes in 'containers servers' pairs alone; do \
	    $(MAKE) --no-print-directory --jobs 2 --keep-going --output-sync=target $$lanes || code=$$?; \
	done; exit $$code

containers: $(TEST_STAMP)
	$(BIN)/pytest tests/commands tests/docker --durations 15

SERVERS := $(addprefix --ignore tests/,unit corpus studies commands docker) --durations 15
servers: $(TEST_STAMP)
	+$(BIN)/pytest $(SERVERS) -m 'not pair and not alone' -n 2 --dist loadscope

pairs: $(TEST_STAMP)
	+$(BIN)/pytest $(SERVERS) -m pair -n 2 --dist loadscope

alone: $(TEST_STAMP)
	+$(BIN)/pytest $(SERVERS) -m alone

env: $(RUN_STAMP)

# uv installs in seconds what takes pip a minute. Where it cannot be had, or finds no package, pip
# installs. Both take exactly the files whose hashes are in the lock, from pip's index; the project
# itself has no hash and comes after them, with no dependency and no build tool of its own.
# An installation leaves hundreds of MB to be written back; a run that starts meanwhile measures
# that. Bytecode is compiled now, and not by the first run. `sync` waits for it, for a bounded time, since other programs may keep the disk busy.
define install
	@uv=$$(command -v uv) || { uv=$(BIN)/uv; [ -x $$uv ] || \
	    $(PIP) install --quiet --retries 0 --timeout 10 uv 2>/dev/null || uv=; }; \
	index=$${PIP_INDEX_URL:-$$($(PIP) config get global.index-url 2>/dev/null || echo https://pypi.org/simple)}; \
	uv_install() { UV_DEFAULT_INDEX=$${UV_DEFAULT_INDEX:-$$index} $$uv pip install --quiet \
	    --python $(BIN)/python --compile-bytecode "$$@"; }; \
	if [ -n "$$uv" ] && uv_install --require-hashes -r $(1); then \
	    uv_install --no-deps --no-build-isolation -e .; \
	else \
	    echo 'uv cannot install here: pip does, which takes about a minute'; \
	    $(PIP) install --quiet --require-hashes -r $(1) && \
	    $(PIP) install --quiet --no-deps --no-build-isolation -e .; fi
	@$(BIN)/python -m compileall -q harness compose
	@timeout 30 sync || echo 'the disk is still busy with the installation: a run may be disturbed'
	@touch $@
endef

$(RUN_STAMP): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed, this is " + sys.version)'
	@echo 'installing into $(VENV)'
	@$(PYTHON) -m venv $(VENV)
	$(call install,requirements.lock)

$(TEST_STAMP): $(RUN_STAMP) requirements-dev.lock
	$(call install,requirements-dev.lock)

images: $(RUN_STAMP)  ## the offline image set, for --images offline (needs root, docker, debootstrap)
	$(BIN)/harness images build offline

proto: $(TEST_STAMP)  ## build the Protobuf bindings from compose/proto
	$(BIN)/python -m harness.contract.build_proto

schema: $(TEST_STAMP)  ## publish the JSON schemas of results, and the table of checks
	$(BIN)/python -m harness.assessment.result_schema
	$(BIN)/python -m harness.assessment.check_table

COMPILE := uv pip compile --quiet --no-header --no-annotate --generate-hashes
lock: $(TEST_STAMP)  ## pin every dependency, with hashes (needs uv)
	$(COMPILE) --universal --extra embedded --extra build pyproject.toml -o requirements.lock
	$(COMPILE) --universal --all-extras -c requirements.lock pyproject.toml -o requirements-dev.lock
	$(COMPILE) --python-version 3.11 --python-platform linux \
	    -c requirements.lock compose/images/reference/requirements.in -o compose/images/reference/requirements.txt

bench: $(TEST_STAMP)  ## timings, as ratios within one run
	$(BIN)/python -m tests.studies.bench

matrix: $(TEST_STAMP)  ## every named defect and 20 clean runs for real; writes the table of docs/defects.md
	$(BIN)/python -m tests.studies.matrix --write

causes: $(TEST_STAMP)  ## every cause of a high P99 provoked for real; writes the table of docs/diagnosis-causes.md
	$(BIN)/python -m tests.studies.causes --write

faults: $(TEST_STAMP)  ## every fault for real, on child processes; writes the table of docs/faults.md
	$(BIN)/python -m tests.studies.faults --write

mutants: $(TEST_STAMP)  ## does a test notice each changed operator? writes no file; about half an hour
	$(BIN)/python -m tests.studies.mutants

docs: $(TEST_STAMP)  ## the documentation as a site, in build/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
