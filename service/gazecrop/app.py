"""create_app(settings): builds the parts at start, connects them and mounts the routes."""

import asyncio
import contextlib
import logging
import re
import sys
from collections.abc import AsyncIterator, Iterable

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gazecrop import __version__
from gazecrop.concurrency import background
from gazecrop.concurrency.bodies import Bodies
from gazecrop.concurrency.gate import Gate
from gazecrop.engine import open_engine, sources_of
from gazecrop.errors import BadParameters, ClientGone, GazecropError, MethodNotAllowed, NotFound, PictureError
from gazecrop.http import problems
from gazecrop.http.cors import Cors
from gazecrop.http.front import Front
from gazecrop.http.observe import Observe
from gazecrop.http.openapi.document import Api
from gazecrop.http.protocol import Headers
from gazecrop.http.routes import (
    azure,
    azure_thumbnail,
    crops,
    events,
    focus,
    google,
    health,
    images,
    page,
    picture,
    rendering,
    reports,
)
from gazecrop.http.shedding import refuse_upload
from gazecrop.http.tracing import open_tracing
from gazecrop.jobs.stream import Jobs
from gazecrop.keys import Keys
from gazecrop.metrics import Metrics
from gazecrop.model import Model, ModelError
from gazecrop.parts import Parts
from gazecrop.settings import Settings, SettingsError
from gazecrop.shared_metrics import Shared
from gazecrop.sources.fetch import CONNECTIONS
from gazecrop.store.inbox import Inbox
from gazecrop.store.rate import ReportRate

_log = logging.getLogger("gazecrop")
FETCHES_WAITING = 64  # for one of the connections to sources


