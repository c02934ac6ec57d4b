"""More than one at once: single flight, clients that leave, a full queue, deadlines. One decoder, two may wait."""

import struct
import zlib
from collections.abc import Iterator

import httpx
import pytest

from tests.conftest import Server, serving
from tests.contract import answer_of, begin_upload, client, metric, problem, until
from tests.pictures import jpeg


@pytest.fixture(scope="module")
def tight(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    limits = {"GAZECROP_WORKERS": "1", "GAZECROP_MAX_QUEUE": "2"}
    with serving(tmp_path_factory.mktemp("tight"), limits) as running:
        yield running


@pytest.fixture(scope="module")
def api(tight: Server) -> Iterator[httpx.Client]:
    with client(tight.url) as running:
        yield running


def slow(shade: int) -> bytes:
    """A PNG of 29 MP in 16 bits and three channels, in few bytes: about a second for a decoder. It shows nothing."""
    side = 5400

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    packer = zlib.compressobj(1)
    row = b"\0" + bytes([shade]) * (side * 6)
    rows = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


class Holder:
    """Keeps the only decoder busy; everything that comes now waits at the gate."""

    def __init__(self, url: str, api: httpx.Client, shade: int) -> None:
        self._api = api
        self.infers = metric(api, "gazecrop_stage_seconds_count", stage="infer")
        self.looked_up = self._count("store")
        self.connection = begin_upload(url, slow(shade))
        self.arrived(1)

    def _count(self, stage: str) -> float:
        return metric(self._api, "gazecrop_stage_seconds_count", stage=stage)

    def arrived(self, uploads: int) -> None:
        """Waits until so many were looked up; from there they go to the gate, or join a flight, in one step."""
        until(lambda: self._count("store") >= self.looked_up + uploads)

    def waiting(self, count: int) -> None:
        until(lambda: metric(self._api, "gazecrop_queue_depth", gate="decode") == count)

    def inferred(self) -> float:
        return self._count("infer") - self.infers


def gone(api: httpx.Client) -> float:
    return metric(api, "gazecrop_requests_total", route="/v1/images", method="POST", status="499")


def test_uploads_of_the_same_bytes_are_one_inference(tight: Server, api: httpx.Client) -> None:
    """Who began it leaves; the others still get its answer."""
    data, left = jpeg(seed=1), gone(api)
    holder = Holder(tight.url, api, 1)
    first = begin_upload(tight.url, data)
    holder.waiting(1)
    others = [begin_upload(tight.url, data) for _ in range(2)]
    holder.arrived(4)
    holder.waiting(1)  # they wait for the first one's work, not at the gate
    first.close()
    until(lambda: gone(api) == left + 1)
    answers = [answer_of(other) for other in others]
    assert [answer.status_code for answer in answers] == [200, 200]  # not they began it
    assert answers[0].json() == answers[1].json()
    assert answer_of(holder.connection).status_code == 201
    assert holder.inferred() == 1


def test_when_all_have_left_the_work_is_not_begun(tight: Server, api: httpx.Client) -> None:
    data, left = jpeg(seed=2), gone(api)
    holder = Holder(tight.url, api, 2)
    clients = [begin_upload(tight.url, data) for _ in range(2)]
    holder.arrived(3)
    for each in clients:
        each.close()
    holder.waiting(0)
    until(lambda: gone(api) == left + 2)
    assert answer_of(holder.connection).status_code == 201
    assert holder.inferred() == 0
    assert api.post("/v1/images", content=data).status_code == 201  # nothing was kept


def test_a_deadline_ends_only_the_request_that_set_it(tight: Server, api: httpx.Client) -> None:
    """504 before the work began; who joined that work without a deadline is answered."""
    data = jpeg(seed=3)
    holder = Holder(tight.url, api, 3)
    # Shorter than the holder on a fast machine.
    hasty = begin_upload(tight.url, data, headers="X-Request-Timeout: 0.15\r\n")
    holder.arrived(2)  # it may have its answer already
    patient = begin_upload(tight.url, data)
    holder.arrived(3)
    document = problem(answer_of(hasty), 504, "deadline_passed")
    assert "before the work began" in document["title"]
    assert answer_of(patient).status_code == 201
    assert answer_of(holder.connection).status_code == 201
    assert holder.inferred() == 1


def test_a_full_queue_refuses_before_the_body_is_read(tight: Server, api: httpx.Client) -> None:
    shed = metric(api, "gazecrop_shed_total", gate="decode")
    holder = Holder(tight.url, api, 4)
    waiting = [begin_upload(tight.url, jpeg(seed=seed)) for seed in (4, 5)]
    holder.waiting(2)
    refused = answer_of(begin_upload(tight.url, jpeg(seed=6), sent=100))  # the rest never comes
    problem(refused, 503, "overloaded")
    assert int(refused.headers["retry-after"]) >= 1 and refused.headers["connection"] == "close"
    for path in ("/v1/crop?ratio=1:1", "/v1/explain"):
        problem(api.post(path, content=jpeg(seed=7)), 503, "overloaded")
    door = api.post("/v1/images:annotate", json={"requests": [{}]})
    assert (door.status_code, door.json()["error"]["status"]) == (503, "UNAVAILABLE")
    assert metric(api, "gazecrop_shed_total", gate="decode") == shed + 4
    assert [answer_of(each).status_code for each in (holder.connection, *waiting)] == [201] * 3
    assert api.post("/v1/images", content=jpeg(seed=6)).status_code == 201


def test_who_waits_for_a_drawing_may_leave(tight: Server, api: httpx.Client) -> None:
    """Rendering has a queue of its own, and its place is free again."""
    route = "/v1/crop"
    left = metric(api, "gazecrop_requests_total", route=route, status="499")
    data = slow(5)
    assert api.post("/v1/images", content=data).status_code == 201
    holders = [begin_upload(tight.url, data, path=f"{route}?ratio=1:1&width=50") for _ in range(2)]
    until(lambda: metric(api, "gazecrop_queue_depth", gate="render") == 1)
    holders[1].close()
    until(lambda: metric(api, "gazecrop_requests_total", route=route, status="499") == left + 1)
    assert metric(api, "gazecrop_queue_depth", gate="render") == 0
    assert answer_of(holders[0]).status_code == 200
