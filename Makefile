# `make demo` and `make test` need Python 3.11 or later and make, nothing else. Everything is installed
# into .venv, from the lock in requirements/, and each target adds only what is not there yet.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCK := requirements
SOURCES := $(shell git ls-files '*.py' '*.yaml' '*.onnx' '*.npz' '*.json' '*.tsv' '*.html' '*.css' '*.js' '*.svg' '*.sql' pyproject.toml MANIFEST.in README.md)

# No resolver, no build environment of pip's own, and only modules that are imported get compiled.
INSTALL := $(BIN)/pip install --quiet --no-deps --no-build-isolation --no-compile
INSTALL_LOCKED := $(INSTALL) --require-hashes -r

# The core suite on two processes; `make test PYTEST_ARGS=` runs it on one.
PYTEST_ARGS ?= -n 2 --dist loadfile
RAY_TESTS := tests/agent/replay/simulate/test_ray.py
CORE_TESTS := tests --ignore tests/training --ignore tests/browser --ignore tests/benchmarks --ignore $(RAY_TESTS)

.NOTPARALLEL: # one pip at a time
.PHONY: demo test test-browser test-training test-benchmarks test-ray test-latest check lint rules types docs dist lock clean

demo: $(VENV)/core $(VENV)/package
	@for call in synthetic_calm synthetic_escalating; do \
	  $(BIN)/deescalate analyze examples/calls/$$call.ogg --caller-channel left \
	    --transcripts examples/calls/$$call.jsonl --show-text || exit; \
	done

test: $(VENV)/dev $(VENV)/package
	$(BIN)/python -m pytest -rs $(PYTEST_ARGS) $(CORE_TESTS)

# The demo in Chromium, from the system's packages; skipped with a reason where there is none.
test-browser: $(VENV)/dev $(VENV)/package
	$(BIN)/python -m pytest -rs $(PYTEST_ARGS) tests/browser

test-training: $(VENV)/train $(VENV)/package
	$(BIN)/python -m pytest -rs $(PYTEST_ARGS) tests/training tests/models/text/test_sentiment.py tests/models/text/test_request_classifier.py

# The evidence stage on a Ray cluster of this machine.
test-ray: $(VENV)/dev $(VENV)/package
	$(BIN)/python -m pytest -rs $(RAY_TESTS)

# What `python -m benchmarks` measures, on little: live bots in real time.
test-benchmarks: $(VENV)/dev $(VENV)/package
	$(BIN)/python -m pytest -rs tests/benchmarks

# The core suite with the newest release of everything, the build backend included, without the
# lock. A deprecation upstream is a warning here; in `make test` it is an error.
LATEST := .venv-latest/bin
test-latest:
	$(PYTHON) -m venv --clear .venv-latest
	$(LATEST)/pip install --quiet --upgrade pip
	$(LATEST)/pip install --quiet ".[dev]"
	$(LATEST)/pip check
	$(LATEST)/python -m pytest -rs $(PYTEST_ARGS) -W default::DeprecationWarning \
	  -W default::PendingDeprecationWarning -W default::FutureWarning $(CORE_TESTS)

check: lint types rules

# What a linter does not know: who may import whom, what the lock and the API page hold.
rules: $(VENV)/dev $(VENV)/package
	$(BIN)/python -m pytest -q tests/test_imports.py tests/test_lock.py tests/test_api_page.py

lint: $(VENV)/dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/dev $(VENV)/package
	$(BIN)/mypy -p pipecat_deescalate
	$(BIN)/mypy --explicit-package-bases tests/typing/api.py
	$(BIN)/mypy --explicit-package-bases -p benchmarks

# The documentation as a site in site/; a broken link or an unknown name fails it, which --quiet would hide.
docs: $(VENV)/docs $(VENV)/package
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# The sdist and the wheel that is built from it, as they would be published.
dist: $(VENV)/dev $(VENV)/built
	$(BIN)/twine check --strict dist/*

# Brings the lock up to pyproject.toml and keeps every version that still fits.
# `make lock UPGRADE=--upgrade` takes the newest of all, `UPGRADE="--upgrade-package ruff"` of one.
# train.txt is resolved first, for all but docs, and the others choose among its versions. torch and what
# it alone needs is kept out: it has its own pin in torch.txt.
UV := .venv-lock/bin/uv
COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-strip-extras --no-annotate --custom-compile-command "make lock"
lock:
	test -x $(UV) || $(PYTHON) -m venv .venv-lock
	.venv-lock/bin/pip install --quiet uv==0.13.9
	echo "torch ; python_version < '3'" > .venv-lock/without-torch.txt
	$(COMPILE) $(UPGRADE) pyproject.toml $(LOCK)/build.in --extra dev --extra train --extra distill \
	  --overrides .venv-lock/without-torch.txt --output-file $(LOCK)/train.txt
	$(COMPILE) $(UPGRADE) --constraints $(LOCK)/train.txt pyproject.toml --extra docs --output-file $(LOCK)/docs.txt
	$(COMPILE) --constraints $(LOCK)/train.txt pyproject.toml --extra dev --output-file $(LOCK)/dev.txt
	$(COMPILE) --constraints $(LOCK)/train.txt pyproject.toml --output-file $(LOCK)/core.txt
	$(COMPILE) --constraints $(LOCK)/train.txt $(LOCK)/build.in --output-file $(LOCK)/build.txt

clean:
	rm -rf $(VENV) .venv-latest .venv-lock build dist site *.egg-info

# One stamp for each part of the lock.
$(VENV)/build: $(LOCK)/build.txt
	test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	$(INSTALL_LOCKED) $<
	touch $@

$(VENV)/core: $(LOCK)/core.txt $(VENV)/build
	$(INSTALL_LOCKED) $<
	touch $@

$(VENV)/dev: $(LOCK)/dev.txt $(VENV)/core
	$(INSTALL_LOCKED) $<
	$(BIN)/pip check
	touch $@

$(VENV)/docs: $(LOCK)/docs.txt $(VENV)/core
	$(INSTALL_LOCKED) $<
	$(BIN)/pip check
	touch $@

$(VENV)/train: $(LOCK)/train.txt $(LOCK)/torch.txt $(VENV)/dev
	$(BIN)/pip install --quiet -r $(LOCK)/torch.txt
	$(INSTALL_LOCKED) $<
	$(BIN)/pip check
	touch $@

# What is published, and what the demo, the tests and the types run against: not the tree.
$(VENV)/built: $(SOURCES) $(VENV)/build
	rm -rf dist build
	$(BIN)/python -m build --no-isolation --outdir dist . >$@.log 2>&1 || { cat $@.log; exit 1; }
	touch $@

$(VENV)/package: $(VENV)/built $(VENV)/core
	$(INSTALL) --force-reinstall dist/*.whl
	$(BIN)/pip check
	touch $@