class App:
    """The ASGI application. `parts` is None until the server has started."""

    def __init__(self, settings: Settings, shared: Shared | None = None) -> None:
        self.settings = settings
        self.metrics = Metrics(shared)
        self.api = Api(
            keys=bool(settings.api_keys),
            metrics_key=bool(settings.metrics_key),
            title="Gazecrop",
            version=__version__,
            summary="Crops pictures by where people look.",
            license_info={"name": "Apache License 2.0", "identifier": "Apache-2.0"},
            docs_url=None,  # the framework's page loads from a CDN; routes/page.py serves the reference from here
            openapi_url=None,  # routes/page.py serves it: the framework's route has no template for the metrics
            redoc_url=None,
            lifespan=self._lifespan,
            # Its own spans would have paths, and so ids of pictures; ours are those of http/spans.py.
            telemetry={"auto_configure": False, "tracing": False, "metrics": False, "logs": False},
            redirect_slashes=False,  # the redirect would be built from the client's Host header
        )
        vendors = [google, azure, azure_thumbnail]
        modules = [images, crops, picture, focus, rendering, reports, *vendors, events, health]
        resources = [one.router for one in modules]
        for router in resources:
            self.api.include_router(router)
        page.mount_files(self.api)
        self._paths = [one for router in (*resources, self.api) for one in _with_methods(router.routes)]
        self.api.add_exception_handler(GazecropError, self._on_error)
        self.api.add_exception_handler(ClientGone, self._on_client_gone)
        self.api.add_exception_handler(HTTPException, self._on_http_error)
        self.api.add_exception_handler(RequestValidationError, self._on_invalid)
        self._front = Front(self.api, images.upload_picture, self._failed)
        self._outer: ASGIApp = self._front
        if settings.cors_origins:
            self._outer = Cors(self._outer, settings.cors_origins)
        self._outer = self._observe = Observe(self._outer, self.metrics)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._outer(
            scope, receive, _startup_error_in_one_line(send) if scope["type"] == "lifespan" else send
        )

    def drain(self) -> None:
        """Makes /readyz answer 503. Requests under way continue."""
        if self._front.parts is not None:
            self._front.parts.draining = True

    def refuse(self, method: bytes, target: bytes, headers: Headers) -> bytes | None:
        """The answer to a request that need not be made (http/shedding.py). None where traces or CORS headers are
        wanted, which are the application's."""
        parts = self._front.parts
        if parts is None or self._observe.begin is not None or self.settings.cors_origins:
            return None
        return refuse_upload(parts, method, target, headers)

    @contextlib.asynccontextmanager
    async def _lifespan(self, api: FastAPI) -> AsyncIterator[None]:
        settings, metrics = self.settings, self.metrics
        tracing = await asyncio.to_thread(open_tracing, metrics) if settings.tracing else None
        sources = await sources_of(settings).open() if settings.sources else None
        jobs = _jobs(settings)
        engine = await open_engine(settings, metrics, max_wait=settings.max_wait_seconds)
        # Rendering has threads of its own, so that encoding an AVIF does not delay the analysis of an upload.
        drawing = max(1, settings.workers // 2)
        renderers = background.threads(drawing, "render")
        render_gate = Gate(
            engine.budget,
            slots=drawing,
            shed=metrics.watch_gate(
                "render", lambda: render_gate.waiting, lambda: render_gate.expected_wait()
            ),
            max_wait=settings.max_wait_seconds,
        )
        parts = Parts(
            settings=settings,
            keys=Keys(settings.api_keys),
            metrics_keys=Keys([settings.metrics_key] if settings.metrics_key else []),
            metrics=metrics,
            model=engine.model,
            maps=engine.maps,
            budget=engine.budget,
            bodies=Bodies(engine.budget, metrics.sheds("read", "memory")),
            gate=engine.gate,
            pipeline=engine.pipeline,
            render_gate=render_gate,
            renderers=renderers,
            id_key=engine.id_key,
            inbox=Inbox(engine.store),
            report_rate=ReportRate(settings.reports_per_hour, settings.redis_url),
            sources=sources,
            fetch_gate=Gate(
                1,
                max_queue=FETCHES_WAITING,
                slots=CONNECTIONS,
                shed=lambda reason: metrics.sheds("fetch", reason)(),
                max_wait=settings.max_wait_seconds,
            ),
            jobs=jobs,
        )
        self._observe.begin = tracing.begin if tracing else None
        api.state.parts = self._front.parts = parts
        watching = [asyncio.create_task(metrics.watch_loop()), asyncio.create_task(engine.maps.watch())]
        _log_start(settings, engine.model)
        try:
            yield
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)
            renderers.shutdown()
            await parts.report_rate.close()
            if sources is not None:
                await sources.close()
            if jobs:
                await jobs.close()
            await engine.close()
            if tracing:
                await asyncio.to_thread(tracing.close)

    async def _on_error(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, GazecropError)  # the class it is registered for
        return self._failed(error, request.scope["path"])

    def _failed(self, error: GazecropError, path: str) -> Response:
        if isinstance(error, PictureError):
            self.metrics.decode_error(error.slug)
        return problems.answer(error, path)

    async def _on_client_gone(self, request: Request, error: Exception) -> Response:
        return Response(status_code=499)  # nginx's number, for the metrics; the client has left

    async def _on_http_error(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        path = request.scope["path"]
        if error.status_code == 405:
            # The framework lists the methods of the first route with this path only.
            methods = {method for regex, methods in self._paths if regex.match(path) for method in methods}
            allowed = ", ".join(
                sorted(methods | ({"HEAD"} if "GET" in methods else set())) or ("GET", "HEAD")
            )
            # The text does not name the method: HEAD is handled as GET by now.
            detail = f"Allowed methods: {allowed}."
            return problems.answer(MethodNotAllowed(detail, headers={"Allow": allowed}), path)
        return problems.answer(NotFound("See /docs for the paths of this API."), path)

    async def _on_invalid(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        wrong = [{"parameter": str(one["loc"][-1]), "detail": str(one["msg"])} for one in error.errors()]
        return problems.answer(BadParameters(wrong))


def _log_start(settings: Settings, model: Model) -> None:
    """One line with what runs: the same as fields in JSON. No address and no key is in it."""
    fields = {
        "version": __version__,
        "network": model.name,
        "file": model.file,
        "outputs": " and ".join(model.outputs),
        "provider": model.provider,
        "store": "redis" if settings.redis_url else "sqlite",
        "keys": bool(settings.api_keys),
    }
    message = (
        "started: gazecrop %(version)s, network %(network)s (%(file)s, %(outputs)s) on %(provider)s, "
        "store %(store)s, "
    )
    _log.info(message + ("with keys" if fields["keys"] else "without keys"), fields, extra={"fields": fields})


def _startup_error_in_one_line(send: Send) -> Send:
    """Replaces the traceback of an expected start-up error by its message."""

    async def send_short(message: Message) -> None:
        error = sys.exception()
        expected = isinstance(error, GazecropError | ModelError | SettingsError)
        if message["type"] == "lifespan.startup.failed" and expected:
            message = {**message, "message": f"gazecrop: {error}"}
        await send(message)

    return send_short


def _with_methods(routes: Iterable[BaseRoute]) -> list[tuple[re.Pattern[str], set[str]]]:
    """Path patterns and methods of the routes. Mounted folders are not included: they allow GET and HEAD."""
    return [(route.path_regex, route.methods or set()) for route in routes if isinstance(route, Route)]


def _jobs(settings: Settings) -> Jobs | None:
    """The stream that bucket events are added to. Raises SettingsError."""
    if not settings.work_stream:
        return None
    if not settings.redis_url:
        raise SettingsError("GAZECROP_WORK_STREAM is a stream in Redis: set REDIS_URL, too.")
    return Jobs(settings.redis_url, settings.work_stream, settings.work_max_jobs)


def create_app(settings: Settings | None = None, shared: Shared | None = None) -> App:
    """`shared`: the metrics' part in those of several processes."""
    return App(settings or Settings(), shared)
