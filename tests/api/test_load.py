"""Concurrent requests: single flight, disconnects, a full queue, deadlines. One decoder, a queue of two."""

from collections.abc import Iterator

import httpx
import pytest
from PIL import Image

from tests.helpers.contract import Begin, answer_of, client, metric, problem, until, uploads
from tests.helpers.inprocess import Held, holdable
from tests.helpers.pictures import encode, jpeg


@pytest.fixture(scope="module")
def tight(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Held]:
    with holdable(tmp_path_factory.mktemp("tight"), workers=1, max_wait_seconds=60) as running:
        running.parts.gate.max_queue = 2
        yield running


@pytest.fixture(scope="module")
def api(tight: Held) -> Iterator[httpx.Client]:
    with client(tight.url) as running:
        yield running


@pytest.fixture
def begin(tight: Held) -> Iterator[Begin]:
    with uploads(tight.url) as begin_one:
        yield begin_one


def plain(shade: int) -> bytes:
    """A flat picture, for which no inference is needed."""
    return encode(Image.new("L", (64, 64), shade), "PNG")


class Holder:
    """An upload at the only decoder, which is blocked: all further uploads wait at the gate."""

    def __init__(self, api: httpx.Client, begin: Begin, shade: int) -> None:
        self._api = api
        self.infers = self._count("infer")
        self.looked_up = self._count("store")
        self.connection = begin(plain(shade))
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


def test_uploads_of_the_same_bytes_are_one_inference(tight: Held, api: httpx.Client, begin: Begin) -> None:
    """The first client disconnects; the others still get the result."""
    data, left = jpeg(seed=1), gone(api)
    with tight.decoding():
        holder = Holder(api, begin, 1)
        first = begin(data)
        holder.waiting(1)
        others = [begin(data) for _ in range(2)]
        holder.arrived(4)
        holder.waiting(1)  # they wait for the first one's work, not at the gate
        first.close()
        until(lambda: gone(api) == left + 1)
    answers = [answer_of(other) for other in others]
    assert [answer.status_code for answer in answers] == [200, 200]  # not they began it
    assert answers[0].json() == answers[1].json()
    assert answer_of(holder.connection).status_code == 201
    assert holder.inferred() == 1


def test_when_all_clients_have_disconnected_the_work_is_not_begun(
    tight: Held, api: httpx.Client, begin: Begin
) -> None:
    data, left = jpeg(seed=2), gone(api)
    with tight.decoding():
        holder = Holder(api, begin, 2)
        clients = [begin(data) for _ in range(2)]
        holder.arrived(3)
        for each in clients:
            each.close()
        holder.waiting(0)
        until(lambda: gone(api) == left + 2)
    assert answer_of(holder.connection).status_code == 201
    assert holder.inferred() == 0
    assert api.post("/v1/images", content=data).status_code == 201  # nothing was kept


def test_a_deadline_ends_only_the_request_that_set_it(tight: Held, api: httpx.Client, begin: Begin) -> None:
    """504 before the work began; a request without a deadline that joined it gets its result."""
    data = jpeg(seed=3)
    with tight.decoding():
        holder = Holder(api, begin, 3)
        hasty = begin(data, headers="X-Request-Timeout: 0.5\r\n")
        holder.arrived(2)  # on a slow machine it may have its answer already, the same
        patient = begin(data)
        holder.arrived(3)
        document = problem(answer_of(hasty), 504, "deadline_passed")
        assert "before the work began" in document["title"]
    assert answer_of(patient).status_code == 201
    assert answer_of(holder.connection).status_code == 201
    assert holder.inferred() == 1


def test_a_full_queue_refuses_before_the_body_is_read(tight: Held, api: httpx.Client, begin: Begin) -> None:
    shed = metric(api, "gazecrop_shed_total", gate="decode")
    with tight.decoding():
        holder = Holder(api, begin, 4)
        waiting = [begin(jpeg(seed=seed)) for seed in (4, 5)]
        holder.waiting(2)
        refused = answer_of(begin(jpeg(seed=6), sent=100))  # the rest never comes
        problem(refused, 503, "overloaded")
        assert int(refused.headers["retry-after"]) >= 1 and refused.headers["connection"] == "close"
        for path in ("/v1/crop?ratio=1:1", "/v1/explain"):
            problem(api.post(path, content=jpeg(seed=7)), 503, "overloaded")
        google = api.post("/v1/images:annotate", json={"requests": [{}]})
        assert (google.status_code, google.json()["error"]["status"]) == (503, "UNAVAILABLE")
        assert metric(api, "gazecrop_shed_total", gate="decode") == shed + 4
    assert [answer_of(each).status_code for each in (holder.connection, *waiting)] == [201] * 3
    assert api.post("/v1/images", content=jpeg(seed=6)).status_code == 201


def test_a_client_that_waits_for_rendering_may_disconnect(
    tight: Held, api: httpx.Client, begin: Begin
) -> None:
    """Rendering has its own queue, and the place in it is freed."""
    route = "/v1/crop"
    left = metric(api, "gazecrop_requests_total", route=route, status="499")
    data = plain(5)
    assert api.post("/v1/images", content=data).status_code == 201
    with tight.rendering():
        inside = begin(data, path=f"{route}?ratio=1:1&width=50")
        until(lambda: tight.parts.render_gate.inside == 1)
        leaves = begin(data, path=f"{route}?ratio=1:1&width=50")
        until(lambda: metric(api, "gazecrop_queue_depth", gate="render") == 1)
        leaves.close()
        until(lambda: metric(api, "gazecrop_requests_total", route=route, status="499") == left + 1)
        assert metric(api, "gazecrop_queue_depth", gate="render") == 0
    assert answer_of(inside).status_code == 200
