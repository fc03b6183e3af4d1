# Everything sets itself up: Python (3.11 or later), make and a network are enough.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# two test processes, of one thread each
TEST := OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test lint peers nightly bench figures notebooks anchors clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /make \1	/p' $(MAKEFILE_LIST)

demo: $(VENV)/installed ## differentiate a price, train on handwritten digits, draw both into out/
	$(BIN)/python examples/quickstart.py

test: $(VENV)/installed ## all tests but those against PyTorch and JAX, with coverage
	$(TEST) -n 2 --dist worksteal --cov=tinygrad_edu --cov-branch --cov-report=term:skip-covered --cov-fail-under=95

lint: $(VENV)/installed ## style, format and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

peers: $(VENV)/torch ## the tests against PyTorch and JAX, and a table of how near the two come
	$(TEST) -n 2 tests/peers

nightly: export QUICK := 1
nightly: $(VENV)/nightly notebooks ## what is heavy: all notebooks, quickly; trackers, their files read back; large networks beside torchvision; searches on Dask and Ray; a server under load; an epoch of MNIST beside PyTorch, Keras, skorch
	$(TEST) -m nightly
	$(TEST) -m nightly tests/peers
	$(BIN)/python -m tests.benchmarks.epoch

bench: $(VENV)/peers ## speed and memory beside PyTorch, JAX and five others; with AGAINST=COMMIT, beside that commit
	$(BIN)/python -m compileall -q tinygrad_edu
	$(BIN)/python -m tests.benchmarks $(if $(AGAINST),--against $(AGAINST))

figures: $(VENV)/installed ## every figure of the chapter, and a sheet of them, of harder ones and of networks, into out/figures
	$(BIN)/python -m examples.figures
	$(BIN)/python -m examples.sheet

LESSONS ?= [0-9]
notebooks: $(VENV)/notebooks ## the lessons as notebooks that were run, into out/notebooks (QUICK=1: quickly; LESSONS=04: that one)
	mkdir -p out/notebooks
	cp examples/lessons/$(LESSONS)*.py out/notebooks/
	cd out/notebooks && $(abspath $(BIN))/python -m jupytext --to ipynb --set-kernel python3 --execute $(LESSONS)*.py

anchors: $(VENV)/installed ## the chapters' training runs on MNIST: expected and got (some minutes; TINYGRAD_EDU_DATA=folder)
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.anchors

clean: ## remove what was made, the environment too
	rm -rf $(VENV) out dist htmlcov .coverage .coverage.* .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	$(BIN)/python -m compileall -q tinygrad_edu viz
	@touch $@

$(VENV)/torch: $(VENV)/installed
	$(BIN)/python -m pip install --quiet torch==2.13.0 jax==0.10.2 onnxscript==0.7.2
	$(BIN)/python -m pip install --quiet --no-deps torchvision==0.28.0
	@touch $@

$(VENV)/notebooks: $(VENV)/installed
	$(BIN)/python -m pip install --quiet jupytext==1.19.6 nbconvert==7.17.2 ipykernel==7.4.0
	@touch $@

$(VENV)/nightly: $(VENV)/peers
	$(BIN)/python -m pip install --quiet --editable ".[trackers]" tensorboard==2.21.0 keras==3.15.1 skorch==1.4.0 \
		dask==2026.8.0 distributed==2026.8.0 ray==2.60.0
	@touch $@

$(VENV)/peers: $(VENV)/torch
	$(BIN)/python -m pip install --quiet autograd==1.9.1 dezero==0.0.13 mygrad==2.5.0 micrograd==0.1.0
	@touch $@
