# The commands a person types. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo test test-all test-faults test-gpu test-null matrix lint docs bench lock round1 round2 round3 round4 rounds sweep report record clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z0-9 -]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# pip takes the torch build that its own configuration offers: a CPU build where one is, else PyPI's with CUDA.
$(INSTALLED): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

install: $(INSTALLED)  ## the environment, in .venv

demo: install  ## train a small model on stories and read what it writes (3 to 5 minutes on two cores)
	$(BIN)/tinystories-lm train experiment=smoke hydra.run.dir=outputs/smoke/demo

# Two at a time, with a thread each: torch's threads are very slow where they have to share their cores. In the order of
# the files: in that of their numbers of tests, the last ones would be those with one long test.
test: install lint  ## linters, type checker and the tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m 'not slow' --numprocesses 2 --dist loadfile --no-loadscope-reorder

test-all: install lint  ## the slow tests too
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

test-faults: install  ## 300 runs killed at random and inside a save, 229 power cuts, 1,000 damaged files, full disks, signals (40 minutes)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/faults --numprocesses 2

test-gpu: install  ## values, steps and runs on the GPU of this machine
	$(BIN)/python -m pytest tests/gpu -rs

# A CUDA that computes nothing, for a Python with torch's CUDA build: the GPU image's of `make matrix`, or yours.
NULL_PYTHON ?= build/matrix/gpu-image/bin/python
test-null: $(filter build/matrix/gpu-image/.installed,$(NULL_PYTHON:%/bin/python=%/.installed))  ## what a GPU would be asked to do, without one: kernels, launches, waits, memory (20 minutes)
	OMP_NUM_THREADS=1 $(NULL_PYTHON) -m pytest tests/null -rs

# Each environment needs about 6 GB: PyPI's torch with CUDA, where pip's configuration offers no CPU build.
matrix: build/matrix/oldest/.installed build/matrix/gpu-image/.installed build/matrix/newest/.installed  ## the quick tests on the oldest versions, the GPU image's and the newest (40 minutes)
	for each in oldest gpu-image newest; do OMP_NUM_THREADS=1 build/matrix/$$each/bin/python -m pytest -m 'not slow' --numprocesses 2 --dist loadfile --no-loadscope-reorder || exit; done

build/matrix/oldest/.installed build/matrix/gpu-image/.installed: MATRIX_PYTHON ?= python3.12
build/matrix/newest/.installed: MATRIX_PYTHON ?= python3.13
build/matrix/%/.installed: tests/matrix/%.txt pyproject.toml
	$(MATRIX_PYTHON) -m venv build/matrix/$*
	build/matrix/$*/bin/python -m pip install --quiet --constraint tests/matrix/$*.txt --editable '.[dev]'
	touch $@

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

round1 round2 round3 round4: install  ## replay one round of the story (2 to 4 want a GPU)
	$(BIN)/tinystories-lm train experiment=$@

rounds: round1 round2 round3 round4  ## replay all four

sweep: install  ## nine runs over size and steps, and the scaling law they give (an hour on two cores)
	$(BIN)/tinystories-lm sweep size_by_steps
	$(BIN)/tinystories-lm scaling size_by_steps

report: install  ## one HTML page of all runs, outputs/report.html
	$(BIN)/tinystories-lm report

record: install  ## put the newest run of a round into the lab notebook and the README: make record ROUND=round2
	$(BIN)/python experiments/record.py $(ROUND)
	$(BIN)/python docs/generate.py

docs: install  ## write the generated tables of README.md and docs/
	$(BIN)/python docs/generate.py

bench: install  ## speed against peers: training, decoding, preparing, sweeps, start (50 minutes); lands in experiments/benchmarks
	mkdir -p experiments/benchmarks
	$(BIN)/python benchmarks/generate.py --json experiments/benchmarks/generate.json
	$(BIN)/python benchmarks/sweep.py --json experiments/benchmarks/sweep.json
	$(BIN)/python benchmarks/train.py --rounds 3 --steps 40 --json experiments/benchmarks/train.json
	$(BIN)/python benchmarks/prepare.py --rounds 2 --json experiments/benchmarks/prepare.json
	$(BIN)/python benchmarks/start.py --json experiments/benchmarks/start.json
	$(BIN)/python benchmarks/busy.py --json experiments/benchmarks/busy.json
	$(BIN)/python benchmarks/deterministic.py --json experiments/benchmarks/deterministic.json
	$(BIN)/python benchmarks/optimizers.py --json experiments/benchmarks/optimizers_cpu.json
	$(BIN)/python benchmarks/estimate.py

# One resolution for every system and Python, cut in two: torch and what only its CUDA build needs stand apart,
# since a CPU build of torch has other files than PyPI's. constraints.txt says which versions, PyPI which hashes.
lock:  ## rebuild requirements.lock and requirements-torch.lock after a change of constraints.txt
	test -x build/lock/bin/uv || ($(PYTHON) -m venv build/lock && build/lock/bin/pip install --quiet 'uv>=0.9')
	build/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --annotation-style line \
		--constraint constraints.txt pyproject.toml >build/all.lock
	echo '# Made by `make lock`: what the program needs beside torch, with the hashes of all its files on PyPI.' >requirements.lock
	echo "# Made by \`make lock\`: PyPI's torch and what its CUDA build needs; not for a CPU build of torch." >requirements-torch.lock
	awk '/^[a-z]/ {file = /^(torch|triton|cuda-|nvidia-)/ ? "requirements-torch.lock" : "requirements.lock"} {print >>file}' build/all.lock

clean:  ## remove the environment and caches; outputs/ stays
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache
