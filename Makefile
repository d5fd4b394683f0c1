# make demo   a lab host, a network, containers that talk, and what was made for them; cleans up
# make test   each kind of test once; make test-all has rare cases and further engines, too
PYTEST = .venv/bin/pytest
# Hosts wait more than they compute; each file and engine stays in one process.
PARALLEL = --numprocesses=4 --dist=loadscope
TARGET = /opt/pyflat
PLUGIN = pyflat:latest
RESULTS = docs/operations.md
# Of tests/netns, what waits for long.
LONG = hostile many_calls page quorum systemd watchdog
MAKEFLAGS += --no-print-directory

.PHONY: plugin plugin-push plugin-files release bench soak demo test test-quick test-all sequences \
    coverage golden screens lab check lint format lock setup install clean

demo: setup
	@PYTHONPATH=contrib/lab .venv/bin/python contrib/demo.py

test: check lab sequences
	@$(PYTEST) $(PARALLEL) -m "not full" tests/netns tests/lab tests/docker

test-quick: check lab
	@$(PYTEST) $(PARALLEL) -m "quick" tests/netns tests/lab tests/docker

# What came of it goes into docs/operations.md.
test-all: check lab sequences
	@$(PYTEST) $(PARALLEL) --last-result $(RESULTS) tests
	@$(MAKE) soak ARGS="--minutes 5 --last-result $(RESULTS)"

sequences: setup
	@PYFLAT_TEST_SEQUENCES=5000 $(PYTEST) --quiet tests/unit/test_pools_and_addresses.py

# The firewall of tests/golden, the pictures of tests/pictures and the tables of docs/options.md;
# git diff shows what changed.
golden: setup
	@$(PYTEST) --quiet --update-golden tests/netns/test_golden.py tests/unit/test_pictures.py \
	    tests/unit/test_docs.py

check: lint
	@$(PYTEST) --quiet --numprocesses=2 --dist=worksteal tests/unit tests/api

# What pre-commit runs.
lint: setup
	@.venv/bin/ruff format --check --quiet .
	@.venv/bin/ruff check --quiet .
	@.venv/bin/mypy --no-error-summary

# What of plugin/ the tests run that need no engine, pyflat serve and its worker included.
coverage: setup
	@$(PYTEST) --quiet --numprocesses=4 --dist=loadscope -m "not full" --cov \
	    tests/unit tests/api tests/netns $(LONG:%=--ignore=tests/netns/test_%.py)

format: setup
	@.venv/bin/ruff check --fix --quiet .
	@.venv/bin/ruff format --quiet .

# The pictures of docs/images, from real hosts.
screens: lab
	@PYTHONPATH=contrib/lab .venv/bin/python contrib/screens/make.py

# What the engines and pyflat itself need of the system, before a test finds it missing.
lab: setup
	@contrib/lab/lab fetch

bench: lab
	@PYTHONPATH=contrib/lab:contrib/bench .venv/bin/python -m dockerbench $(ARGS)

soak: lab
	@PYTHONPATH=contrib/lab:contrib/bench .venv/bin/python -m dockersoak $(ARGS)

lock: setup
	@.venv/bin/pip install --quiet --upgrade --upgrade-strategy eager --editable .[test,check,bench,release]
	@{ echo "# Exact versions for development and CI; make lock writes it anew."; \
	   .venv/bin/pip freeze --all --exclude pip --exclude-editable; } > requirements.lock

# Not in .venv: what systemd runs as root must be where nobody else can write.
install: setup
	@rm -rf build
	@.venv/bin/python -m venv $(TARGET)
	@$(TARGET)/bin/pip install --quiet --disable-pip-version-check --constraint requirements.lock .
	@ln -sfn $(TARGET)/bin/pyflat /usr/local/bin/pyflat
	@$(TARGET)/bin/pyflat install-service

# The managed plugin, on the engine that DOCKER_HOST names. PLUGIN is its name.
plugin: plugin-files
	@docker plugin create $(PLUGIN) build/plugin
	@docker plugin enable $(PLUGIN)

# To the registry that PLUGIN names, as PLUGIN=registry.example.org/pyflat:1.0
plugin-push: plugin-files
	@docker plugin create $(PLUGIN) build/plugin
	@docker plugin push $(PLUGIN)
	@docker plugin rm $(PLUGIN)

plugin-files: setup
	@PYTHONPATH=contrib/lab .venv/bin/python contrib/plugin/build.py build/plugin

# Of the commit that is checked out, into dist.
release: lab
	@.venv/bin/python contrib/release.py dist

setup:
	@contrib/setup

clean:
	@rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
