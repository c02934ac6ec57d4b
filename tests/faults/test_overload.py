"""Overload in short, and the long form of memory. Bars on time are measured by `make faults`, on a quiet machine."""

import json
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.conftest import ROOT, Server
from tests.faults.memory import any_mix
from tests.helpers.pictures import jpeg

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")


@pytest.mark.long
def test_any_mix_of_hostile_and_large_files_stays_below_the_limit() -> None:
    row = any_mix()
    assert row.ok, row


def test_more_than_can_be_served_is_refused_and_nothing_hangs(
    start_server: Callable[..., Server], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Open arrivals of small pictures, far more than one decoder serves: each gets an answer soon."""
    server = start_server(GAZECROP_WORKERS="1", GAZECROP_MAX_WAIT_SECONDS="0.2")
    file = tmp_path_factory.mktemp("arrivals") / "picture"
    file.write_bytes(jpeg(2400, 1800))
    command = [
        sys.executable,
        "-m",
        "tests.faults.arrivals",
        server.url.rpartition(":")[2],
        "400",
        "2",
        str(file),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True, timeout=120)
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(records) == 800
    assert {one["status"] for one in records} == {201, 503}
    assert all(one["after"] >= 1 for one in records if one["status"] == 503)
