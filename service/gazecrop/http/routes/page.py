"""The page at `/` and the reference at `/docs`: static files of this server under a strict Content-Security-Policy."""

from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Response
from fastapi.responses import FileResponse
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

PAGE = Path(__file__).parents[2] / "page"
SWAGGER = "fastapi_swagger"  # a package with the files of Swagger UI; nothing else of it is used
# No other origins, nothing inline. Pictures are shown before their upload (blob:) and drawn (data:).
POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'self'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
    "Accept-Ranges": "none",
}


class File(FileResponse):
    """Always the complete file: `Range` may be ignored (RFC 9110, section 14.2), and the framework's response to an
    invalid one is plain text."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().__call__(_without_range(scope), receive, send)


class Files(StaticFiles):
    """A folder of complete files under the policy."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # One label for all files, missing ones included.
        scope["gazecrop.route"] = f"{scope['root_path']}/{{file}}"
        await super().__call__(_without_range(scope), receive, send)

    def file_response(self, *args: Any, **more: Any) -> Response:
        answer = super().file_response(*args, **more)
        answer.headers.update(HEADERS)
        return answer


def mount_files(api: FastAPI) -> None:
    """Serves every file of page/ at the root and every folder under its name. A single mount at `/` would replace the
    404s and 405s of the API."""
    for path in sorted(PAGE.iterdir()):
        if path.is_dir():
            api.mount(f"/{path.name}", Files(directory=path))
        else:
            api.add_api_route(f"/{path.name}", _serve(path), include_in_schema=False)
    api.add_api_route("/", _serve(PAGE / "index.html"), include_in_schema=False)
    api.add_api_route("/docs", _serve(PAGE / "docs.html"), include_in_schema=False)
    api.mount("/swagger", Files(directory=_resources(SWAGGER)))


def _without_range(scope: Scope) -> Scope:
    kept = [header for header in scope["headers"] if header[0] not in (b"range", b"if-range")]
    return {**scope, "headers": kept}


def _resources(package: str) -> Path:
    found = find_spec(package)
    assert found is not None and found.origin is not None  # it is a dependency
    return Path(found.origin).parent / "resources"


def _serve(path: Path) -> Callable[[], Awaitable[Response]]:
    async def serve() -> Response:
        return File(path, headers=HEADERS)

    return serve
