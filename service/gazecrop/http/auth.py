"""Keys of callers, compared in constant time."""

import hmac
from collections.abc import Iterable, Sequence
from contextlib import suppress
from hashlib import blake2b
from urllib.parse import parse_qsl

from pydantic import SecretStr

from gazecrop.errors import Forbidden, Unauthorized

# The doors also take what their vendors' clients send.
AZURE_HEADERS = (b"ocp-apim-subscription-key",)
GOOGLE_HEADERS = (b"x-goog-api-key",)


class Keys:
    """The keys of `GAZECROP_API_KEYS`; with none, everyone may call. Every key may do everything."""

    def __init__(self, keys: Sequence[SecretStr]) -> None:
        self._digests = [_digest(key.get_secret_value().encode()) for key in keys]

    def __bool__(self) -> bool:
        return bool(self._digests)

    def check(
        self,
        headers: Iterable[tuple[bytes, bytes]],
        *,
        names: Sequence[bytes] = (),
        query: bytes | None = None,
    ) -> None:
        """Passes or raises: `Unauthorized` without a key, `Forbidden` for one that is not known.

        headers: as ASGI has them, names in lower case. names: further headers that may carry the key alone.
        query: the query string where `key=` may carry it (Google's way); elsewhere a key in an address would end up
        in logs.
        """
        if not self._digests:
            return
        sent = _sent(headers, names, query)
        if sent is None:
            raise Unauthorized(
                "Every call needs a key: Authorization: Bearer KEY.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        if not self.known(sent):
            raise Forbidden("This key is not known here.")

    def known(self, key: bytes) -> bool:
        """Takes the same time whichever key it is, and whether it is one."""
        digest = _digest(key)
        found = False
        for kept in self._digests:
            found |= hmac.compare_digest(digest, kept)
        return found


def _sent(
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


def _digest(key: bytes) -> bytes:
    """Of one length, so that comparing tells nothing about the length of a key."""
    return blake2b(key, digest_size=32).digest()
