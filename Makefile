# `make demo` and `make test` need Python 3.11 and make, nothing else; both work in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := $(shell git ls-files '*.py' '*.yaml' '*.onnx' '*.npz' '*.json' '*.tsv' '*.html' '*.css' '*.js' '*.svg' '*.sql' pyproject.toml)

.PHONY: demo test test-browser test-training check clean

demo: $(VENV)/core
	@for call in synthetic_calm synthetic_escalating; do \
	  $(BIN)/deescalate analyze examples/calls/$$call.ogg --caller-channel left \
	    --transcript examples/calls/$$call.jsonl --show-text || exit; \
	done

test: $(VENV)/dev
	$(BIN)/python -m pytest -rs --ignore tests/training --ignore tests/browser

# The demo in Chromium, from the system's packages; skipped with a reason where there is none.
test-browser: $(VENV)/dev
	$(BIN)/python -m pytest -rs tests/browser

# Torch first, by the version with a CPU build: `hf` alone would fetch several GB for GPUs.
test-training: $(VENV)/dev
	$(BIN)/pip install --quiet torch==2.13.0
	$(BIN)/pip install --quiet "$$(ls dist/*.whl)[train,distill]"
	$(BIN)/python -m pytest -rs tests/training tests/models/text/test_sentiment.py tests/models/text/test_request_classifier.py

check: $(VENV)/dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy -p pipecat_deescalate
	$(BIN)/python -m pytest -q tests/test_imports.py

clean:
	rm -rf $(VENV) build dist *.egg-info

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip

# What users get: the package alone, from this tree.
$(VENV)/core: $(VENV)/bin/python $(SOURCES)
	$(BIN)/pip install --quiet --force-reinstall --no-deps .
	$(BIN)/pip install --quiet .
	touch $@

# What the tests run against: the built wheel, not the tree.
$(VENV)/dev: $(VENV)/bin/python $(SOURCES)
	rm -rf dist build
	$(BIN)/pip wheel --quiet --no-deps --wheel-dir dist .
	$(BIN)/pip install --quiet --force-reinstall --no-deps dist/*.whl
	$(BIN)/pip install --quiet "$$(ls dist/*.whl)[dev]"
	touch $@
