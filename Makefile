# Works alone on a machine with Python 3.11 to 3.13 and make: the first call makes `.venv` and installs what is pinned.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
PEERS := .venv-peers/.ready
EVENTS ?= 10000000
SIZES ?= 1000000 3000000 10000000 30000000 100000000
export DO_NOT_TRACK := true

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-fr test quick check format golden docs bench bench-long bench-features bench-scale pins clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(READY)  ## make .venv and install the pinned dependencies

# uv comes from the same registry as everything else and installs in seconds what pip needs minutes for.
$(READY): requirements.txt pyproject.toml
	@echo "Setting up .venv (once; about a minute) …"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --root-user-action=ignore uv==0.13.9
	@$(BIN)/uv pip sync --quiet --require-hashes --compile-bytecode --python $(BIN)/python requirements.txt
	@$(BIN)/uv pip install --quiet --no-deps --python $(BIN)/python --editable .
	@touch $@

demo: $(READY)  ## simulate a company and go the whole way, in demo/
	@$(BIN)/leadscore demo --folder demo

demo-fr: $(READY)  ## the same company with a French list, page and workbook, in demo-fr/
	@$(BIN)/leadscore demo --folder demo-fr --language fr

test: $(READY)  ## run the whole suite
	@$(BIN)/python -m pytest

quick: $(READY)  ## run what takes half a minute
	@$(BIN)/python -m pytest -q -m "not slow" -x

check: $(READY)  ## check format, lint, types, import contracts and docs
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m leadscore.reference --check

format: $(READY)  ## format and mend what can be mended
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

golden: $(READY)  ## rewrite the golden files; read the diff
	@LEADSCORE_REWRITE_GOLDEN=1 $(BIN)/python -m pytest -q tests/golden

docs: $(READY)  ## rewrite the generated pages of docs/reference
	@$(BIN)/python -m leadscore.reference

bench: $(READY) bench-features  ## measure speed and memory on this machine
	@$(BIN)/python benchmarks/bench_asof.py
	@$(BIN)/python benchmarks/bench_examples.py
	@$(BIN)/python benchmarks/bench_flat.py
	@$(BIN)/python benchmarks/bench_training.py
	@$(BIN)/python benchmarks/bench_recovery.py
	@$(BIN)/python benchmarks/bench_reasons.py
	@$(BIN)/python benchmarks/bench_page.py
	@$(BIN)/python benchmarks/bench_delivery.py

bench-long: $(READY)  ## repeat the tables that take hours: families left out and alone, coverage of the bounds
	@$(BIN)/python benchmarks/bench_ablation.py
	@$(BIN)/python benchmarks/bench_coverage.py

bench-features: $(READY) $(PEERS)  ## time features against others; EVENTS=10000000 JSON=bench.json
	@cd benchmarks && ../$(BIN)/python -m features.run --events $(EVENTS) $(if $(JSON),--json $(abspath $(JSON)))

bench-scale: $(READY)  ## time features at growing sizes; SIZES="1000000 3000000" JSON=scale.json PLOT=scale.svg
	@cd benchmarks && ../$(BIN)/python -m features.scale --sizes $(SIZES) \
		$(if $(JSON),--json $(abspath $(JSON))) $(if $(PLOT),--plot $(abspath $(PLOT)))

# What is compared with: an environment of its own, for its pins are not ours (docs/decisions/0012).
$(PEERS): requirements-peers.txt | $(READY)
	@echo "Setting up .venv-peers (once; half a minute) …"
	@test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	@$(BIN)/uv pip sync --quiet --require-hashes --compile-bytecode --python .venv-peers/bin/python requirements-peers.txt
	@touch $@

pins: $(READY)  ## resolve requirements.txt and requirements-peers.txt anew from pyproject.toml
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate \
		--generate-hashes --group dev pyproject.toml -o requirements.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate \
		--generate-hashes --group pyproject.toml:peers -o requirements-peers.txt

clean:  ## remove what the other targets made
	rm -rf .venv .venv-peers demo demo-fr build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
