# `make demo` and `make test` work on a fresh clone: no root, no GPU.
#   demo       the main job on this desk            (make demo ARGS="--scans 20 --speed 10 --json")
#   test       the full environments, lint, and all tests in their bounded versions, side by side:
#              what they say comes at each one's end (`make test-host` says it at once)
#   environments  what the tests need of Python, in .venv-host and .venv-py310
#   test-long  all tests with their full counts and durations
#   arm64      the shipped bundle on emulated ARM, all spectra, and by how much it differs (an hour)
#   lint       ruff, mypy, import-linter
#   bench      benchmarks into build/bench           (make bench NAME=inference)
#   soak       a daemon under random faults, and an account of every scan (make soak MINUTES=60 SEED=1;
#              needs root)
#   peers      an environment in build/peers for peers that need old packages: `make bench
#              NAME=transfer` runs them where it is there
#   bench-encoder  the long ones: native, tokenizer, latent, pretraining (an hour or two)
#   pretrain   the foundation that ships, from simulated spectra (within an hour; goes on where it stopped)
#   bundle     train and export the bundle that ships; its report is build/corn.report.html
#   docs       the pages of docs/ as a site in build/site, which opens from disk
#   pages      regenerate what is made from the code: pages of docs/, and the firmware's C codec
#   firmware   the reference firmware for the Arm MPS2 into build/firmware (arm-none-eabi-gcc)
#   lock       pin what the packaged runtime depends on, with hashes, into deploy/lock
#              (make lock ARGS=--upgrade takes the newest; asks the package index)
#   audit      known vulnerabilities and licences of what deploy/lock pins; asks a service
#   sbom       the packaged runtime's bill of materials into build/sbom
#   wheel      the Python wheel into dist, the same bytes from the same commit
#   deb        the Debian package into dist: make deb ARCH=arm64 PYTHON_VERSION=3.10 (docs/install.md)
#   image      a container image from the same wheels (buildah; docs/install.md)
#   pictures   regenerate docs/demo.svg, docs/benchmarks from the last `make bench`, and
#              docs/export-report.png from the last `make bundle`; docs/transfer-report.png; docs/soak.png
#              from the last `make soak`
#   screenshots  docs/page/*.png, the instrument's page in a browser before a running daemon (chromium),
#              and docs/qualification-*.png
PYTHON ?= python3
HOST_ENV := .venv-host
OLD_ENV := .venv-py310
PEERS_ENV := build/peers
# Of a package: the device's architecture, and its system's Python.
ARCH ?= amd64
PYTHON_VERSION ?= 3.11
NAME ?=
MINUTES ?= 60
SEED ?=
ARGS ?=

# Python 3.10 with the last onnxruntime that has wheels for it: what JetPack 6 runs.
PYTHON310 ?= $(shell for p in python3.10 $(HOME)/.pyenv/versions/3.10.*/bin/python3.10; do "$$p" -c "" 2>/dev/null && echo "$$p" && break; done)
UNIT_TESTS := tests/unit/firmware_bridge tests/unit/spektron_edge tests/contract tests/fuzz
RUNTIME_TESTS := $(UNIT_TESTS) tests/integration
OLD_TESTS := $(filter-out tests/fuzz,$(UNIT_TESTS)) $(patsubst %,tests/integration/test_%.py,\
  adaptation_child door main_job page slots transfer)
# What waits for most of its time: for faults to come and go, for a machine to boot, for an index.
WAITING_TESTS := tests/soak tests/packages tests/supply
OTHER_TESTS := tests $(addprefix --ignore=,$(RUNTIME_TESTS) $(WAITING_TESTS))

# Waiting OpenMP threads that spin make two torch processes on two cores ten times slower.
export OMP_WAIT_POLICY := PASSIVE

.PHONY: demo environments test test-units test-integration test-others test-waiting test-host test-py310 test-long arm64 lint bench soak peers bench-encoder pretrain bundle docs pages firmware lock audit sbom wheel deb image pictures screenshots clean
.DELETE_ON_ERROR:

demo: .venv/installed
	@.venv/bin/spektron-edge demo $(ARGS)

