# The two commands a newcomer needs: `make demo` and `make test`. Each makes .venv and installs on its own;
# the stamp file makes a second run quick. ARGS goes to the command: make demo ARGS="--port 8600 --no-browser"

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
JOBS ?= 2
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help demo test check clean

help:
	@echo "make demo    install into $(VENV) if needed, then open the digits demo in the browser"
	@echo "make test    install into $(VENV) if needed, then run the tests (JOBS=4 makes four processes of it)"
	@echo "make check   ruff, mypy and the layer test"
	@echo "make clean   remove $(VENV) and the caches"
	@echo "PYTHON=python3.12 picks another interpreter (3.11 or newer) for $(VENV)"

demo: $(STAMP)
	@$(BIN)/probal demo $(ARGS)

test: $(STAMP)
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

check: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest tests/test_layers.py

$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "ProbAL needs Python 3.11 or newer, and there is no '$(PYTHON)' here: install it, or name yours with make demo PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "ProbAL needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) -V 2>&1): name a newer one with make demo PYTHON=python3.12" >&2; exit 1; }
	@echo "Installing ProbAL into $(VENV) (the first time takes some minutes) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -c constraints.txt -e ".[embedded,dev]"
	@touch $(STAMP)

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
