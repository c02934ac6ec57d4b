"""What both clients share: options, one attempt's request, and whether another attempt follows."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import httpx

from gazecrop import __version__
from gazecrop.client.calls import Call
from gazecrop.client.failures import NotReached, error_of
from gazecrop.errors import GazecropError

T = TypeVar("T")
H = TypeVar("H", httpx.Client, httpx.AsyncClient)
BACKOFF = 0.2  # seconds before the second attempt after a failed connection; doubles


class Sending:
    """attempts: of one call, the first included. max_wait: seconds; with a longer Retry-After the error is raised at
    once."""

    def __init__(self, attempts: int, max_wait: float) -> None:
        if attempts < 1:
            raise ValueError("attempts is at least 1")
        self.attempts = attempts
        self._max_wait = max_wait

    def pause_after(self, answer: httpx.Response, attempt: int) -> float | None:
        """Seconds until the next attempt; None: the answer is final. 503 and 429 mean that nothing was done."""
        if answer.status_code not in (429, 503) or attempt >= self.attempts:
            return None
        text = answer.headers.get("retry-after", "1")
        seconds = float(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 1.0
        return seconds if seconds <= self._max_wait else None

    def pause_after_failure(self, call: Call[Any], attempt: int, error: httpx.TransportError) -> float:
        """Seconds until the next attempt. Raises NotReached where there is none."""
        unsent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
        if attempt >= self.attempts or not (call.repeatable or unsent):
            raise NotReached(f"The server does not answer: {error or type(error).__name__}") from error
        return min(self._max_wait, BACKOFF * 2.0 ** (attempt - 1))


class Configured(Generic[H]):
    """A client of one server.

    base_url: of the server. key: one of GAZECROP_API_KEYS. timeout: seconds for each of connecting, reading and
    writing. attempts: of one call, repeated on 503 and 429 after `Retry-After`, which is at most max_wait seconds,
    and on failed connections where the call may be repeated. More options: those of httpx's client.

    Every method raises GazecropError: of the server's problems the class in `gazecrop.errors`, NotReached without an
    answer. A picture is its bytes, a path or a binary file, or `url=` for one that the server fetches. Parameters are
    those of the HTTP API, with lists where it has commas.
    """

    _transport: Callable[..., H]

    def __init__(
        self,
        base_url: str,
        key: str | None = None,
        *,
        timeout: float = 30.0,
        attempts: int = 3,
        max_wait: float = 10.0,
        **more: Any,
    ) -> None:
        headers = {"User-Agent": f"gazecrop-client/{__version__}"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        self._sending = Sending(attempts, max_wait)
        settings: dict[str, Any] = {"base_url": base_url, "headers": headers, "timeout": timeout}
        self._http: H = self._transport(**(settings | more))


def request_of(call: Call[Any]) -> dict[str, Any]:
    """Of httpx's method `request`."""
    return {
        "method": call.method,
        "url": call.path.removeprefix("/"),  # relative, so that the path of the base URL stays
        "params": call.query or None,
        "content": call.content,
        "headers": dict(call.headers),
    }


def result(call: Call[T], answer: httpx.Response) -> T:
    """Raises GazecropError for an error, and for an answer in another form than the API's."""
    if not answer.is_success:
        raise error_of(answer)
    try:
        return call.read(answer)
    except (ValueError, KeyError, TypeError) as error:
        raise GazecropError(f"The answer is not in the form of this API: {error!r}") from error
