"""Extracts the API key of a request and checks it."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from urllib.parse import parse_qsl

from gazecrop.errors import Forbidden, Unauthorized
from gazecrop.keys import Keys

# The compatibility endpoints also accept the key headers of their vendors' clients.
AZURE_HEADERS = (b"ocp-apim-subscription-key",)
GOOGLE_HEADERS = (b"x-goog-api-key",)


def check(
    keys: Keys,
    headers: Iterable[tuple[bytes, bytes]],
    *,
    names: Sequence[bytes] = (),
    query: bytes | None = None,
) -> None:
    """Returns, or raises `Unauthorized` without a key and `Forbidden` for an unknown one.

    headers: ASGI headers, names in lower case. names: further headers whose whole value is the key.
    query: a query string in which `key=` is accepted, as Google's clients send it. Elsewhere a key in the URL is
    rejected: URLs are written to access logs.
    """
    if not keys:
        return
    key = _sent_key(headers, names, query)
    if key is None:
        raise Unauthorized(
            "Every call needs a key: Authorization: Bearer KEY.",
            headers={"WWW-Authenticate": "Bearer"},
        )
    if key not in keys:
        raise Forbidden("This key is not valid here.")


def _sent_key(
    headers: Iterable[tuple[bytes, bytes]], names: Sequence[bytes], query: bytes | None
) -> bytes | None:
    for name, value in headers:
        if name == b"authorization":
            scheme, _, key = value.partition(b" ")
            if scheme.lower() == b"bearer" and key.strip():  # RFC 9110, 11.1: the scheme in any case
                return key.strip()
        elif name in names and value.strip():
            return value.strip()
    if query:
        with suppress(ValueError):  # more than 100 fields
            for field, text in parse_qsl(query.decode("utf-8", "replace"), max_num_fields=100):
                if field == "key":
                    return text.encode()
    return None
