"""http and https. httpcore alone: no cookies, no credentials, no .netrc, no proxies of the environment, no decoding."""

import ssl
from collections.abc import AsyncIterator
from urllib.parse import urljoin

import certifi
import httpcore

from gazecrop import __version__
from gazecrop.errors import BodyTooLarge, SourceFailed, SourceNotAllowed, SourceTooSlow
from gazecrop.sources.addresses import Addresses
from gazecrop.sources.network import CheckedNetwork
from gazecrop.sources.urls import Url, parse, within

REDIRECTS = {301, 302, 303, 307, 308}
MOST_REDIRECTS = 3
HEADERS = [
    ("Accept", "image/*,*/*;q=0.5"),
    ("Accept-Encoding", "identity"),  # what is not compressed cannot grow
    ("User-Agent", f"gazecrop/{__version__}"),
]


def _certificates() -> ssl.SSLContext:
    """Those of the system, which SSL_CERT_FILE adds to, and certifi's, as slim images have none."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


class Web:
    """Requests to URLs within `prefixes`, redirects included. Used on one event loop."""

    def __init__(
        self, prefixes: tuple[Url, ...], addresses: Addresses, connections: int, max_bytes: int
    ) -> None:
        self._prefixes = prefixes
        self._max_bytes = max_bytes
        self._network = CheckedNetwork(addresses)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=_certificates() if any(prefix.scheme == "https" for prefix in prefixes) else None,
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=5.0,
            network_backend=self._network,
        )

    async def close(self) -> None:
        await self._pool.aclose()
        self._network.close()

    async def chunks(self, url: Url) -> AsyncIterator[bytes]:
        """The body as it arrives. Raises SourceError, and BodyTooLarge for an announced length."""
        try:
            for _ in range(MOST_REDIRECTS + 1):
                # Its generator is closed with this one, also when the client has left.
                async with self._pool.stream("GET", self._address(url), headers=HEADERS) as answer:
                    headers = {name.lower(): value for name, value in answer.headers}
                    if answer.status in REDIRECTS:
                        url = self._redirected(url, headers.get(b"location"))
                        continue
                    _check(answer.status, headers, self._max_bytes)
                    async for chunk in answer.aiter_stream():
                        yield chunk
                    return
            raise SourceFailed(f"The source redirects more than {MOST_REDIRECTS} times.")
        except httpcore.TimeoutException:
            raise SourceTooSlow("The source does not answer.") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError) as error:
            raise SourceFailed(
                "The connection to the source failed.", log=f"{url.authority}: {error!r}"
            ) from None

    def _address(self, url: Url) -> httpcore.URL:
        return httpcore.URL(scheme=url.scheme, host=url.host, port=url.port, target=url.target)

    def _redirected(self, url: Url, location: bytes | None) -> Url:
        if location is None:
            raise SourceFailed("The source redirects without a Location.")
        try:
            text = location.decode("utf-8")
            parse_safe = text.isprintable() and "\\" not in text  # urljoin removes tabs and line breaks
            target = parse(urljoin(str(url), text)) if parse_safe else None
        except ValueError:  # UrlError, and the decoder's and urljoin's own
            target = None
        if target is None or target.scheme == "s3" or not within(target, self._prefixes):
            raise SourceNotAllowed(
                "The source redirects to a URL outside GAZECROP_SOURCES.",
                log=f"{url.authority} redirects to {location[:200]!r}, which is outside GAZECROP_SOURCES",
            )
        return target


def _check(status: int, headers: dict[bytes, bytes], max_bytes: int) -> None:
    if status != 200:
        raise SourceFailed(f"The source answered with the status {status}.", received=status)
    coding = headers.get(b"content-encoding", b"").strip().lower()
    if coding not in (b"", b"identity"):
        raise SourceFailed("The source answered with a Content-Encoding, which was not asked for.")
    length = headers.get(b"content-length", b"")
    if length.isdigit() and (len(length) > 18 or int(length) > max_bytes):
        raise BodyTooLarge.of_picture(max_bytes)
