# make race   set up and run the main job, its winner confirmed on TensorFlow; prints where the report is
# make test   set up what the tests need and run them all
# make check  lint, types, structure
# make docs   build the documentation into site/; open site/index.html
# make bench  time a race as shipped, the same by tuners over Keras, and one optimizer step
PYTHON ?= python3
BIN := .venv/bin

.PHONY: race test check docs bench clean

race: .venv/.installed
	$(BIN)/ravine race --crosscheck tensorflow

test: .venv/.installed-test
	@# a file stays together, as its races are shared; in the order of tests/conftest.py, which also
	@# says how many processes auto are
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder --durations=40

check: .venv/.installed-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_structure.py

docs: .venv/.installed-test
	JAX_PLATFORMS=cpu $(BIN)/python -m mkdocs build --quiet
	@echo "open site/index.html"

bench: .venv/.installed-test
	$(BIN)/python benchmarks/race.py
	$(BIN)/python benchmarks/step.py

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "ravine needs Python 3.11 or newer; say which with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/.installed: pyproject.toml constraints.txt | .venv/bin/python
	@echo 'installing into .venv, which takes some minutes once'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt -e '.[tensorflow-cpu]'
	@touch $@

.venv/.installed-test: pyproject.toml constraints.txt | .venv/bin/python
	@echo 'installing into .venv, which takes some minutes once'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt -e '.[test]'
	@touch $@ .venv/.installed

clean:
	rm -rf .venv build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis
