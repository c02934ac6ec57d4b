"""A client for Wikidata and Wikimedia Commons that follows their rules for robots: sequential, named, patient."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from gazecrop import __version__

TRIES = 4
REDIRECTS = 5
TIMEOUT = 120.0  # seconds: the query service takes up to 60
BUSY = {429, 500, 502, 503, 504}  # statuses to retry
MOST_BYTES = 200_000_000  # of a response


class FetchError(Exception):
    """A download failed; the message is for the user. `status`: of the HTTP response, 0 if there is none."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Source:
    """The only source of URLs: none is taken from a response. Redirects are followed to `hosts` only."""

    sparql: str = "https://query.wikidata.org/sparql"
    commons: str = "https://commons.wikimedia.org/w/api.php"
    files: str = "https://commons.wikimedia.org/wiki/Special:FilePath/"
    hosts: tuple[str, ...] = ("commons.wikimedia.org", "upload.wikimedia.org", "query.wikidata.org")


class Client:
    """Sequential requests, at least `pause` seconds apart."""

    def __init__(self, contact: str, source: Source, pause: float = 1.0) -> None:
        from httpx import Client as HttpClient

        self.source = source
        self._pause = pause
        self._last = 0.0
        agent = f"gazecrop-audit/{__version__} ({contact})"
        self._http = HttpClient(headers={"User-Agent": agent}, timeout=TIMEOUT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._http.close()

    def get(self, url: str, accept: str = "*/*", most: int = MOST_BYTES) -> bytes:
        """The body of the response, cut after `most` + 1 bytes. Retries on 429, 5xx and connection errors. Raises
        FetchError."""
        from httpx import HTTPError, InvalidURL

        for attempt in range(TRIES):
            time.sleep(max(0.0, self._last + self._pause - time.monotonic()))
            wait = self._pause * 2 ** (attempt + 1)
            try:
                status, headers, data = self._follow(url, accept, most)
            except (HTTPError, InvalidURL) as error:
                if attempt + 1 == TRIES:
                    raise FetchError(f"{url}: {error!r}") from error
                continue
            finally:
                self._last = time.monotonic()
            if status == 200:
                return data
            if status not in BUSY or attempt + 1 == TRIES:
                raise FetchError(f"{url}: status {status}", status)
            time.sleep(retry_after(headers, wait))
        raise AssertionError("the last attempt returns or raises")

    def _follow(self, url: str, accept: str, most: int) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body after at most REDIRECTS redirects to allowed hosts. Raises FetchError, HTTPError."""
        request = self._http.build_request("GET", url, headers={"Accept": accept})
        allowed = {urlsplit(url).netloc, *self.source.hosts}
        for _ in range(1 + REDIRECTS):
            response = self._http.send(request, stream=True)
            try:
                if response.next_request is None:
                    return response.status_code, response.headers, _read(response.iter_bytes(), most)
                before, request = request.url, response.next_request
            finally:
                response.close()
            host = request.url.netloc.decode("ascii")
            if request.url.scheme != before.scheme or host not in allowed:
                raise FetchError(
                    f"{before} redirects to {request.url.scheme}://{host}, which is not an allowed host"
                )
        raise FetchError(f"{url}: more than {REDIRECTS} redirects")


def _read(chunks: Iterator[bytes], most: int) -> bytes:
    data = bytearray()
    for chunk in chunks:
        data += chunk
        if len(data) > most:
            break
    return bytes(data[: most + 1])


def retry_after(headers: Mapping[str, str], otherwise: float) -> float:
    """Seconds."""
    value = headers.get("Retry-After", "")
    return min(float(value), 600.0) if value.isdecimal() else otherwise
