# `make` lists the targets. It needs Python 3.11 to 3.13 and nothing else:
# every target that wants packages makes its own environment first, once.

PYTHON  ?= python3
WORKERS ?= 2
ARGS    ?=
DATA    ?=

VENV := .venv
BASE := .venv-base
DEMO := .venv-demo
OLDEST := .venv-oldest
READY := .installed

SOURCES := $(shell find src -type f -not -name '*.pyc')

.DEFAULT_GOAL := help
.PHONY: help demo test test-base test-oldest lint format bench docs wheel clean distclean
.DELETE_ON_ERROR:

help:
	@echo 'make demo         install quern without torch, read and link examples/, write out/demo*.jsonl'
	@echo 'make test         all tests, with torch           (ARGS="-k house" goes to pytest)'
	@echo 'make test-base    the tests that a base install can run, without torch'
	@echo 'make test-oldest  all tests, every dependency at its lower bound'
	@echo 'make lint         ruff check, ruff format --check, mypy'
	@echo 'make format       let ruff mend and format'
	@echo 'make bench        benchmarks                      (DATA=folder is required)'
	@echo 'make docs         write docs/cli.md from the code'
	@echo 'make wheel        build dist/*.whl'
	@echo 'make clean        remove caches and what was built; make distclean: environments too'
	@echo 'PYTHON=python3.12 picks the interpreter for a new environment'

# --- environments -------------------------------------------------------------------------------
# One stamp per environment, older than pyproject.toml when the packages may have changed.

define venv
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v < (3, 14) or sys.exit("quern needs Python 3.11 to 3.13, this one is %d.%d: make PYTHON=python3.12 ..." % v)'
	@test -x $(1)/bin/python || $(PYTHON) -m venv $(1)
endef
PIP_INSTALL := bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

$(VENV)/$(READY): pyproject.toml constraints.txt
	$(call venv,$(VENV))
	$(VENV)/$(PIP_INSTALL) -e '.[train,dev]'
	@touch $@

$(BASE)/$(READY): pyproject.toml constraints.txt
	$(call venv,$(BASE))
	$(BASE)/$(PIP_INSTALL) -e '.[dev]'
	@touch $@

$(OLDEST)/$(READY): pyproject.toml .ci/oldest.py
	$(call venv,$(OLDEST))
	$(OLDEST)/bin/python .ci/oldest.py > $(OLDEST)/constraints.txt
	$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check -c $(OLDEST)/constraints.txt -e '.[train,dev]'
	@touch $@

# Not editable on purpose: the demo runs what a user would install.
$(DEMO)/$(READY): pyproject.toml constraints.txt $(SOURCES)
	$(call venv,$(DEMO))
	$(DEMO)/$(PIP_INSTALL) .
	@touch $@

# --- what people ask for ------------------------------------------------------------------------

demo: $(DEMO)/$(READY)
	$(DEMO)/bin/quern extract --format table examples/zh.txt examples/en.txt
	@mkdir -p out
	$(DEMO)/bin/quern extract examples/zh.txt examples/en.txt --format jsonl > out/demo.jsonl
	@echo "The same as JSONL, one text a line: out/demo.jsonl"
	@rm -f out/demo.kb out/demo.kb-*
	$(DEMO)/bin/quern kb import out/demo.kb examples/kb.jsonl
	$(DEMO)/bin/quern link --model zh-links --entities zh-entities --kb out/demo.kb --format table examples/zh.txt examples/zh-links.txt
	$(DEMO)/bin/quern link --model zh-links --entities zh-entities --kb out/demo.kb --format jsonl examples/zh.txt examples/zh-links.txt > out/demo-links.jsonl
	@echo "Who and what is meant, as JSONL: out/demo-links.jsonl"
	$(DEMO)/bin/quern read --links zh-links --entities zh-entities --kb out/demo.kb --into out/demo.kb examples/zh.txt examples/zh-links.txt
	$(DEMO)/bin/quern store query out/demo.kb --format table
	$(DEMO)/bin/quern store export out/demo.kb out/demo.ttl
	@echo "Both as a graph, beside the knowledge base in out/demo.kb and as RDF: out/demo.ttl"

# One thread per worker: more threads in each only get in each other's way.
test: $(VENV)/$(READY)
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -n $(WORKERS) $(ARGS)

test-base: $(BASE)/$(READY)
	OMP_NUM_THREADS=1 $(BASE)/bin/python -m pytest -n $(WORKERS) $(ARGS)

test-oldest: $(OLDEST)/$(READY)
	OMP_NUM_THREADS=1 $(OLDEST)/bin/python -m pytest -n $(WORKERS) $(ARGS)

lint: $(VENV)/$(READY)
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy

format: $(VENV)/$(READY)
	$(VENV)/bin/ruff check --fix
	$(VENV)/bin/ruff format

bench:
	@test -n "$(DATA)" || { echo 'make bench needs the folder with the data sets: make bench DATA=path/to/data' >&2; exit 2; }
	@$(MAKE) --no-print-directory $(VENV)/$(READY)
	$(VENV)/bin/python -m benchmarks --data "$(DATA)" $(ARGS)

docs: $(VENV)/$(READY)
	@mkdir -p out
	$(VENV)/bin/python -m quern.cli.reference > out/cli.md
	mv out/cli.md docs/cli.md

wheel: $(VENV)/$(READY)
	$(VENV)/bin/python -m pip wheel --quiet --disable-pip-version-check --no-deps -w dist .
	@ls dist

clean:
	rm -rf build dist out .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -path './.venv*' -prune -o -type d -name __pycache__ -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV) $(BASE) $(OLDEST) $(DEMO)
