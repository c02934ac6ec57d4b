"""The load test itself runs, against a real server."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Server
from tests.helpers.shipping import ROOT


@pytest.mark.long
def test_the_load_test_runs_without_a_failure(server: Server, tmp_path: Path) -> None:
    program = [str(Path(sys.executable).with_name("locust")), "-f", str(ROOT / "loadtests/locustfile.py")]
    options = [
        "--host",
        server.url,
        "--headless",
        "-u",
        "3",
        "-r",
        "3",
        "-t",
        "10s",
        "--stop-timeout",
        "30",
        "--csv",
        str(tmp_path / "l"),
    ]
    done = subprocess.run(
        [*program, *options],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=120,
        env=os.environ | {"RATE": "5"},
    )
    assert done.returncode == 0, done.stdout + done.stderr  # 1 when any request failed
    *rows, total = (tmp_path / "l_stats.csv").read_text().splitlines()[1:]
    assert {row.split(",")[0] for row in rows} >= {"POST", "GET"}
    assert {row.split(",")[1] for row in rows} >= {"/v1/images (new)", "/v1/images (known)"}
    assert int(total.split(",")[2]) >= 10
