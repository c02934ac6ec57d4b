"""The one way to a picture by URL: `await sources.fetch(url)`."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, cast

from gazecrop.errors import BodyTooLarge, SourceNotAllowed, SourceTooSlow
from gazecrop.sources.addresses import Addresses, networks
from gazecrop.sources.extras import load
from gazecrop.sources.urls import Url, UrlError, parse, parse_prefix, within

if TYPE_CHECKING:
    from gazecrop.sources.bucket import Buckets
    from gazecrop.sources.web import Web

CONNECTIONS = 64  # open at once
SETTING = "GAZECROP_SOURCES"


def nothing(chunk: bytes) -> None:
    pass


class Sources:
    """Fetches pictures within prefixes. An asynchronous context manager; used on one event loop.

    prefixes: as of GAZECROP_SOURCES. private: as of GAZECROP_SOURCES_PRIVATE. max_bytes: of one picture. seconds: for
    one picture, from the look-up of its host to its last byte.
    Raises UrlError for a prefix, ValueError for a network, and GazecropError where an extra is missing.
    """

    def __init__(
        self,
        prefixes: Sequence[str],
        *,
        private: Sequence[str] = (),
        max_bytes: int = 20_000_000,
        seconds: float = 30.0,
    ) -> None:
        self._prefixes = tuple(parse_prefix(prefix) for prefix in prefixes)
        self._max_bytes = max_bytes
        self._seconds = seconds
        schemes = {prefix.scheme for prefix in self._prefixes}
        self._web: Web | None = None
        self._buckets: Buckets | None = None
        if schemes & {"http", "https"}:
            addresses = Addresses(networks(private))
            web = load("gazecrop.sources.web", "sources", SETTING)
            self._web = web.Web(self._prefixes, addresses, CONNECTIONS, max_bytes)
        if "s3" in schemes:
            bucket = load("gazecrop.sources.bucket", "remote", SETTING)
            self._buckets = bucket.Buckets(CONNECTIONS, max_bytes, seconds)

    async def __aenter__(self) -> "Sources":
        return await self.open()

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def open(self) -> "Sources":
        if self._buckets is not None:
            await self._buckets.open()
        return self

    async def close(self) -> None:
        if self._web is not None:
            await self._web.close()
        if self._buckets is not None:
            await self._buckets.close()

    def check(self, url: str | Url) -> Url:
        """The normal form of an allowed URL. Raises SourceNotAllowed."""
        try:
            found = parse(url) if isinstance(url, str) else url
        except UrlError as error:
            raise SourceNotAllowed(f"The URL is not fetched: {error}.") from None
        if not within(found, self._prefixes):
            raise SourceNotAllowed(
                "The URL begins with none of the prefixes in GAZECROP_SOURCES of this server."
            )
        return found

    async def fetch(
        self,
        url: str | Url,
        seconds: float | None = None,
        received: Callable[[bytes], object] = nothing,
    ) -> bytes:
        """The bytes behind a URL. `seconds`: less than the usual ones. `received` is called with each piece as it
        arrives; what it raises ends the fetch.

        Raises SourceNotAllowed (403), SourceFailed (502), SourceTooSlow (504), BodyTooLarge (413).
        """
        checked = self.check(url)
        source = self._buckets if checked.scheme == "s3" else self._web
        assert source is not None  # there is one for the scheme of each prefix
        limit = self._seconds if seconds is None else min(seconds, self._seconds)
        pieces, size = list[bytes](), 0
        try:
            async with asyncio.timeout(limit):
                chunks = cast(AsyncGenerator[bytes, None], source.chunks(checked))
                async with aclosing(chunks):
                    async for chunk in chunks:
                        size += len(chunk)
                        if size > self._max_bytes:
                            raise BodyTooLarge.of_picture(self._max_bytes)
                        received(chunk)
                        pieces.append(chunk)
        except TimeoutError:
            raise SourceTooSlow(
                f"The picture did not arrive within {limit:g} seconds.", limit=limit
            ) from None
        return b"".join(pieces)
