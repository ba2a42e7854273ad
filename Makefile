# The commands of spectrabridge on Linux and macOS; `make` alone lists them.
#
#   PYTHON=python3.12   interpreter that the virtual environment is made with (3.11 or newer)
#   VENV=.venv          where the virtual environment goes
#   ARGS="..."          more arguments for `spectrabridge serve` (explorer) or pytest (test, quick)
#   WORKERS=2           how many processes run the tests that need no browser

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
WORKERS ?= 2

BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt
INSTALL_PYSME := $(BIN)/python -m pip install --disable-pip-version-check --no-deps \
	--target $(VENV)/pysme -r .ci/pysme.txt
# Each stamp is newer than the files it was installed from, so nothing is installed twice.
MADE := $(VENV)/stamp-made
RUN_READY := $(VENV)/stamp-run
TEST_READY := $(VENV)/stamp-test
DOCS_READY := $(VENV)/stamp-docs
# Files stay whole: tests of one file share what takes long to make.
SPREAD = -n $(WORKERS) --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help explorer test synthesis quick lint types browser gallery docs docs-linkcheck fuzz kills wheel clean

help:
	@echo "make explorer   install into $(VENV), serve the explorer and print its address"
	@echo "make test       install what the tests need, a browser too, and run every check and test"
	@echo "make synthesis  the tests of the synthesis, with pysme installed beside the rest"
	@echo "make quick      the tests that take seconds: nothing marked slow, no browser"
	@echo "make lint       ruff (rules and format), mypy, and tools/house.py: what imports what"
	@echo "make gallery    take the pictures of the documentation again"
	@echo "make docs       build the manual into docs/_build/html, without a network"
	@echo "make docs-linkcheck  the same, and follow every link inside it and from the README"
	@echo "make fuzz       damage files of every kind, 20,000 for each reader; ARGS=\"--inputs 500\" for fewer"
	@echo "make kills      200 kills of programs while they write; ARGS=\"--kills 50\" for fewer"
	@echo "make wheel      build dist/spectrabridge-*.whl"
	@echo "make clean      remove $(VENV) and everything else that make leaves behind"

explorer: $(RUN_READY)
	$(BIN)/spectrabridge serve $(ARGS)

# Browser tests run one at a time, with the machine to themselves: what they see is timed by the
# browser. pytest's 5 says that ARGS left nothing to run in that half.
test: $(TEST_READY) lint browser
	$(BIN)/pytest -m "not browser" $(SPREAD) $(ARGS) || [ $$? -eq 5 ]
	SPECTRABRIDGE_BROWSER="$$(cat $(VENV)/browser)" $(BIN)/pytest -m browser $(ARGS) || [ $$? -eq 5 ]

# pysme asks for older versions than constraints.txt has and works with these: it lies in a folder of
# its own, and the rest does not see it.
synthesis: $(TEST_READY)
	@test -d $(VENV)/pysme/pysme || $(INSTALL_PYSME)
	PYTHONPATH="$(CURDIR)/$(VENV)/pysme" $(BIN)/pytest tests/core/synthesis $(SPREAD) $(ARGS)

quick: $(TEST_READY)
	$(BIN)/pytest -m "not slow and not browser" $(SPREAD) $(ARGS)

lint: $(TEST_READY) types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python tools/house.py

# `mypy core explorer apps`, but through a folder that is always called spectrabridge: mypy names
# the package after the folder it lies in and refuses names like spectrabridge-main.
types: $(TEST_READY)
	@mkdir -p $(VENV)/types && ln -sfn "$(CURDIR)" $(VENV)/types/spectrabridge
	$(BIN)/mypy $(addprefix $(VENV)/types/spectrabridge/,core explorer apps)

browser: $(TEST_READY)
	@$(BIN)/python .ci/browser.py > $(VENV)/browser

gallery: $(TEST_READY) browser
	SPECTRABRIDGE_BROWSER="$$(cat $(VENV)/browser)" $(BIN)/python tools/gallery.py

# A warning is an error: a name that is gone, a page that nobody links to.
docs: $(DOCS_READY)
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "The manual is in docs/_build/html/index.html"

docs-linkcheck: docs
	$(BIN)/python tools/check_links.py docs/_build/html

fuzz: $(TEST_READY)
	$(BIN)/python tools/fuzz.py --workers $(WORKERS) $(ARGS)

kills: $(TEST_READY)
	$(BIN)/python tools/kills.py $(ARGS)

wheel: $(TEST_READY)
	rm -rf build
	$(BIN)/python -m build --wheel --outdir dist .

clean:
	rm -rf $(VENV) build dist spectrabridge.egg-info .pytest_cache .mypy_cache .ruff_cache test-results
	rm -rf docs/_build docs/reference/api docs/tutorials/notebooks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(MADE):
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || { \
	  echo "spectrabridge needs Python 3.11 or newer, and $(PYTHON) is older or missing." >&2; \
	  echo "Name another one, for example: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(RUN_READY): $(MADE) pyproject.toml constraints.txt
	$(INSTALL) -e .
	@touch $@

$(TEST_READY): $(MADE) pyproject.toml constraints.txt
	$(INSTALL) -e ".[test]"
	@touch $(RUN_READY) $@

$(DOCS_READY): $(MADE) pyproject.toml constraints.txt
	$(INSTALL) -e ".[docs]"
	@touch $(RUN_READY) $@
