"""The response cache of the hot route: bounded, and cleared by a DELETE. (Its responses: tests/api/test_crops.py.)"""

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from gazecrop.concurrency.bodies import Bodies
from gazecrop.crop.grid import SaliencyGrid
from gazecrop.crop.params import Wanted, one_ratio, parse
from gazecrop.errors import BadParameters, GazecropError, NotAPicture
from gazecrop.http.front import (
    CACHED_BODY_BYTES,
    CACHED_RESPONSES,
    CACHED_TARGET_CHARS,
    GOOGLE_BODY_FACTOR,
    ONE,
    Front,
    one_crop,
)
from gazecrop.http.problems import GOOGLE
from gazecrop.keys import Keys
from gazecrop.metrics import Stages
from gazecrop.pipeline import Known, Picture, Pipeline
from gazecrop.store.base import Record

ID = "0" * 32
GRID = SaliencyGrid.from_density(np.random.default_rng(1).random((30, 40)).astype(np.float32), 1600, 1200)
KNOWN = Known(ID, Picture(Record("gaze-0", "jpeg", GRID.code)), None, degraded=False)


class Pipe:
    """Has one picture, and counts how often crops are computed."""

    def __init__(self) -> None:
        self.computed = 0

    async def find(self, id: str, stages: Stages) -> Known:
        return KNOWN

    async def crops_aside(self, known: Known, wanted: Any) -> Any:
        self.computed += 1
        return Pipeline.crops(self, known, wanted)  # type: ignore[arg-type]


@pytest.fixture
def pipe() -> Pipe:
    return Pipe()


@pytest.fixture
def front(pipe: Pipe) -> Front:
    async def framework(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})

    made = Front(framework)
    settings = SimpleNamespace(api_keys=(), cache_control="no-cache")
    parts: Any = SimpleNamespace(
        keys=None, metrics_keys=Keys(()), bodies=Bodies(1000), settings=settings, pipeline=pipe
    )
    made.parts = parts
    return made


async def ask(front: Front, target: str, method: str = "GET", body: bytes = b"") -> bytes:
    path, _, query = target.partition("?")
    scope = {"type": "http", "method": method, "path": path, "query_string": query.encode(), "headers": []}
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": body}

    await front(scope | {"gazecrop.stages": Stages()}, receive, send)
    assert sent[0]["status"] in (200, 204), sent
    return b"".join(message.get("body", b"") for message in sent)


CROP = f"/v1/images/{ID}/crops/1:1"


async def test_the_same_request_is_computed_once_and_again_after_a_delete(front: Front, pipe: Pipe) -> None:
    first = await ask(front, CROP)
    assert await ask(front, CROP) == first and pipe.computed == 1
    await ask(front, f"/v1/images/{ID}", "DELETE")
    assert await ask(front, CROP) == first and pipe.computed == 2


async def test_a_response_in_progress_at_a_delete_is_not_cached(
    front: Front, pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slow(id: str, stages: Stages) -> Known:
        await ask(front, f"/v1/images/{ID}", "DELETE")
        return KNOWN

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(pipe, "find", slow)
        await ask(front, CROP)
    await ask(front, CROP)
    assert pipe.computed == 2


async def test_a_long_target_is_not_cached(front: Front, pipe: Pipe) -> None:
    spaced = CROP + "?v=" + "0" * CACHED_TARGET_CHARS
    assert len(await ask(front, spaced)) < CACHED_BODY_BYTES
    await ask(front, spaced)
    assert pipe.computed == 2


async def test_the_cache_stays_below_12_megabytes(front: Front) -> None:
    for number in range(CACHED_RESPONSES + 10):
        await ask(front, f"{CROP}?v={number}")
    cache = front._cache
    assert len(cache) == CACHED_RESPONSES
    version, target = next(iter(cache))
    tag, headers, _ = answer = cache[version, target]
    kept = [answer, tag, headers, *headers, *(value for _, value in headers)]
    longest = sys.getsizeof("0" * CACHED_TARGET_CHARS) + sys.getsizeof(bytes(CACHED_BODY_BYTES))
    entry = (
        longest
        + sys.getsizeof(version)
        + sys.getsizeof((version, target))
        + sum(map(sys.getsizeof, kept))
        + sys.getsizeof(cache) / CACHED_RESPONSES
    )
    assert CACHED_RESPONSES * entry < 12e6


async def test_an_upload_bypasses_the_framework_with_its_errors() -> None:
    seen: list[str] = []

    async def framework(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(f"framework {scope['method']} {scope['path']}")
        await send({"type": "http.response.start", "status": 204, "headers": []})

    async def upload(request: Request) -> Response:
        seen.append(f"upload {request.scope['gazecrop.route']} {(await request.body()).decode()}")
        if request.query_params:
            raise NotAPicture("no")
        return Response(b"made")

    def failed(error: GazecropError, path: str) -> Response:
        seen.append(f"{type(error).__name__} {path}")
        return Response(b"failed")

    front = Front(framework, upload, failed)
    parts: Any = SimpleNamespace(keys=None, metrics_keys=Keys(()), bodies=Bodies(1000))
    front.parts = parts
    assert await ask(front, "/v1/images", "POST", b"x") == b"made"
    assert await ask(front, "/v1/images?zoom=9", "POST", b"y") == b"failed"
    for method, path in (("GET", "/v1/images"), ("POST", "/v1/images/"), ("OPTIONS", "/v1/images")):
        await ask(front, path, method)
    assert seen == [
        "upload /v1/images x",
        *("upload /v1/images y", "NotAPicture /v1/images"),
        *("framework GET /v1/images", "framework POST /v1/images/", "framework OPTIONS /v1/images"),
    ]


async def test_a_body_of_google_s_format_counts_with_all_that_is_decoded_from_it() -> None:
    bodies, held = Bodies(1000), []

    async def framework(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        held.append(bodies.held)
        await send({"type": "http.response.start", "status": 200, "headers": []})

    front = Front(framework)
    parts: Any = SimpleNamespace(keys=None, metrics_keys=Keys(()), bodies=bodies)
    front.parts = parts
    for path in ("/v1/images", GOOGLE):
        await ask(front, path, "POST", b"x" * 100)
    assert held == [100, 100 * GOOGLE_BODY_FACTOR] and bodies.held == 0


@pytest.mark.parametrize(
    "query",
    [
        *(
            "",
            "v=1a",
            "v=",
            "v=%41",
            "v=a&policy=window",
            "policy=window&v=0123456789",
            "&v=1",
            "policy=window",
        ),
        *(
            "zoom=1.5&keep=0.1,0.1,0.2,0.2&v=abc",
            "policy=centre&v=a&v=b",
            "v=a&v=b",
            "%76=a&v=b",
            "zoom=9&v=a",
        ),
        *("ratios=1:1&v=a", "v=a&", "v=é", "&".join(["protect=face"] * 64 + ["v=a"]), "x" * 300 + "&v=a"),
        *("policy=" + "%63entre&v=1", "V=a", "v=" + "a" * 40, "&" * 70 + "v=a"),
    ],
)
def test_a_version_set_aside_changes_nothing(query: str) -> None:
    def found(how: Callable[[], Wanted]) -> object:
        try:
            return how()
        except BadParameters as error:
            return error.members

    whole = found(lambda: parse(query, ONE).of(one_ratio("16:9")))
    for _ in range(2):
        assert found(lambda: one_crop(query, "16:9")) == whole
