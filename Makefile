# MusAI: `make help` lists what can be made.

# Any Python from 3.11 on; `make PYTHON=/path/to/python3` names one.
ifndef PYTHON
PYTHON := $(shell for p in python3.11 python3 python3.12 python3.13 python3.14; do \
  $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; exit; }; done; echo python3)
endif
MUSAI_SHARED ?= ../shared
LOCKS := conf/requirements
BIN := .venv/bin
SOURCES = $(wildcard musai jobs/*.py dags/*.py tests)
QUIET := $(if $(MAKE_TERMOUT),,--quiet)

.DEFAULT_GOAL := help
.PHONY: help setup nightly test test-system test-realdata bench-accuracy bench-peers bench-speed bench-gpu bench-tracks bench-music lint format lock bundle .venv .venv-airflow

help:  ## list what can be made
	@sed -n 's/^\([a-z][a-z-]*\):.*##  *\(.*\)/\1|\2/p' $(firstword $(MAKEFILE_LIST)) | \
	  awk -F'|' '{ printf "make %-14s %s\n", $$1, $$2 }'

setup: .venv .venv-airflow  ## make both environments (.venv with the musai command, .venv-airflow)

nightly: .venv  ## one whole nightly run on the built-in demo
	@[ -d var/demo/midi ] || $(BIN)/musai demo-data var/demo
	@$(BIN)/musai nightly --config conf/demo.yaml

.PHONY: airflow
# Each part has a session of its own, which is ended as a whole: on a plain Ctrl-C `airflow standalone` ends its parts
# twice, hangs on them and leaves executors behind.
airflow: setup  ## a local Airflow with the nightly DAG on the built-in demo; Ctrl-C stops it
	@[ -d var/demo/midi ] || $(BIN)/musai demo-data var/demo
	@set -a; . conf/airflow.env; set +a; log=$$AIRFLOW_HOME/airflow.log; url=$$AIRFLOW__API__BASE_URL; parts=; \
	start() { python -c 'import os, sys; os.setsid(); os.execvp("airflow", ["airflow", *sys.argv[1:]])' "$$1" >>"$$log" 2>&1 & parts="$$parts $$!"; }; \
	end() { for part in $$parts; do kill -s "$$1" -- -$$part 2>/dev/null; done; }; \
	up() { python -c "import urllib.request as web; web.urlopen('$$url/api/v2/monitor/health')" 2>/dev/null; }; \
	python -c "import socket; socket.create_server(('127.0.0.1', $$AIRFLOW__API__PORT))" 2>/dev/null || \
	  { echo "port $$AIRFLOW__API__PORT is taken; make airflow AIRFLOW__API__PORT=8081, say" >&2; exit 1; }; \
	mkdir -p "$$AIRFLOW_HOME"; echo "Starting Airflow, which takes about a minute; its log: $$log"; \
	{ airflow db migrate && airflow pools set musai_gpu 1 "train_als: a slot for each GPU"; } >"$$log" 2>&1 || \
	  { tail -n 20 "$$log" >&2; exit 1; }; \
	trap 'trap "" INT TERM; echo "Stopping Airflow"; end TERM; sleep 5; end KILL; exit 0' INT TERM; \
	start api-server; start scheduler; start dag-processor; \
	until up; do sleep 1; kill -0 $$parts 2>/dev/null || { tail -n 20 "$$log" >&2; end KILL; exit 1; }; done; \
	echo "Airflow is up: $$url/dags/musai_nightly (the last night that was due has begun; Trigger starts more)"; \
	echo "user and password: $$AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"; \
	echo "what it publishes: .venv/bin/musai path recommendations --config conf/demo.yaml"; \
	wait

test: setup lint  ## set-up, lint, then every test that needs neither root, system packages nor MUSAI_SHARED
	@$(BIN)/python -m pytest -m "not realdata and not system"

test-system: .venv bundle  ## the tests that need root or system packages
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || \
	  echo "No Chromium: the pages are not opened in a browser; apt-get install chromium" >&2
	@command -v npm >/dev/null || echo "No npm: axe-core does not look at the pages; apt-get install npm" >&2
	@command -v javac >/dev/null || echo "No javac: the example in Java is skipped; apt-get install openjdk-17-jdk-headless" >&2
	@command -v ip >/dev/null || echo "No iproute2: the cluster of namespaces is skipped; apt-get install iproute2" >&2
	@[ "$$(id -u)" = 0 ] || echo "Not root: the tests that need it are skipped; sudo make test-system runs them." >&2
	@$(BIN)/python -m pytest -m system

.PHONY: faults audit
faults: .venv  ## kills, full disks, rivals, jumping clocks, spoilt inputs: prints what readers saw (MUSAI_FAULTS_SEED=1)
	@[ "$$(id -u)" = 0 ] || echo "Not root: the faults of disks are skipped; sudo make faults has them too." >&2
	@$(BIN)/python -m pytest -m system tests/faults

test-realdata: .venv  ## the tests on the data sets in MUSAI_SHARED (default ../shared)
	@[ -d "$(MUSAI_SHARED)/data" ] || { echo "MUSAI_SHARED=$(MUSAI_SHARED) has no data/ folder" >&2; exit 2; }
	@MUSAI_SHARED="$(MUSAI_SHARED)" $(BIN)/python -m pytest -m realdata

bench-accuracy: .venv  ## accuracy, time and memory beside the published rows, on the splits in MUSAI_SHARED (hours)
	@MUSAI_SHARED="$(MUSAI_SHARED)" PYTHONPATH=. $(BIN)/python tests/benchmarks/splits.py tuned

bench-peers: .venv  ## implicit, RecTools, RePlay and irspack beside ours on the same splits, 15 minutes of tuning each (hours)
	@MUSAI_SHARED="$(MUSAI_SHARED)" PYTHONPATH=. $(BIN)/python tests/benchmarks/peers.py

bench-speed: .venv  ## times beside their yardsticks, whole nights on 1 to 30 million plays among them (an hour)
	@PYTHONPATH=. $(BIN)/python tests/benchmarks/speed.py
	@PYTHONPATH=. $(BIN)/python tests/benchmarks/speed.py night 10000000
	@PYTHONPATH=. $(BIN)/python tests/benchmarks/speed.py growth 1000000 10000000 30000000
	@PYTHONPATH=. $(BIN)/python tests/benchmarks/incremental.py ingest 10000000
	@MUSAI_SHARED="$(MUSAI_SHARED)" PYTHONPATH=. $(BIN)/python tests/benchmarks/incremental.py warm

bench-gpu: .venv  ## a GPU's work beside what the card can do; writes tests/benchmarks/gpu.json
	@PYTHONPATH=. $(BIN)/python tests/benchmarks/gpu.py

bench-tracks: .venv  ## embeddings, new tracks, emotion and mood lists, on the data sets in MUSAI_SHARED
	@MUSAI_SHARED="$(MUSAI_SHARED)" PYTHONPATH=. OMP_NUM_THREADS=1 $(BIN)/python tests/benchmarks/tracks.py
	@MUSAI_SHARED="$(MUSAI_SHARED)" PYTHONPATH=. OMP_NUM_THREADS=1 $(BIN)/python tests/benchmarks/emotion.py
	@MUSAI_SHARED="$(MUSAI_SHARED)" PYTHONPATH=. $(BIN)/python tests/benchmarks/moods.py

bench-music: .venv  ## generated against real music, on what ships and the data sets in MUSAI_SHARED
	@MUSAI_SHARED="$(MUSAI_SHARED)" PYTHONPATH=. OMP_NUM_THREADS=1 $(BIN)/python tests/benchmarks/music.py
	@MUSAI_SHARED="$(MUSAI_SHARED)" PYTHONPATH=. OMP_NUM_THREADS=1 $(BIN)/python tests/benchmarks/frames.py

lint: .venv  ## style, format, types, import rules, licences of what is installed
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy $(SOURCES)
	@report=$$($(BIN)/lint-imports --no-cache 2>&1) || { echo "$$report"; exit 1; }
	@$(BIN)/python tests/check_licences.py .venv .venv-airflow

audit: .venv  ## known vulnerabilities of what the lock files name (needs a network)
	@for lock in jobs airflow; do echo "$(LOCKS)/$$lock.txt"; \
	  $(UV) tool run pip-audit --strict --require-hashes --disable-pip --requirement $(LOCKS)/$$lock.txt || exit 1; done

format: .venv  ## put style and format right where that can be done by itself
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format --quiet .

# What is pinned stays pinned; `make lock UPGRADE=--upgrade` takes the newest of everything. Airflow is resolved as of
# the day its release came out, which is the nearest thing to its own constraints file: newer packages under it are
# untested (SQLAlchemy 2.1, for one, came later). Move the date together with the version in pyproject.toml.
UV ?= $(BIN)/uv
UV_LOCK = $(UV) pip compile --quiet --universal --fork-strategy fewest --python-version 3.11 --generate-hashes \
  --no-annotate --no-header --no-emit-index-url --no-emit-find-links $(UPGRADE)
AIRFLOW_AS_OF := 2026-09-17
# The lock takes torch's CPU builds alone: 2.13.0+cpu for Linux on x86-64 and on arm64 (what the package index has needs
# several GB of CUDA), 2.13.0 for macOS; each for Python 3.11 to 3.14.
TORCH_CPU := 6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b \
  4ca4a9394b0c771238a4f73590fdbbc4debad85ed0fa63d026ae1b085da7d6e2 \
  3fbf9c9d1f3c10c2d59d04aca426dee9ccc6ceb32d255c61e93acc3b4f75fae6 \
  d20fa53ee744502fa4c69818a720b05ca0d37abd055d4f6e66cae155114bc691 \
  84453b69508ec79902f899c5ed9495acb9e2bbe9fda5f1d5d6f19e3c3842e1a7 \
  6f307c2c32d764ffc6ff6893b801fad6d4752f3e67966cb8abf1843427c02604 \
  0b8f7d0423027ae8b90c7977c627f3379f325363a08224dffad9b4b2d684a83d \
  ca021f9eb2f8345c83fa03e3a04587308afb8df71bd472670b3ece00df58621c \
  e76f9bcecc52b8ff711239a2f7547d5353df95878ab232f0773c1d95928b92f8 \
  2fe228aba290d14b9f31b049be550dbd469c3fd3013d7a19705b30454da97027 \
  33449899ce5496c1b84b4853179d94fd102028ae1407314d9fb956bb79e70d09 \
  d849b390e07d8d333ce8ecaf91b273c656c598379a19c9acf1318a883f6b391c

lock: .venv  ## write conf/requirements/*.txt anew from pyproject.toml
	@$(UV_LOCK) --group build --output-file $(LOCKS)/build.txt
	@$(UV_LOCK) --extra dev pyproject.toml --output-file $(LOCKS)/jobs.txt
	@awk -v builds="$(TORCH_CPU)" '/^[^ ]/ { torch = /^torch==/ } !torch || /^torch==/; \
	  /^torch==/ { n = split(builds, sha); for (i = 1; i <= n; i++) print "    --hash=sha256:" sha[i] (i < n ? " \\" : "") }' \
	  $(LOCKS)/jobs.txt >$(LOCKS)/jobs.part && mv $(LOCKS)/jobs.part $(LOCKS)/jobs.txt
	@$(UV_LOCK) --group airflow --exclude-newer $(AIRFLOW_AS_OF) --output-file $(LOCKS)/airflow.txt

# What a cluster needs (README: On a cluster; musai/bundle.py says what is in the archive). The nodes bring Spark and the
# release of Python that .venv has, at the path that it has here: `make bundle NODE_PYTHON=/usr/bin/python3.11` names theirs.
BUNDLE := var/bundle
NODE_PYTHON ?= $(shell $(BIN)/python -c 'import os, sys; print(os.path.realpath(sys.executable))')
BUNDLED = $(shell find musai conf jobs -type f -not -path '*/__pycache__/*') pyproject.toml Makefile

bundle: $(BUNDLE)/environment.tar.gz  ## what a cluster needs, in var/bundle: wheel, jobs, packed environment
	@echo "$(BUNDLE) holds the wheel, the jobs and environment.tar.gz ($$(du -m $< | cut -f1) MB), which finds" \
	  "$$(readlink $(BUNDLE)/environment/bin/python) and Spark on the nodes. The whole night:"
	@echo "spark-submit --master spark://HOST:7077 --archives $<#environment" \
	  "--conf spark.pyspark.python=./environment/bin/python" \
	  "--conf spark.pyspark.driver.python=$(BUNDLE)/environment/bin/python $(BUNDLE)/jobs/nightly.py --config FILE"

$(BUNDLE)/environment.tar.gz: $(BUNDLED) | .venv
	@echo "Making $(BUNDLE), which takes about a minute."
	@rm -rf $(BUNDLE) && mkdir -p $(BUNDLE)/jobs $(BUNDLE)/environment && cp jobs/*.py $(BUNDLE)/jobs
	@$(UV) build --quiet --wheel --no-build-isolation --python $(BIN)/python --out-dir $(BUNDLE)
	@$(BIN)/python -m musai.bundle $(BUNDLE)/musai-*.whl $@.whole --node-python $(NODE_PYTHON) $(EXTRA:%=--extra %)
	@tar --extract --file $@.whole --directory $(BUNDLE)/environment  # for the driver, where spark-submit is run
	@mv $@.whole $@

.venv:
	$(call environment,$@,$(LOCKS)/jobs.txt,3 3)
	@[ -e $@/share/musai/classes.jsa ] || $@/bin/python -m musai.class_archive 2>$@/classes.log || cat $@/classes.log >&2

.venv-airflow:
	$(call environment,$@,$(LOCKS)/airflow.txt,1 .3)

# Where torch's CPU build is looked for on Linux when pip's own index and folders (PIP_FIND_LINKS, pip.conf) lack it.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

# $(call environment,FOLDER,LOCK,GB TEMPORARY_GB): the environment of a lock file, with musai in it (editable; its
# dependencies are in the lock). What it was made from is written into it last. While that is the same nothing is done;
# where it is another or missing (the lock changed, the clone moved, a set-up was interrupted) the environment is made
# from scratch, so that nothing is in it but what the lock names; pip's cache still holds what was downloaded.
define environment
@set -e; \
made_from() { echo "$(CURDIR)"; cat $(LOCKS)/build.txt $(2); }; \
install="$(1)/bin/python -m pip --disable-pip-version-check install $(QUIET) --no-deps"; \
if ! { made_from | cmp -s - $(1)/.made-from && $(1)/bin/python -c "" 2>/dev/null; }; then \
  command -v $(PYTHON) >/dev/null || { echo "Python 3.11 or later is needed, and $(PYTHON) is not on PATH" >&2; exit 2; }; \
  $(PYTHON) -I musai/preflight.py $(1) $(3); \
  echo "Making $(1) from $(2) with $$($(PYTHON) -V); the first time takes a few minutes."; \
  rm -f $(1)/.made-from $(1)/.pyproject; \
  $(PYTHON) -m venv --clear $(1); \
  $$install --require-hashes --only-binary :all: -r $(LOCKS)/build.txt; \
  torch=$$(sed -n 's/^torch==\([0-9.]*\).*/torch==\1+cpu/p' $(2)); index=; \
  if [ "$$torch" ] && [ "$$(uname)" = Linux ] && ! $$install --quiet --dry-run $$torch >/dev/null 2>&1; then \
    index="--extra-index-url $(TORCH_INDEX)"; \
  fi; \
  $$install --require-hashes --no-build-isolation $$index -r $(2); \
  made_from >$(1)/.made-from.part; \
  mv $(1)/.made-from.part $(1)/.made-from; \
fi; \
if ! cmp -s pyproject.toml $(1)/.pyproject; then \
  $$install --no-build-isolation --editable .; \
  cp pyproject.toml $(1)/.pyproject.part; \
  mv $(1)/.pyproject.part $(1)/.pyproject; \
fi
endef
