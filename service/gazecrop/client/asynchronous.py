"""The same client for asyncio."""

import asyncio
from types import TracebackType
from typing import TypeVar

import httpx

from gazecrop.client import calls
from gazecrop.client.calls import Call, Picture, Value
from gazecrop.client.results import Crop, Focus, Image, Rendered, Saliency
from gazecrop.client.sending import Configured, request_of, result

T = TypeVar("T")


class AsyncClient(Configured[httpx.AsyncClient]):
    """As `Client`, for asyncio: every method is a coroutine. An asynchronous context manager."""

    _transport = httpx.AsyncClient

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._http.aclose()

    async def upload(
        self, picture: Picture | None = None, *, url: str | None = None, **parameters: Value
    ) -> Image:
        """The picture's document with its crops: ratios=["16:9", "square"], policy=, zoom=, keep=, avoid= ..."""
        return await self._run(calls.upload(picture, url, parameters))

    async def image(self, id: str, **parameters: Value) -> Image:
        """The same document again, without the picture."""
        return await self._run(calls.image(id, parameters))

    async def crops(self, id: str, **parameters: Value) -> tuple[Crop, ...]:
        """Crops of any ratios of a picture that was uploaded: ratios=[...]."""
        return await self._run(calls.crops(id, parameters))

    async def crop(self, id: str, ratio: str, **parameters: Value) -> Crop:
        """The crop of one ratio or profile."""
        return await self._run(calls.crop(id, ratio, parameters))

    async def render(
        self, picture: Picture | None = None, *, url: str | None = None, **parameters: Value
    ) -> Rendered:
        """The file of a crop: ratio=, width=, height=, format=, quality= ..."""
        return await self._run(calls.render(picture, url, parameters))

    async def explain(
        self, picture: Picture | None = None, *, url: str | None = None, **parameters: Value
    ) -> Rendered:
        """The picture with heat map, points and boxes drawn over it: ratios=, layers= ..."""
        return await self._run(calls.explain(picture, url, parameters))

    async def saliency(self, id: str) -> Saliency:
        return await self._run(calls.saliency(id))

    async def heat_map(self, id: str) -> bytes:
        """The map as a PNG."""
        return await self._run(calls.heat_map(id))

    async def focus(self, id: str, *, profile: str | None = None) -> Focus:
        """The focus that a person set. Raises FocusNotFound."""
        return await self._run(calls.focus(id, profile))

    async def set_focus(
        self, id: str, x: float, y: float, *, profile: str | None = None, if_match: str | None = None
    ) -> Focus:
        """Sets the focus, in fractions of the upright picture. if_match: the `etag` of the focus that is replaced.
        Raises PreconditionFailed where it has changed."""
        return await self._run(calls.set_focus(id, x, y, profile, if_match))

    async def delete_focus(self, id: str, *, profile: str | None = None, if_match: str | None = None) -> None:
        await self._run(calls.delete_focus(id, profile, if_match))

    async def delete(self, id: str) -> None:
        """Deletes everything about a picture, its focus too."""
        await self._run(calls.delete(id))

    async def _run(self, call: Call[T]) -> T:
        attempt = 0
        while True:
            attempt += 1
            try:
                answer = await self._http.request(**request_of(call))
            except httpx.TransportError as error:
                await asyncio.sleep(self._sending.pause_after_failure(call, attempt, error))
                continue
            pause = self._sending.pause_after(answer, attempt)
            if pause is None:
                return result(call, answer)
            await asyncio.sleep(pause)
