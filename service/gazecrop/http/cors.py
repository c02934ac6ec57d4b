"""CORS as the settings say. Starlette's, but a preflight that is refused is told so as every error is."""

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from gazecrop.errors import CrossOrigin
from gazecrop.http import problems

# What a script of another origin may read of an answer.
EXPOSED = (
    "ETag",
    "Location",
    "Retry-After",
    "Server-Timing",
    "X-Degraded",
    "X-Gazecrop-Box",
    "X-Gazecrop-Id",
    "X-Request-Id",
)


class Cors(CORSMiddleware):
    """Opens the API to scripts of these origins, all methods and headers."""

    def __init__(self, app: ASGIApp, origins: tuple[str, ...]) -> None:
        super().__init__(
            app, allow_origins=origins, allow_methods=["*"], allow_headers=["*"], expose_headers=EXPOSED
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        answer = super().preflight_response(request_headers)
        if answer.status_code == 200:
            return answer
        refused = problems.answer(CrossOrigin(f"{bytes(answer.body).decode()}."))
        # `Vary` among them, and what is allowed; never the refused origin.
        for name, value in answer.headers.items():
            refused.headers.setdefault(name, value)
        return refused
