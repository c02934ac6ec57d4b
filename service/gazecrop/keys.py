"""The API keys of GAZECROP_API_KEYS, compared in constant time. http/auth.py reads a request's key."""

import hmac
from collections.abc import Sequence
from hashlib import blake2b

from pydantic import SecretStr


class Keys:
    """A set of keys, kept as digests. Falsy when empty: then no key is required. All keys have the same rights."""

    def __init__(self, keys: Sequence[SecretStr]) -> None:
        self._digests = [_digest(key.get_secret_value().encode()) for key in keys]

    def __bool__(self) -> bool:
        return bool(self._digests)

    def __contains__(self, key: bytes) -> bool:
        """Takes the same time for every key, valid or not."""
        digest = _digest(key)
        found = False
        for valid in self._digests:
            found |= hmac.compare_digest(digest, valid)
        return found


def _digest(key: bytes) -> bytes:
    """32 bytes for a key of any length, so that comparing takes the same time for all lengths."""
    return blake2b(key, digest_size=32).digest()
