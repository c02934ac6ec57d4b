"""uvicorn's protocol with limits on heads, left-over bodies and idle connections; the server's start and drain."""

from collections.abc import Callable

from starlette.types import ASGIApp

from service.settings import Settings


def serve(app: ASGIApp, settings: Settings, draining: Callable[[], object] = lambda: None) -> None:
    """Runs until SIGTERM or SIGINT, then drains: `draining` is called at once, what is under way may end within
    `settings.drain_seconds`. Returns; the process then exits with 0."""
    raise NotImplementedError
