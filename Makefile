# Everything runs in .venv, made here; `make` alone lists the targets.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
READY := $(VENV)/.ready
# a module is compiled when it is imported, and kept: all of them at once would take as long as the rest
INSTALL := $(RUN) -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt -e
unexport PYTHONDONTWRITEBYTECODE
BROWSER := $(VENV)/.browser
BENCH := $(VENV)/.bench
TRUST := $(VENV)/.trust

.DEFAULT_GOAL := help
.PHONY: help book html reports pdf printed browser notebooks results evidence controls real test bench bench-full lint check hooks clean \
	table1 gpu mutants fuzz interrupted kernels oldest newest wheel audit

help: ## show this help
	@echo "make TARGET, where TARGET is one of:"
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## (.*)$$/  \1\t\2/' | expand -t 14

book: $(READY) ## execute every notebook now, build the HTML (a warning is an error)
	$(RUN) tools/book.py book

html: $(READY) ## build the HTML from the stored outputs (half a minute)
	$(RUN) tools/book.py html

notebooks: $(READY) ## re-execute the notebooks in place, default parameters; N="03 04" picks
	$(RUN) tools/book.py notebooks $(N)

results: $(READY) ## rerun the chapters on the real data present (in SPIKYLIB_DATA) into book/results
	$(RUN) tools/book.py results $(N)

evidence: $(READY) ## check every claim on every dataset present into book/evidence; N="triplej" picks
	$(RUN) tools/evidence.py $(N)

controls: $(READY) ## check every claim on generated data where it must hold and must fail, 20 seeds (weekly, an hour)
	$(RUN) -m pytest -n 2 --dist=worksteal tests/test_controls.py -m controls

real: $(READY) ## compute on the real data in SPIKYLIB_DATA what has a known result (weekly)
	$(RUN) -m pytest -n 2 -m real tests

table1: $(READY) ## measure Table 1 of the paper on its own data (fetches 1 GB) next to the printed values; N="aotm-2011" picks
	$(RUN) tools/table1.py $(N)

test: $(READY) ## prove all of it: units, properties, doctests, notebooks, book
	$(RUN) -m pytest -n 2 $(ARGS)

reports: $(READY)
	$(RUN) tools/book.py reports

browser: ## prove the built book in a real browser: a Chromium on this machine
	@$(MAKE) --no-print-directory -j 2 $(BROWSER) reports
	$(RUN) -m pytest -n 2 --dist=worksteal -m browser tests/browser $(ARGS)

printed: $(BROWSER) ## prove the book as one PDF, leaf by leaf (weekly, 2 minutes)
	$(RUN) -m pytest -m printed tests/browser/test_pdf.py

pdf: $(BROWSER) html ## print the whole book as one PDF, by the same Chromium
	$(RUN) tools/pdf.py

bench: $(BENCH) ## time every stage and its peers, into benchmarks/README.md (12 minutes)
	$(RUN) benchmarks/bench.py

bench-full: $(BENCH) ## run the pipeline at the size of a million playlists, into benchmarks/full.md (25 minutes, 8 GiB)
	$(RUN) benchmarks/full.py _build/full --stages draw,ppmi,svd,spikes

gpu: $(READY) ## prove the stages on a CUDA GPU and time them there, into benchmarks/gpu.md (10 minutes)
	$(INSTALL) '.[gpu]'
	$(RUN) benchmarks/gpu.py

mutants: $(READY) ## break the library and the pages' scripts in over a hundred ways, and check that a test fails for each (5 minutes)
	$(RUN) -m trust.mutants

fuzz: $(TRUST) ## feed every file reader, and the gates of `spiky compare`, with bad input for SECONDS (600)
	$(RUN) -m trust.fuzz.run $(or $(SECONDS),600)

interrupted: $(READY) ## kill what writes files fifty times, at random moments, and call again (5 minutes)
	$(RUN) -m trust.interrupt

kernels: $(READY) ## compare the notebooks on other CPU kernels and thread counts (10 minutes)
	$(RUN) -m trust.kernels

oldest: $(READY) ## units and notebooks with the oldest supported dependencies (8 minutes)
	$(RUN) -m trust.versions oldest

newest: $(READY) ## the same with the newest there are, on every higher Python here
	$(RUN) -m trust.versions newest

wheel: $(READY) ## install the wheel for every supported Python here, and use it outside the checkout
	$(RUN) -m trust.wheel

audit: $(TRUST) ## ask PyPI for known vulnerabilities of the pinned versions
	$(RUN) -m pip_audit --strict --no-deps --disable-pip -r constraints.txt

lint: $(READY) ## format, style, spelling and types, notebooks included (seconds)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(VENV)/bin/codespell
	$(RUN) -m mypy

check: lint test ## all that CI runs, but for the browser

hooks: $(READY) ## run the quick part of lint before every commit, on the files it changes
	$(VENV)/bin/pre-commit install

clean: ## remove the build and .venv
	rm -rf _build book/static $(VENV) *.egg-info

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; $$($(PYTHON) --version) found. Try: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) '.[book,test,lint]'
	@touch $@

$(BROWSER): $(READY)
	$(INSTALL) '.[browser]'
	@touch $@

$(BENCH): $(READY)
	$(INSTALL) '.[bench]'
	@touch $@

$(TRUST): $(READY)
	$(INSTALL) '.[trust]'
	@touch $@
