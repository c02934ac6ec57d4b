# The service as `make serve` sets it up: the same hashed locks, nothing else. `docker compose up` runs it with Redis.
# The base, by the digest of its index for all processors: docs/docker.md says how to move it. The one place that names it.
ARG PYTHON=python:3.12.14-slim-trixie@sha256:78387bc3881b8273120a12ebe6c1ab22b018ccc2c9adf565ae1ac9b536e184ea
# EXTRA=cuda for GPUs (2.5 GB; the host gives the driver only) or EXTRA=heic, EXTRA=otel, EXTRA=sources (pictures by URL, the worker)
ARG EXTRA=
# A stage for each lock: a change of one leaves the other images' layers as they are.
FROM ${PYTHON} AS lock-cpu
COPY requirements.lock /build/lock
FROM ${PYTHON} AS lock-cuda
COPY docker/cuda.lock /build/lock
FROM ${PYTHON} AS lock-heic
COPY docker/heic.lock /build/lock
FROM ${PYTHON} AS lock-otel
COPY docker/otel.lock /build/lock
FROM ${PYTHON} AS lock-sources
COPY docker/sources.lock /build/lock
FROM ${PYTHON} AS lock-sbom
COPY docker/sbom.lock /build/lock
RUN python3 -m venv /sbom && /sbom/bin/pip install --no-cache-dir --quiet --require-hashes -r /build/lock

FROM lock-${EXTRA:-cpu} AS build
WORKDIR /build
RUN python3 -m venv /venv && /venv/bin/pip install --no-cache-dir --quiet --require-hashes -r lock
# A failed download fails the build: two builds of one commit must have the same files.
COPY service/gazecrop/page_setup/ page_setup/
RUN /venv/bin/python page_setup/fetch_examples.py examples
RUN page_setup/fetch_libraries.sh /venv/bin/pip page_setup/npm vendor
RUN /venv/bin/pip uninstall --quiet --yes pip
# The bill of materials of what is installed by now: /app/sbom.cdx.json.
COPY docker/sbom.py service/gazecrop/__init__.py ./
COPY --from=lock-sbom /sbom /sbom
RUN /sbom/bin/python sbom.py environment /venv/bin/python __init__.py page_setup/npm/package-lock.json sbom.cdx.json

FROM ${PYTHON}
# Platforms that run a random user give it the group root (OpenShift): /data is writable by that group.
# A fixed number, since Kubernetes' runAsNonRoot checks that it is not 0.
RUN useradd --uid 10001 --no-create-home gazecrop \
    && install --directory --owner gazecrop --group root --mode 0775 /data
# Loopback inside a container is not reachable from outside; the host decides which address is published. The service
# starts with GAZECROP_API_KEYS, or with GAZECROP_OPEN=true, and is refused with that sentence otherwise.
ENV PATH=/venv/bin:$PATH PYTHONPATH=/app/service PYTHONUNBUFFERED=1 \
    GAZECROP_HOST=0.0.0.0 GAZECROP_DATA_DIR=/data PORT=8000
# Large pages for blocks of 2 MB and more: a progressive JPEG of 12 megapixels takes a quarter less CPU.
ENV GLIBC_TUNABLES=glibc.malloc.hugetlb=1
WORKDIR /app
COPY LICENSE NOTICE ./
COPY --from=build /venv /venv
COPY service/gazecrop/ service/gazecrop/
COPY --from=build /build/examples service/gazecrop/page/examples/
COPY --from=build /build/vendor service/gazecrop/page/vendor/
COPY --from=build /build/sbom.cdx.json ./
# The command of the README; and byte code now, since the root file system may be read-only.
RUN printf '#!/venv/bin/python\nfrom gazecrop.cli import main\n\nraise SystemExit(main())\n' > /venv/bin/gazecrop \
    && chmod +x /venv/bin/gazecrop && python -m compileall -q service
# Last, since it changes without the rest.
COPY model_store/manifest.json model_store/*.onnx model_store/
# docker build --build-arg VERSION=0.2.0 --build-arg REVISION=$(git rev-parse HEAD) --build-arg SOURCE=URL
ARG VERSION=
ARG REVISION=
ARG SOURCE=
LABEL org.opencontainers.image.title=gazecrop org.opencontainers.image.licenses=Apache-2.0 \
    org.opencontainers.image.version=$VERSION org.opencontainers.image.revision=$REVISION \
    org.opencontainers.image.source=$SOURCE
USER 10001
VOLUME /data
EXPOSE 8000
HEALTHCHECK --start-period=30s --interval=10s --timeout=3s \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f\"http://127.0.0.1:{os.environ['PORT']}/readyz\", timeout=2)"]
CMD ["gazecrop", "serve"]
