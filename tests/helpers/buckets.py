"""Servers of buckets, each in an environment of its own: moto's of S3, and an emulator of Google Cloud Storage."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import free_port
from tests.helpers.contract import ready, until
from tests.helpers.environments import python_environment_apart

MOTO = "moto[server]==5.2.5"
# 2026.7 needs no setuptools, which releases before it imported.
GCS = "gcp-storage-emulator==2026.7.19"


def credentials(url: str) -> dict[str, str]:
    """The variables of a process whose S3 is moto's."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


@contextmanager
def s3_server() -> Iterator[str]:
    """The URL."""
    port = free_port()
    program = python_environment_apart("moto", MOTO) / "moto_server"
    with _running([str(program), "-H", "127.0.0.1", "-p", str(port)], port, "/moto-api/") as url:
        yield url


@contextmanager
def gcs_server(folder: Path) -> Iterator[str]:
    """The URL. `folder`: where the objects are kept."""
    port = free_port()
    program = python_environment_apart("gcs", GCS) / "gcp-storage-emulator"
    options = ["start", "--host", "127.0.0.1", "--port", str(port), "--in-memory"]
    with _running([str(program), "--data-dir", str(folder), *options], port, "/") as url:
        yield url


@contextmanager
def _running(program: list[str], port: int, path: str) -> Iterator[str]:
    url = f"http://127.0.0.1:{port}"
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "STORAGE_"))}
    server = subprocess.Popen(program, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(ready(url + path, server), 60)
        yield url
    finally:
        server.terminate()
        server.wait()
