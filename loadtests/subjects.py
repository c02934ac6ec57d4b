"""The server of the benchmark: the service, and minimal routes in the same process as its baseline."""

import io

from fastapi import FastAPI, Request, Response
from PIL import Image
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from gazecrop.app import App, create_app
from gazecrop.http.server import serve
from gazecrop.settings import Settings

bare = FastAPI(openapi_url=None)


@bare.get("/bare/get")
async def trivial() -> Response:
    return Response(b'{"ok":true}', media_type="application/json")


@bare.post("/bare/read")
async def read(request: Request) -> Response:
    return Response(b"%d" % len(await request.body()))


@bare.post("/bare/decode")
async def decode(request: Request) -> Response:
    """Reads the body and decodes the JPEG scaled to the size that a network of 320 x 240 needs. Nothing else."""
    data = await request.body()

    def work() -> None:
        with Image.open(io.BytesIO(data)) as picture:
            picture.draft("RGB", (320, 240))
            picture.load()

    await run_in_threadpool(work)
    return Response(b"ok")


class Subjects:
    """Routes paths under /bare/ to the bare app, all others to the service."""

    def __init__(self, service: App) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = bare if scope["type"] == "http" and scope["path"].startswith("/bare/") else self._service
        await app(scope, receive, send)


if __name__ == "__main__":
    settings = Settings()
    service = create_app(settings)
    serve(Subjects(service), settings, service.drain, service.refuse)
