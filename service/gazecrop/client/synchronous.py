"""The client for programs without an event loop."""

import time
from types import TracebackType
from typing import TypeVar

import httpx

from gazecrop.client import calls
from gazecrop.client.calls import Call, Picture, Value
from gazecrop.client.results import Crop, Focus, Image, Rendered, Saliency
from gazecrop.client.sending import Configured, request_of, result

T = TypeVar("T")


class Client(Configured[httpx.Client]):
    """A client of one server, with a pool of connections. A context manager; used from any number of threads.
    Options, errors and parameters: `Configured`.
    """

    _transport = httpx.Client

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def upload(self, picture: Picture | None = None, *, url: str | None = None, **parameters: Value) -> Image:
        """The picture's document with its crops: ratios=["16:9", "square"], policy=, zoom=, keep=, avoid= ..."""
        return self._run(calls.upload(picture, url, parameters))

    def image(self, id: str, **parameters: Value) -> Image:
        """The same document again, without the picture."""
        return self._run(calls.image(id, parameters))

    def crops(self, id: str, **parameters: Value) -> tuple[Crop, ...]:
        """Crops of any ratios of a picture that was uploaded: ratios=[...]."""
        return self._run(calls.crops(id, parameters))

    def crop(self, id: str, ratio: str, **parameters: Value) -> Crop:
        """The crop of one ratio or profile."""
        return self._run(calls.crop(id, ratio, parameters))

    def render(
        self, picture: Picture | None = None, *, url: str | None = None, **parameters: Value
    ) -> Rendered:
        """The file of a crop: ratio=, width=, height=, format=, quality= ..."""
        return self._run(calls.render(picture, url, parameters))

    def explain(
        self, picture: Picture | None = None, *, url: str | None = None, **parameters: Value
    ) -> Rendered:
        """The picture with heat map, points and boxes drawn over it: ratios=, layers= ..."""
        return self._run(calls.explain(picture, url, parameters))

    def saliency(self, id: str) -> Saliency:
        return self._run(calls.saliency(id))

    def heat_map(self, id: str) -> bytes:
        """The map as a PNG."""
        return self._run(calls.heat_map(id))

    def focus(self, id: str, *, profile: str | None = None) -> Focus:
        """The focus that a person set. Raises FocusNotFound."""
        return self._run(calls.focus(id, profile))

    def set_focus(
        self, id: str, x: float, y: float, *, profile: str | None = None, if_match: str | None = None
    ) -> Focus:
        """Sets the focus, in fractions of the upright picture. if_match: the `etag` of the focus that is replaced.
        Raises PreconditionFailed where it has changed."""
        return self._run(calls.set_focus(id, x, y, profile, if_match))

    def delete_focus(self, id: str, *, profile: str | None = None, if_match: str | None = None) -> None:
        self._run(calls.delete_focus(id, profile, if_match))

    def delete(self, id: str) -> None:
        """Deletes everything about a picture, its focus too."""
        self._run(calls.delete(id))

    def _run(self, call: Call[T]) -> T:
        attempt = 0
        while True:
            attempt += 1
            try:
                answer = self._http.request(**request_of(call))
            except httpx.TransportError as error:
                time.sleep(self._sending.pause_after_failure(call, attempt, error))
                continue
            pause = self._sending.pause_after(answer, attempt)
            if pause is None:
                return result(call, answer)
            time.sleep(pause)
