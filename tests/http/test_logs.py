"""The log: a line for each request but the probes, as text or as JSON; a warning for a misspelt setting."""

import asyncio
import json
import logging
import os
import re
import select
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from gazecrop import __version__
from gazecrop.http import logs
from gazecrop.http.logs import Access, JsonFormatter, TextFormatter
from gazecrop.metrics import STAGES
from gazecrop.settings import Settings, unknown_variables
from tests.conftest import Server, serving
from tests.helpers.contract import begin_upload, place_of, until
from tests.helpers.pictures import jpeg

Start = Callable[..., Server]


def lines(server: Server) -> list[dict[str, Any]]:
    """Every line of a server's log, all of which are JSON."""
    return [json.loads(line) for line in server.log.read_text().splitlines()]


def accesses(server: Server) -> list[dict[str, Any]]:
    return [line for line in lines(server) if line["logger"] == "gazecrop.access"]


def test_every_request_is_one_json_line_and_a_probe_is_none(start_server: Start) -> None:
    server = start_server(GAZECROP_LOG_FORMAT="json", GAZECROP_CORS_ORIGINS="*")
    with httpx.Client(base_url=server.url, timeout=30) as api:
        for path in ("/healthz", "/readyz"):
            assert api.get(path).status_code == api.head(path).status_code == 200
        answer = api.post("/v1/images?ratios=1:1", content=jpeg(seed=850), headers={"x-request-id": "mine"})
        place = place_of(answer)
        api.head(f"{place}/crops/1:1?zoom=2")
        api.get("/v1/images/secret-id")
        api.get("/no/such/secret")
        api.get("/page.js")
        api.get("/metrics")
        api.options(place, headers={"origin": "https://a.example", "access-control-request-method": "GET"})
        api.post("/v1/images", content=b"no picture")
    begin_upload(server.url, jpeg(seed=851), sent=100).close()
    until(lambda: len(accesses(server)) >= 9)
    found = accesses(server)
    assert sorted((one["method"], one["route"], one["status"]) for one in found) == sorted(
        [
            ("POST", "/v1/images", 201),
            ("HEAD", "/v1/images/{id}/crops/{ratio}", 200),
            ("GET", "/v1/images/{id}", 404),
            ("GET", "unmatched", 404),
            ("GET", "/page.js", 200),
            ("GET", "/metrics", 200),
            ("OPTIONS", "unmatched", 200),
            ("POST", "/v1/images", 415),
            ("POST", "/v1/images", 499),
        ]
    )
    upload = found[0]
    assert (upload["level"], upload["request_id"]) == ("info", "mine")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", upload["time"])
    assert upload["stages"].keys() == set(STAGES) - {"render"}
    assert 0 < sum(upload["stages"].values()) <= upload["ms"] + 1
    assert len({one["request_id"] for one in found}) == len(found)
    assert "secret" not in server.log.read_text() and answer.json()["id"] not in server.log.read_text()


def test_one_line_states_what_was_started(start_server: Start) -> None:
    """Neither the address of the store nor a key is in the log."""
    server = start_server(
        GAZECROP_LOG_FORMAT="json", GAZECROP_API_KEYS="secret-1", GAZECROP_METRICS_KEY="secret-2"
    )
    until(lambda: "started: " in server.log.read_text())
    [start] = [line for line in lines(server) if line["message"].startswith("started: ")]
    assert (start["version"], start["store"], start["keys"]) == (__version__, "sqlite", True)
    assert (
        start["network"]
        and start["file"].endswith(".onnx")
        and start["outputs"].startswith("density")
        and start["provider"].endswith("ExecutionProvider")
    )
    assert start["message"].endswith(f" on {start['provider']}, store sqlite, with keys")
    assert "secret" not in server.log.read_text()


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With the default settings, and no other requests than those of this module."""
    with serving(tmp_path_factory.mktemp("plain")) as running:
        yield running


def test_the_start_is_one_line_of_text(plain: Server) -> None:
    line = rf"INFO gazecrop: started: gazecrop {re.escape(__version__)}, network \S+ "
    line += r"\(\S+\.onnx, density(?: and objects)?\) on \w+, "
    until(lambda: "started: " in plain.log.read_text())
    assert len(re.findall(rf"{line}store sqlite, without keys\n", plain.log.read_text())) == 1


def test_the_default_is_text(plain: Server) -> None:
    httpx.get(f"{plain.url}/v1/images/x/crops?zoom=2", headers={"x-request-id": "a b"})
    httpx.get(f"{plain.url}/healthz")
    line = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d INFO gazecrop\.access: "
    line += r"GET /v1/images/\{id\}/crops 404 ms=[\d.]+ store=[\d.]+ id=a b"
    until(lambda: re.search(rf"^{line}$", plain.log.read_text(), re.MULTILINE))
    assert len(re.findall("gazecrop.access", plain.log.read_text())) == 1


def test_above_info_no_request_is_logged(start_server: Start) -> None:
    server = start_server(GAZECROP_LOG_LEVEL="warning", GAZECROP_LOG_FORMAT="json", GAZECROP_MAX_BYTE="5")
    httpx.get(f"{server.url}/v1/images/x")
    assert server.stop() == 0
    [line] = lines(server)
    assert (line["level"], line["logger"]) == ("warning", "gazecrop")
    assert "GAZECROP_MAX_BYTE " in line["message"] and "GAZECROP_MAX_BYTES?" in line["message"]


async def test_lines_are_collected_and_written_in_order(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "FLUSH_SECONDS", 0.5)
    logger = logging.Logger("gazecrop")
    handler = logs.Handler(Settings(log_format="json"))
    logger.addHandler(handler)

    def written() -> list[str]:
        return [json.loads(line)["message"] for line in capsys.readouterr().err.splitlines()]

    for word in ("one", "two"):
        logger.info(word)
    found = written()
    assert found == []
    async with asyncio.timeout(20):
        while len(found) < 2:
            await asyncio.sleep(0.02)
            found += written()
    assert found == ["one", "two"]
    logger.info("three")
    logger.warning("four")  # at once, with what was collected
    assert written() == ["three", "four"]
    await asyncio.to_thread(logger.info, "five")  # no event loop in this thread
    assert written() == ["five"]
    logger.info("six")
    handler.close()
    logger.info("seven")
    handler.flush()  # as logging.shutdown does at exit
    assert written() == ["six", "seven"]


def test_a_request_that_fails_is_logged_with_its_traceback() -> None:
    try:
        raise ValueError("broken\nhere")
    except ValueError:
        record = logging.LogRecord("gazecrop", logging.ERROR, "x.py", 1, "request %s", ("a",), sys.exc_info())
    line = JsonFormatter().format(record)
    assert "\n" not in line
    document = json.loads(line)
    assert (document["level"], document["message"]) == ("error", "request a")
    assert "Traceback" in document["exception"] and "broken\nhere" in document["exception"]
    assert "ERROR gazecrop: request a\nTraceback" in TextFormatter().format(record)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("GAZECROP_API_KEY", "GAZECROP_API_KEYS"),
        ("GAZECROP_MAX_DOOR_BYTES", ""),
        ("GAZECROP_WORKER", "GAZECROP_WORKERS"),
        ("gazecrop_datadir", "GAZECROP_DATA_DIR"),
        ("GAZECROP_REDIS_URL", "REDIS_URL"),
        ("GAZECROP_PORT", "PORT"),
        ("GAZECROP_XYZZY", ""),
    ],
)
def test_a_variable_that_is_no_setting_is_named(name: str, hint: str) -> None:
    [warning] = unknown_variables({name: "1", "PATH": "/bin", "GAZECROP_API_KEYS": "k"})
    assert warning.startswith(f"{name} is set") and hint in warning


def test_settings_and_what_kubernetes_sets_are_no_mistakes() -> None:
    environment = {
        "PORT": "1", "REDIS_URL": "x", "GAZECROP_MAX_BYTES": "1", "gazecrop_log_format": "json", "GAZECROPS": "x",
        "GAZECROP_SERVICE_HOST": "10.0.0.1", "GAZECROP_SERVICE_PORT": "80", "GAZECROP_SERVICE_PORT_HTTP": "80",
        "GAZECROP_PORT": "tcp://10.0.0.1:80", "GAZECROP_PORT_80_TCP": "tcp://10.0.0.1:80",
        "GAZECROP_PORT_80_TCP_PROTO": "tcp", "GAZECROP_PORT_80_TCP_ADDR": "10.0.0.1",
    }  # fmt: skip
    assert unknown_variables(environment) == []


def an_access(number: int, trace_id: str | None = None) -> Access:
    stages = {"read": 0.00123456, "store": 0.1}
    return Access(
        1_700_000_000.0625 + number, "GET", "/v1/x", 200, 0.0123456, stages, f"id-{number}", trace_id
    )


def test_the_line_of_a_request_is_that_of_its_record() -> None:
    """The formatters of any other record make the same line."""
    for access in (an_access(1), an_access(2, "trace")):
        record = access.record()
        record.created, record.msecs = access.at, access.at % 1 * 1000
        assert access.json_line() == JsonFormatter().format(record)
        assert access.text_line() == TextFormatter().format(record)


async def test_requests_and_other_lines_keep_their_order(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = logs.Handler(Settings(log_format="json"))
    logger = logging.Logger("gazecrop")
    logger.addHandler(handler)
    monkeypatch.setattr(logs, "_log", logger)
    monkeypatch.setattr(logs, "FLUSH_SECONDS", 3600.0)
    logs.log_access(an_access(1))
    logger.info("between")
    logs.log_access(an_access(2))
    logger.error("at once")
    written = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [one.get("request_id", one["message"]) for one in written] == [
        "id-1",
        "between",
        "id-2",
        "at once",
    ]
    other = logging.Handler()
    records: list[logging.LogRecord] = []
    monkeypatch.setattr(other, "emit", records.append)
    monkeypatch.setattr(logs._access, "handlers", [other])  # another handler gets a record
    monkeypatch.setattr(logs._access, "propagate", False)
    logs.log_access(an_access(3))
    assert [record.getMessage() for record in records] == ["GET /v1/x 200"]
    handler.close()


async def test_a_log_that_is_not_read_is_bounded_and_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard error is a pipe without a reader: its 64 kB are full after a few hundred lines."""
    monkeypatch.setattr(logs, "FLUSH_SECONDS", 0.001)
    reading, writing = os.pipe()
    with open(writing, "w") as stream, open(reading) as log:
        handler = logs.Handler(Settings(log_format="json"))
        handler.setStream(stream)
        began = time.monotonic()
        for number in range(2 * logs.MOST_LINES):
            if (
                number == 2000
            ):  # 64 kB and more: the thread waits for the reader from here on, however busy the machine
                await asyncio.to_thread(until, lambda: not select.select([], [writing], [], 0)[1])
                began = time.monotonic()
            handler.access(an_access(number))
            if number % 1000 == 0:
                await asyncio.sleep(0.002)
        assert time.monotonic() - began < 30
        assert len(handler._lines) == logs.MOST_LINES
        found: list[str] = []
        reader = threading.Thread(target=lambda: found.extend(log))
        reader.start()
        await asyncio.to_thread(handler.flush)
        handler.setStream(sys.stderr)
        stream.close()
        await asyncio.to_thread(reader.join)
        handler.close()
    lines = [json.loads(line) for line in found]
    written = [line["request_id"] for line in lines if "request_id" in line]
    assert written == [f"id-{number}" for number in range(len(written))] and len(written) >= logs.MOST_LINES
    (note,) = [line["message"] for line in lines if "request_id" not in line]
    assert (
        note
        == f"{2 * logs.MOST_LINES - len(written)} requests are not in this log, which was not read in time"
    )
