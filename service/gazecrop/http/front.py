"""The outermost part of the API: checks keys, handles HEAD, and serves the hot routes, GET of crops and uploads.

Both bypass the framework. Through FastAPI's routing crops reach 0.67 of the rate of a trivial route, from here more
than 1; `routes/crops.py` declares the same paths for OpenAPI only. An upload takes 0.25 ms less of the event loop.
"""

import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import lru_cache

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gazecrop.crop.answer_bytes import crop_bytes, crops_bytes
from gazecrop.crop.params import CACHED_CHARACTERS, CROPPING, Wanted, one_ratio, parse
from gazecrop.errors import GazecropError
from gazecrop.http import caching, problems
from gazecrop.http.auth import AZURE_HEADERS, GOOGLE_HEADERS, check
from gazecrop.parts import Parts
from gazecrop.settings import Settings

IMAGES, METRICS, UPLOADS = "/v1/images/", "/metrics", "/v1/images"
AZURES = ("/computervision/", "/vision/")
MANY = CROPPING | {"v"}
ONE = MANY - {"ratios"}
# Limits of the response cache: 11 MB at most, as an entry takes 3.1 kB with Python's overhead.
CACHED_RESPONSES, CACHED_BODY_BYTES, CACHED_TARGET_CHARS = 3600, 2048, 256
# Bytes in memory for each byte of a body in Google's format: the JSON, the parser's copy, the strings, the decoded
# pictures. Peak of a fresh server: 3.0 for 2 to 16 pictures in 40 MB, 3.4 for one in 27 MB, 3.8 in base64url.
GOOGLE_BODY_FACTOR = 4
_VERSION = re.compile(r"v=[0-9a-zA-Z]{1,32}")
# What may be a version, too, or be more parameters than are allowed: it is parsed as a whole.
_VERSIONED = re.compile(r"v=|%|(.*&){16}")
Headers = list[tuple[bytes, bytes]]
Answer = tuple[str, Headers, bytes]  # ETag, the headers of freshness, body
Cache = OrderedDict[tuple[str, str], Answer]  # by (version, target)
Upload = Callable[[Request], Awaitable[Response]]


