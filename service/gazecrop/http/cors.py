"""CORS by Starlette's middleware, with a problem document for a refused preflight."""

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from gazecrop.errors import CrossOrigin
from gazecrop.http import problems

# Response headers that scripts of other origins may read.
EXPOSED = (
    "ETag",
    "Location",
    "Retry-After",
    "Server-Timing",
    "X-Degraded",
    "X-Gazecrop-Box",
    "X-Gazecrop-Id",
    "X-Gazecrop-Unmet",
    "X-Request-Id",
)


class Cors(CORSMiddleware):
    """Allows scripts of these origins, with all methods and headers."""

    def __init__(self, app: ASGIApp, origins: tuple[str, ...]) -> None:
        super().__init__(
            app, allow_origins=origins, allow_methods=["*"], allow_headers=["*"], expose_headers=EXPOSED
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        answer = super().preflight_response(request_headers)
        if answer.status_code == 200:
            return answer
        refused = problems.answer(CrossOrigin(f"{bytes(answer.body).decode()}."))
        # Vary and the Access-Control-Allow-* headers; never the refused origin.
        for name, value in answer.headers.items():
            refused.headers.setdefault(name, value)
        return refused