# What it says goes to stderr: with --json, standard output holds nothing but JSON.
.venv/installed: pyproject.toml
	@echo "setting up .venv (once, about a minute)" >&2
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "Python 3.10 or newer is needed: make PYTHON=python3.11 demo"; exit 1; }
	@$(PYTHON) -m venv .venv
	@.venv/bin/pip install --quiet --disable-pip-version-check --editable '.[demo]'
	@touch $@

# One pip call, so that what asks for torch is satisfied by this version and pulls no other. What is
# imported is compiled then: the whole of it takes a minute, most of it for nothing.
$(HOST_ENV)/installed: pyproject.toml
	@echo "setting up $(HOST_ENV) (torch and all tools)" >&2
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.11 test"; exit 1; }
	@$(PYTHON) -m venv $(HOST_ENV)
	@$(HOST_ENV)/bin/pip install --quiet --disable-pip-version-check --no-compile torch==2.13.0 --editable '.[dev]'
	@touch $@

$(OLD_ENV)/installed: pyproject.toml
	@echo "setting up $(OLD_ENV) (Python 3.10, onnxruntime 1.23.2)" >&2
	@$(PYTHON310) -m venv $(OLD_ENV)
	@$(OLD_ENV)/bin/pip install --quiet --disable-pip-version-check --no-compile onnxruntime==1.23.2 --editable '.[test]'
	@touch $@

environments: $(HOST_ENV)/installed $(if $(PYTHON310),$(OLD_ENV)/installed)

# Three at a time, the longest first: much of a test's time is waiting for instruments, children and a
# machine that boots. Not more, and one thread each: a child of the lowest priority gets nothing where
# both of two processors are taken.
test: export OMP_NUM_THREADS := 1
test: export OPENBLAS_NUM_THREADS := 1
test:
	@echo "five sets of tests, three at a time; each prints when it is done, all within about twenty minutes" >&2
	@$(MAKE) --no-print-directory -j3 --output-sync=target test-integration test-units test-py310 test-others test-waiting

test-units: lint
	$(HOST_ENV)/bin/pytest $(UNIT_TESTS) $(ARGS)

test-integration: $(HOST_ENV)/installed
	$(HOST_ENV)/bin/pytest tests/integration $(ARGS)

test-others: $(HOST_ENV)/installed
	$(HOST_ENV)/bin/pytest $(OTHER_TESTS) $(ARGS)

test-waiting: $(HOST_ENV)/installed
	$(HOST_ENV)/bin/pytest $(WAITING_TESTS) $(ARGS)

test-host: test-units test-integration test-others test-waiting

# On Python 3.10, what can differ there: all unit tests and contracts of the runtime but `numerics`,
# the figures of an algorithm in numpy alone (adaptations, transfers and their files are still made,
# used and replayed), and `once`, long ways to what others run there as well (a kill at every step,
# every turn that a proposal can take); and of the daemon among real brokers and instruments, the
# main job, slots, a transfer, an adaptation, the door and the page.
test-py310:
ifeq ($(PYTHON310),)
	@case ",$$SPEKTRON_REQUIRE," in *,python3.10,*) echo "python3.10 is required and not here"; exit 1;; esac
	@echo "skipped on Python 3.10: no python3.10 on this machine"
else
	@$(MAKE) --no-print-directory $(OLD_ENV)/installed
	$(OLD_ENV)/bin/pytest $(OLD_TESTS) -m "not long and not numerics and not once" $(ARGS)
endif

test-long: lint $(HOST_ENV)/installed
	@# Coverage makes every process a third slower: it is counted here alone.
	$(HOST_ENV)/bin/pytest $(RUNTIME_TESTS) -m "long or not long" --cov --cov-report= $(ARGS)
	$(HOST_ENV)/bin/coverage report --fail-under=90 --sort=cover
	$(HOST_ENV)/bin/pytest $(OTHER_TESTS) $(WAITING_TESTS) -m "long or not long" $(ARGS)
	@$(MAKE) --no-print-directory test-py310 OLD_TESTS="$(filter-out tests/fuzz,$(RUNTIME_TESTS))"

