# Holdfast: `make` or `make help` lists what there is.

PYTHON ?= python3
UV ?= uv
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes

# Nothing a target runs may depend on where the user's settings point Ansible.
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg

.DEFAULT_GOAL := help
.PHONY: help venv demo test lint sanity zipapp bench docs soak lab lab-down lock clean
.PHONY: lint-ruff lint-format lint-mypy lint-yaml lint-ansible

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(VENV)/.dev-installed ## a virtual environment with everything that demo and test need

demo: $(VENV)/.demo-installed ## back up, lose, restore and prune a shop database on an embedded PostgreSQL
	@$(BIN)/ansible-playbook -i inventory/demo playbooks/demo.yml
	@cat .demo/summary.txt

test: venv ## lint, sanity and all tests but the soak tests
	@$(BIN)/python tools/checks.py

lint: lint-ruff lint-format lint-mypy lint-yaml lint-ansible ## ruff, mypy, yamllint, ansible-lint

lint-ruff: venv
	@$(BIN)/ruff check

lint-format: venv
	@$(BIN)/ruff format --check

lint-mypy: venv
	@$(BIN)/mypy

lint-yaml: venv
	@$(BIN)/yamllint --strict .

lint-ansible: venv
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/ansible-lint

sanity: venv ## ansible-test sanity on the modules, staged as a collection
	@$(BIN)/python tools/sanity.py

zipapp: $(VENV)/.demo-installed ## the agent for hosts, one reproducible file: dist/holdfast
	@$(BIN)/python tools/build_zipapp.py dist/holdfast

bench: venv ## the benchmarks, side by side with what a user would run instead
	@$(BIN)/python -m benchmarks $(BENCH_ARGS)

docs: venv ## write docs/reference from the modules, the roles and the program, and its completion for bash
	@$(BIN)/python tools/completion.py
	@$(BIN)/python tools/reference.py

soak: venv ## the tests that run for a long time
	@$(BIN)/python -m pytest -m soak

LAB_HOSTS := db1.example.org:trixie db2.example.org:bookworm

lab: venv ## the machines of inventory/example, as containers with systemd and SSH (root, or a Docker engine)
	@set -e; for host in $(LAB_HOSTS); do \
	    $(BIN)/python tools/lab.py host "$${host%:*}" --suite "$${host#*:}" --registry 15,17; \
	done
	@echo 'The hosts are up. Now try:'
	@echo '  $(BIN)/ansible-playbook -i inventory/example --ssh-common-args "-F .cache/lab/ssh_config" playbooks/site.yml'

lab-down: ## remove the hosts that `make lab` and the tests made, with all that is on them
	@$(PYTHON) tools/lab.py down --hosts

lock: ## pin the newest versions in requirements/*.txt (for maintainers; needs uv)
	@$(UV) --version >/dev/null || { echo "Cannot lock the requirements: uv is missing. Install uv." >&2; exit 1; }
	cd requirements && $(UV) pip compile --quiet --upgrade $(LOCK_OPTIONS) --output-file dev.txt dev.in
	cd requirements && $(UV) pip compile --quiet --upgrade $(LOCK_OPTIONS) --constraints dev.txt --output-file demo.txt demo.in

# One lock for every Python from 3.11 on, with hashes and without a word on where packages come from.
LOCK_OPTIONS := --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

clean: ## remove everything that the other targets made
	rm -rf $(VENV) .cache .demo dist

# The stamps are newer than what they stand for, so a second run installs nothing. What the demo
# needs is part of what the tests need, at the same versions.
$(VENV)/.dev-installed: requirements/dev.txt | $(BIN)/python
	@echo "Installing what the tests need into $(VENV) (about half a minute, 800 MB)"
	@$(PIP_INSTALL) -r requirements/dev.txt
	@touch $(VENV)/.demo-installed $@

$(VENV)/.demo-installed: requirements/demo.txt | $(BIN)/python
	@echo "Installing what the demo needs into $(VENV) (ten seconds, 160 MB)"
	@$(PIP_INSTALL) -r requirements/demo.txt
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	    echo "Cannot make a virtual environment: $(PYTHON) is missing or older than Python 3.11." \
	        "Name a newer one: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "Cannot make a virtual environment: $(PYTHON) has no venv module." \
	        "On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV)
