"""The load test itself runs against a real server; arrivals do not wait for answers; thresholds set its exit status."""

import csv
import math
import re
import subprocess
import sys
import threading
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path

import pytest

from loadtests.arrivals import Tally, times
from loadtests.thresholds import CROP, SHED, UPLOAD, Row, add_options, broken
from tests.conftest import Server
from tests.helpers.shipping import ROOT


def options(*given: str) -> Namespace:
    parser = ArgumentParser()
    add_options(parser)
    return parser.parse_args(given)


ALL_SENT = Tally(offered=100, sent=100)
FAST = {CROP: Row(90, 0, 20.0), UPLOAD: Row(10, 0, 400.0)}


def test_a_run_within_its_thresholds_has_no_reasons() -> None:
    assert list(broken(options(), FAST, ALL_SENT)) == []


@pytest.mark.parametrize(
    ("given", "rows", "tally", "reason"),
    [
        (["--crop-p99", "19"], FAST, ALL_SENT, "p99 of /v1/images/{id}/crops/{ratio}: 20 ms, above 19."),
        (["--upload-p99", "399"], FAST, ALL_SENT, "p99 of /v1/images (new): 400 ms, above 399."),
        ([], {CROP: Row(90, 1, 20.0)}, ALL_SENT, "Failed: 1 of 90 requests."),
        ([], {}, ALL_SENT, "No request was answered"),
        ([], FAST, Tally(), "No request was answered, or none was due."),
        ([], FAST | {SHED: Row(1, 0, 1.0)}, ALL_SENT, "Refused with 503: 1 of 11 uploads."),
        ([], FAST, Tally(100, 98), "The load was not that which was asked for"),
        ([], FAST, Tally(100, 100, late=2), "The load was not that which was asked for"),
    ],
)
def test_each_threshold_gives_its_reason(
    given: list[str], rows: dict[str, Row], tally: Tally, reason: str
) -> None:
    [found] = broken(options(*given), rows, tally)
    assert found.startswith(reason)


def test_what_was_not_sent_is_stated() -> None:
    assert Tally(10, 10).sentence() == "Arrivals: 10 offered, 10 sent."
    assert "2 were NOT sent, 1 of them" in Tally(10, 8, full=1).sentence()
    assert "3 started" in Tally(10, 10, late=3).sentence()


def test_arrivals_are_a_poisson_process() -> None:
    """Mean gap 1 / rate, and as large a deviation: independent visitors, not a metronome."""
    found = list(islice(times(50.0, 0.0), 4001))
    gaps = [b - a for a, b in zip(found, found[1:], strict=False)]
    mean = sum(gaps) / len(gaps)
    assert mean == pytest.approx(0.02, rel=0.1)  # five deviations are 0.08
    assert math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) == pytest.approx(mean, rel=0.15)


def locust(folder: Path, host: str, *given: str) -> tuple[int, str, list[dict[str, str]]]:
    """Runs it for some seconds. Gives its status, what it wrote, and the rows of its statistics."""
    program = [sys.executable, "-m", "loadtests.run", "--host", host, "--csv", str(folder / "l"), *given]
    done = subprocess.run(program, capture_output=True, text=True, cwd=ROOT, timeout=180)
    with (folder / "l_stats.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["Name"] != "Aggregated"]
    return done.returncode, done.stdout + done.stderr, rows


def arrivals(output: str) -> tuple[int, int]:
    [(offered, sent)] = re.findall(r"Arrivals: (\d+) offered, (\d+) sent", output)
    return int(offered), int(sent)


@pytest.mark.long
def test_the_load_test_runs_without_a_failure(server: Server, tmp_path: Path) -> None:
    """On a busy machine crops may be slow; nothing fails, and all is sent."""
    lenient = ["--crop-p99", "10000", "--max-shed", "1", "--max-unsent", "1"]
    status, output, rows = locust(tmp_path, server.url, "-u", "3", "-r", "3", "-t", "10s", *lenient)
    assert status == 0, output
    assert {row["Name"] for row in rows} >= {"/v1/images (new)", "/v1/images (known)", CROP}
    offered, sent = arrivals(output)
    assert offered >= sent >= 0.9 * offered >= 80  # of 150; 12.2 is the deviation


@pytest.mark.long
def test_a_slow_crop_makes_the_status_one(server: Server, tmp_path: Path) -> None:
    status, output, _ = locust(
        tmp_path, server.url, "-u", "1", "-t", "4s", "--crop-p99", "0.001", "--max-unsent", "1", "Crop"
    )
    assert status == 1 and "p99 of /v1/images/{id}/crops/{ratio}" in output, output


class _Slow(BaseHTTPRequestHandler):
    """Answers each request after two seconds, however many there are."""

    protocol_version = "HTTP/1.1"
    open = most = 0

    def do_POST(self) -> None:
        _Slow.open += 1
        _Slow.most = max(_Slow.most, _Slow.open)
        self.rfile.read(int(self.headers["content-length"]))
        time.sleep(2)
        self.send_response(201)
        self.send_header("content-length", "11")
        self.end_headers()
        self.wfile.write(b'{"id": "a"}')
        _Slow.open -= 1

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1000


@pytest.fixture
def slow() -> Iterator[str]:
    with _Server(("127.0.0.1", 0), _Slow) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.long
def test_a_slow_server_does_not_slow_the_arrivals_down(slow: str, tmp_path: Path) -> None:
    """One user, 10 arrivals per second for 8 s, each answered after 2 s. A closed loop would send 4."""
    options = ["-u", "1", "-t", "8s", "--rate", "10", "--max-unsent", "1", "Upload"]
    status, output, _ = locust(tmp_path, slow, *options)
    assert status == 0, output
    offered, sent = arrivals(output)
    assert offered >= sent >= 0.9 * offered >= 30  # of 60 after the first upload of 2 s; the deviation is 8
    assert _Slow.most >= 8
    # Those under way at the end are waited for. The file of statistics may lack the last second.
    [answered] = re.findall(r"Shutting down.*?Aggregated +(\d+)", output, re.S)
    assert int(answered) == sent + 1


@pytest.mark.long
def test_arrivals_that_cannot_be_sent_are_stated(slow: str, tmp_path: Path) -> None:
    options = ["-u", "1", "-t", "8s", "--rate", "10", "--in-flight", "2", "Upload"]
    status, output, _ = locust(tmp_path, slow, *options)
    offered, sent = arrivals(output)
    assert status == 1 and sent <= 8 < offered and f"{offered - sent} were NOT sent" in output


@pytest.mark.long
def test_make_load_starts_what_it_needs(tmp_path: Path) -> None:
    """Without --host: a service of its own, stopped afterwards."""
    csv_files = str(tmp_path / "l")
    lenient = ["--crop-p99", "10000", "--max-shed", "1", "--max-unsent", "1"]
    program = [sys.executable, "-m", "loadtests.run", "-u", "2", "-t", "5s", "--csv", csv_files, *lenient]
    done = subprocess.run(program, capture_output=True, text=True, cwd=ROOT, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
    assert CROP in (tmp_path / "l_stats.csv").read_text()
    # Started by make itself, as `make test-all` does, it would also print that it leaves the directory.
    command = ["make", "--no-print-directory", "--dry-run", "--always-make", "load", "LOAD=-u 7"]
    dry = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert dry.stdout.rstrip().endswith(".venv/bin/python -m loadtests.run -u 7")
    assert "requirements-dev.lock" in dry.stdout