arm64: $(HOST_ENV)/installed
	SPEKTRON_REQUIRE=arm64 $(HOST_ENV)/bin/pytest tests/emulation -m "long or not long" -rP $(ARGS)

lint: $(HOST_ENV)/installed
	$(HOST_ENV)/bin/ruff check .
	$(HOST_ENV)/bin/ruff format --check .
	$(HOST_ENV)/bin/mypy
	$(HOST_ENV)/bin/lint-imports

bench: $(HOST_ENV)/installed
	$(HOST_ENV)/bin/python -m tests.benchmarks $(NAME) $(ARGS)

soak: $(HOST_ENV)/installed
	$(HOST_ENV)/bin/python -m tests.soak --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) $(ARGS)

# The last packages that pycaltransfer 0.1.8 computes the right thing with: scikit-learn turned coef_ round.
$(PEERS_ENV)/installed: Makefile
	@echo "setting up $(PEERS_ENV) (pycaltransfer, diPLSlib)" >&2
	@test -n "$(PYTHON310)" || { echo "Python 3.10 is needed: make PYTHON310=python3.10 peers"; exit 1; }
	@$(PYTHON310) -m venv $(PEERS_ENV)
	@$(PEERS_ENV)/bin/pip install --quiet --disable-pip-version-check numpy==1.24.4 scipy==1.11.4 scikit-learn==1.2.2 pandas==1.5.3 pycaltransfer==0.1.8 diPLSlib==2.5.0
	@touch $@

peers: $(PEERS_ENV)/installed

bench-encoder: $(HOST_ENV)/installed
	$(HOST_ENV)/bin/python -m tests.benchmarks native tokenizer latent pretraining

# A run that was stopped goes on; one that is finished only writes its foundation again.
pretrain: $(HOST_ENV)/installed
	$(HOST_ENV)/bin/spektron-train pretrain --config foundation --out build/foundation $(if $(wildcard build/foundation/status.json),--resume) $(ARGS)
	mkdir -p train/spektron_train/foundations
	rm -rf train/spektron_train/foundations/nir
	cp -r build/foundation/foundation train/spektron_train/foundations/nir

bundle: $(HOST_ENV)/installed
	$(HOST_ENV)/bin/spektron-train finetune corn --out build/corn-checkpoint
	$(HOST_ENV)/bin/spektron-export build/corn-checkpoint -o build/corn.spektron
	cp build/corn.spektron spektron_edge/bundles/corn.spektron

# The theme would print what its makers sell.
docs: $(HOST_ENV)/installed
	NO_MKDOCS_2_WARNING=1 $(HOST_ENV)/bin/mkdocs build --quiet --config-file docs_site/mkdocs.yml
	@echo "build/site/index.html"

pages: $(HOST_ENV)/installed
	$(HOST_ENV)/bin/python -m tests.pages --write

firmware:
	@$(MAKE) --no-print-directory -C firmware_bridge/firmware

lock: $(HOST_ENV)/installed
	$(HOST_ENV)/bin/python -m tests.supply.lock $(ARGS)

audit: $(HOST_ENV)/installed
	$(HOST_ENV)/bin/python -m tests.supply.audit $(ARGS)

sbom: $(HOST_ENV)/installed
	$(HOST_ENV)/bin/python -m tests.supply.bill

wheel: $(HOST_ENV)/installed
	$(HOST_ENV)/bin/python -m deploy.environment

deb: $(HOST_ENV)/installed
	$(HOST_ENV)/bin/python -m deploy.debian --arch $(ARCH) --python $(PYTHON_VERSION) $(ARGS)

image: $(HOST_ENV)/installed
	$(HOST_ENV)/bin/python -m deploy.container --arch $(ARCH) --python $(PYTHON_VERSION) $(ARGS)

pictures: $(HOST_ENV)/installed
	$(HOST_ENV)/bin/python -m tests.pictures

screenshots: $(HOST_ENV)/installed
	$(HOST_ENV)/bin/python -m tests.page_pictures
	$(HOST_ENV)/bin/python -m tests.qualification_pictures

clean:
	rm -rf .venv .venv-host .venv-py310 build dist .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis
