"""Several processes behind one address: GAZECROP_PROCESSES."""

import os
import re
import signal
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from gazecrop.settings import Settings
from tests.conftest import Server, serving
from tests.helpers.contract import answer_of, begin_upload, client, metric, place_of, until
from tests.helpers.pictures import jpeg


def children(server: Server) -> set[int]:
    pid = server.process.pid
    try:
        return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    except OSError:
        return set()


def who(answer: httpx.Response) -> str:
    """Which process answered: its request ids begin alike."""
    return answer.headers["x-request-id"].partition("-")[0]


def processes(url: str, connections: int) -> Counter[str]:
    """How many of new connections each process has; all are open at once."""
    clients = [httpx.Client(base_url=url, timeout=30) for _ in range(connections)]
    try:
        return Counter(who(one.get("/healthz")) for one in clients)
    finally:
        for one in clients:
            one.close()


def all_ready(url: str, count: int) -> None:
    until(lambda: len(processes(url, 4 * count)) == count, 60)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("two"), {"GAZECROP_PROCESSES": "2"}) as running:
        all_ready(running.url, 2)
        yield running


def test_connections_are_shared_alike(two: Server) -> None:
    """Not always 8 and 8: a process that gets no core for 20 ms loses its turn."""
    spread = [sorted(processes(two.url, 16).values()) for _ in range(5)]
    assert [8, 8] in spread and sum(small for small, _ in spread) >= 5 * 6, spread


def test_what_one_stores_the_other_has(two: Server) -> None:
    """With the embedded store. A change is seen within the second that a map in memory counts as fresh."""
    with ExitStack() as stack:
        found_by: dict[str, httpx.Client] = {}
        while len(found_by) < 2:
            api = stack.enter_context(client(two.url))
            found_by[who(api.get("/healthz"))] = api
        one, other = found_by.values()
        uploaded = one.post("/v1/images", content=jpeg(seed=31))
        place = place_of(uploaded)
        found = other.get(place)
        assert found.status_code == 200 and found.json() == uploaded.json()
        assert other.post("/v1/images", content=jpeg(seed=31)).status_code == 200
        other.put(f"{place}/focus", json={"x": 0.1, "y": 0.2})
        until(lambda: one.get(place).json()["focus"]["source"] == "person", 5)
        assert other.delete(place).status_code == 204
        until(lambda: one.get(place).status_code == 404, 5)


def test_metrics_are_those_of_all(two: Server) -> None:
    with httpx.Client(base_url=two.url) as api:
        before = metric(api, "gazecrop_requests_total", route="/healthz")
        assert len(processes(two.url, 8)) == 2
        assert metric(api, "gazecrop_requests_total", route="/healthz") == before + 8
        text = api.get("/metrics").text
        until(lambda: metric(api, "gazecrop_store_up") == 1.0)
    assert len(re.findall("^gazecrop_model_info{", text, re.M)) == 1
    assert len(re.findall("^gazecrop_loop_lag_seconds ", text, re.M)) == 1 and "pid=" not in text
    resident = float(re.findall(r"^process_resident_memory_bytes (\S+)", text, re.M)[0])
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in children(two))
    assert resident >= 0.9 * pages * os.sysconf("SC_PAGE_SIZE")


def test_one_that_is_killed_is_replaced_and_the_other_answers_meanwhile(two: Server) -> None:
    with httpx.Client(base_url=two.url, timeout=30) as api:
        total = metric(api, "gazecrop_requests_total", route="/healthz")
    before = children(two)
    victim, count = min(before), 100
    os.kill(victim, signal.SIGKILL)
    until(lambda: len(children(two) - before) == 1, 60)
    (replacement,) = children(two) - before
    os.kill(replacement, signal.SIGSTOP)  # however long it takes to start
    try:
        answers = [httpx.get(f"{two.url}/healthz", timeout=30) for _ in range(count)]
    finally:
        os.kill(replacement, signal.SIGCONT)
    assert {answer.status_code for answer in answers} == {200} and len({who(one) for one in answers}) == 1
    all_ready(two.url, 2)
    with httpx.Client(base_url=two.url, timeout=30) as api:
        assert metric(api, "gazecrop_requests_total", route="/healthz") >= total + count
        until(lambda: metric(api, "gazecrop_store_up") == 1.0)
    assert f"process {victim} ended with -9" in two.log.read_text()


def test_a_stop_lets_uploads_end_in_each(tmp_path: Path) -> None:
    with serving(tmp_path, {"GAZECROP_PROCESSES": "2"}) as server:
        all_ready(server.url, 2)
        data = [jpeg(seed=seed) for seed in range(40, 44)]
        halves = [begin_upload(server.url, one, sent=1000) for one in data]
        with httpx.Client(base_url=server.url) as api:
            until(lambda: api.get("/readyz").status_code == 200)
        server.process.terminate()
        until(lambda: httpx.get(f"{server.url}/readyz").status_code == 503)
        for half, one in zip(halves, data, strict=True):
            half.sendall(one[1000:])
        assert [answer_of(half).status_code for half in halves] == [201] * 4
        assert server.process.wait(30) == 0
        assert "Traceback" not in server.log.read_text()


def test_none_is_left_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    with serving(tmp_path, {"GAZECROP_PROCESSES": "2"}) as server:
        all_ready(server.url, 2)
        orphans = children(server)
        assert len(orphans) == 2
        server.process.kill()
        until(lambda: not any(Path(f"/proc/{pid}/maps").exists() and _runs(pid) for pid in orphans))
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=5)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_limits_are_divided() -> None:
    whole = Settings(workers=8, processes=4, memory_megabytes=4000, map_megabytes=32, reports_per_hour=60)
    one = whole.share()
    assert (one.workers, one.memory_megabytes, one.map_megabytes, one.reports_per_hour) == (2, 1000, 8, 15)
    unset = Settings(processes=4)
    assert unset.share().memory == pytest.approx(unset.memory / 4, abs=1)
    tiny = Settings(workers=1, processes=4, map_megabytes=1, reports_per_hour=1).share()
    assert (tiny.workers, tiny.map_megabytes, tiny.reports_per_hour) == (1, 1, 1)
    assert Settings().share() == Settings()


@pytest.mark.parametrize(("workers", "processes"), [(1, 1), (2, 1), (8, 4), (9, 4)])
def test_auto_is_one_for_two_workers(workers: int, processes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAZECROP_PROCESSES", "auto")
    monkeypatch.setenv("GAZECROP_WORKERS", str(workers))
    assert Settings().processes == processes
