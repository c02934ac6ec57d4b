"""SIGTERM during the start. As process 1 of a container a signal is dropped until a handler is there."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import command
from tests.helpers.contract import until

TERM = 1 << (signal.SIGTERM - 1)
NAMESPACE = ["unshare", "--pid", "--fork", "--kill-child"]


def first_in_a_namespace() -> list[str]:
    command("unshare")
    for options in ([], ["--user", "--map-root-user"]):
        start = [NAMESPACE[0], *options, *NAMESPACE[1:]]
        if subprocess.run([*start, "true"], capture_output=True).returncode == 0:
            return start
    pytest.skip("no namespace of processes is allowed here")


def read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except OSError:
        return ""


def child_of(pid: int) -> int:
    return int(read(pid, f"task/{pid}/children") or 0)


def handles_sigterm(pid: int) -> bool:
    caught = read(pid, "status").partition("SigCgt:")[2].split()
    return bool(caught and int(caught[0], 16) & TERM)


@pytest.mark.parametrize("first", [True, False])
def test_it_ends_at_once_and_the_imports_are_not_waited_for(first: bool, tmp_path: Path) -> None:
    start = first_in_a_namespace() if first else []
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("GAZECROP_") and k != "REDIS_URL"}
    process = subprocess.Popen(
        [*start, sys.executable, "-m", "gazecrop", "serve"],
        env=inherited | {"PORT": "0", "GAZECROP_DEVICE": "cpu", "GAZECROP_DATA_DIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        pid = until(lambda: child_of(process.pid)) if first else process.pid
        until(lambda: handles_sigterm(pid))
        assert "pydantic_core" not in read(pid, "maps"), "the handler comes after the imports"
        os.kill(pid, signal.SIGTERM)
        sent = time.monotonic()
        out, _ = process.communicate(timeout=20)
        assert time.monotonic() - sent < 5
    finally:
        process.kill()
        process.communicate()
    assert (process.returncode, out) == (0, "")


def test_while_the_network_is_loaded(tmp_path: Path) -> None:
    """The server's own handler: the store's folder is a pipe without a writer, so that the start does not end."""
    store = tmp_path / "models"
    store.mkdir()
    os.mkfifo(store / "manifest.json")
    process = subprocess.Popen(
        [sys.executable, "-m", "gazecrop", "serve"],
        env=os.environ
        | {"PORT": "0", "GAZECROP_MODEL_STORE": str(store), "GAZECROP_DATA_DIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout
        until(lambda: "Waiting for application startup" in process.stdout.readline(), 60)  # type: ignore[union-attr]
        process.terminate()
        process.communicate(timeout=20)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0