class Front:
    """Wraps the framework's app. `upload`: the route of UPLOADS. `failed` makes the response to an error that it
    raises. `parts` is None until the server has started."""

    def __init__(
        self,
        app: ASGIApp,
        upload: Upload | None = None,
        failed: Callable[[GazecropError, str], Response] = problems.answer,
    ) -> None:
        self._app, self._upload, self._failed = app, upload, failed
        self.parts: Parts | None = None
        # Version and target determine a response, and most clients request the same few ratios: saves two thirds of the
        # time.
        self._cache: Cache = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self.parts is None:
            return await self._app(scope, receive, send)
        if scope["method"] != "HEAD":
            return await self._answer(scope, receive, send, self.parts)
        as_get = {**scope, "method": "GET"}  # a copy: uvicorn must still see a HEAD
        try:
            await self._answer(as_get, receive, _without_body(send), self.parts)
        finally:
            scope.update({name: as_get[name] for name in ("route", "gazecrop.route") if name in as_get})

    async def _answer(self, scope: Scope, receive: Receive, send: Send, parts: Parts) -> None:
        path = scope["path"]
        try:
            self._check_key(scope, path, parts)
            if scope["method"] == "GET" and path.startswith(IMAGES):
                steps = path[len(IMAGES) :].split("/")
                if len(steps) in (2, 3) and steps[1] == "crops":
                    return await self._crops(scope, send, parts, path, steps)
        except GazecropError as error:
            return await problems.answer(error, path)(scope, receive, send)
        try:
            with parts.bodies.counted(
                receive, GOOGLE_BODY_FACTOR if path == problems.GOOGLE else 1
            ) as counted:
                if path == UPLOADS and scope["method"] == "POST" and self._upload is not None:
                    await self._uploaded(self._upload, scope, counted, send)
                else:
                    await self._app(scope, counted, send)
        finally:
            if scope["method"] == "DELETE":  # rare enough to clear everything
                self._cache = (
                    OrderedDict()
                )  # a new object: responses being computed are stored in the old one

    async def _uploaded(self, upload: Upload, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"], scope["gazecrop.route"] = self._app, UPLOADS  # what the framework would set
        try:
            response = await upload(Request(scope, receive, send))
        except GazecropError as error:
            response = self._failed(error, UPLOADS)
        await response(scope, receive, send)

    def _check_key(self, scope: Scope, path: str, parts: Parts) -> None:
        """Paths below /v1/, /computervision/ and /vision/ need an API key, /metrics its own. All others are open."""
        if path == METRICS:
            check(parts.metrics_keys, scope["headers"])
        elif not parts.keys:
            return
        elif path == problems.GOOGLE:
            check(parts.keys, scope["headers"], names=GOOGLE_HEADERS, query=scope["query_string"])
        elif path.startswith(AZURES):
            check(parts.keys, scope["headers"], names=AZURE_HEADERS)
        elif path.startswith("/v1/"):
            check(parts.keys, scope["headers"])

    async def _crops(self, scope: Scope, send: Send, parts: Parts, path: str, steps: list[str]) -> None:
        """GET /v1/images/{id}/crops and /v1/images/{id}/crops/{ratio}, from the map in memory or in the store."""
        query = scope["query_string"].decode("latin-1")
        if len(steps) == 3:
            scope["gazecrop.route"] = "/v1/images/{id}/crops/{ratio}"
            wanted = one_crop(query, steps[2])
        else:
            scope["gazecrop.route"] = "/v1/images/{id}/crops"
            wanted = parse(query, MANY)
        pipeline, cache, stages = parts.pipeline, self._cache, scope["gazecrop.stages"]
        known = await pipeline.find(steps[0], stages)
        version = known.version
        target = f"{path}?{query}"
        kept = cache.get((version, target))
        if kept is not None:
            tag, fresh, body = kept
        else:
            tag, body = caching.etag(version, target), None
            fresh = _freshness(parts.settings, tag, wanted.extra.get("v"), version)
        headers = fresh if not known.degraded else [*fresh, (b"x-degraded", b"store")]
        for name, value in scope["headers"]:
            if name == b"if-none-match" and caching.matches(value.decode("latin-1"), tag):
                return await _respond(send, 304, headers, b"")
        if body is None:
            cropper = known.picture.cropper
            began = time.perf_counter()
            try:
                crops = await pipeline.crops_aside(known, wanted)
                if len(steps) == 3:
                    body = crop_bytes(crops[0], cropper)
                else:
                    body = b'{"crops":' + crops_bytes(crops, cropper) + b"}"
            finally:
                stages.add("crop", time.perf_counter() - began)
            _store(cache, version, target, (tag, fresh, body))
        entity = (b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))
        await _respond(send, 200, [*headers, *entity], body)


def one_crop(query: str, ratio: str) -> Wanted:
    """What a request for one crop asks for. Raises BadParameters.

    A version at the end is set aside: it is another one for each picture, so that the whole query is seldom known."""
    options, _, last = query.rpartition("&")
    if _VERSION.fullmatch(last) and len(options) < CACHED_CHARACTERS and _VERSIONED.search(options) is None:
        asked = _one(options, ratio)
        return Wanted(asked.ratios, asked.options, {"v": last[2:]})
    return (_one if len(query) < CACHED_CHARACTERS else _one.__wrapped__)(query, ratio)


@lru_cache(maxsize=1024)
def _one(query: str, ratio: str) -> Wanted:
    """What a request for one crop asks for. Raises BadParameters."""
    return parse(query, ONE).of(one_ratio(ratio))


def _freshness(settings: Settings, tag: str, requested: str | None, version: str) -> Headers:
    private = bool(settings.api_keys)
    control = caching.control(settings.cache_control, requested, version, private=private)
    return [(b"etag", tag.encode()), (b"cache-control", control.encode())]


def _store(cache: Cache, version: str, target: str, answer: Answer) -> None:
    if len(answer[2]) <= CACHED_BODY_BYTES and len(target) <= CACHED_TARGET_CHARS:
        cache[version, target] = answer
        if len(cache) > CACHED_RESPONSES:
            cache.popitem(last=False)


async def _respond(send: Send, status: int, headers: Headers, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _without_body(send: Send) -> Send:
    """For HEAD: the same headers as GET, Content-Length included, and no content (RFC 9110, section 9.3.2)."""

    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {"type": "http.response.body", "more_body": message.get("more_body", False)}
        await send(message)

    return send_head
