"""What a test leaves open is its own failure."""

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

TESTS = """
import gc
import socket

import pytest


@pytest.fixture(scope="module")
def shared():
    yield
    in_a_cycle()


def in_a_cycle():
    cycle = [socket.socket()]
    cycle.append(cycle)


def test_leaks():
    in_a_cycle()


def test_after_it():
    gc.collect()


def test_fails():
    open_still = socket.socket()
    assert not open_still.fileno()


def test_after_the_failure():
    gc.collect()


def test_file():
    cycle = [open(__file__)]
    cycle.append(cycle)


def test_after_the_file(shared):
    gc.collect()
"""


def test_a_leak_fails_the_test_that_leaks(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "test_next.py").write_text("import gc\n\ndef test_in_the_next_file():\n    gc.collect()\n")
    plugins = ["-p", "tests.helpers.leaks", "-p", "no:cacheprovider"]
    program = [sys.executable, "-m", "pytest", *plugins, "-q", "-rfE"]
    alone = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # ten times as fast
    done = subprocess.run(
        [*program, str(tmp_path)], env=alone, cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    ends = [
        line.partition(" - ")[0] for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR "))
    ]
    assert {(end.split()[0], end.rpartition("::")[2]) for end in ends} == {
        ("ERROR", "test_leaks"),
        ("FAILED", "test_fails"),
        ("ERROR", "test_fails"),
        ("ERROR", "test_file"),
        ("ERROR", "test_after_the_file"),  # the last of its file, with which the shared fixture ends
    }, done.stdout
    assert "ResourceWarning: unclosed" in done.stdout
