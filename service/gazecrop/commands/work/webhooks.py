"""Results to a webhook, as Standard Webhooks has it (https://www.standardwebhooks.com): signed, with retries.

The body is {"type": "picture.cropped" or "picture.failed", "timestamp": …, "data": {"job", "id", "source", "status",
"document"}}. `webhook-id` is the same for every try of one result, so that a receiver can drop what it has already.
"""

import asyncio
import base64
import hashlib
import hmac
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx
import orjson

from gazecrop import __version__
from gazecrop.commands.work.consumer import Done, GiveUp
from gazecrop.commands.work.queue import Entry
from gazecrop.errors import Unavailable

SECONDS = 15.0  # for one try; the standard advises 15 to 30
LONGEST_PAUSE = 3600.0  # seconds of a Retry-After that are respected
TRIES = 60  # with at most GAZECROP_WORK_IDLE_SECONDS between two: about an hour


def sign(secrets: Sequence[str], id: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`: one signature for each secret, so that secrets can be exchanged."""
    content = f"{id}.{timestamp}.".encode() + body
    keys = (base64.b64decode(secret.removeprefix("whsec_")) for secret in secrets)
    digests = (hmac.new(key, content, hashlib.sha256).digest() for key in keys)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


class Webhook:
    """One receiver. `Retry-After` of any answer holds for all messages to it."""

    def __init__(self, url: str, secrets: Sequence[str]) -> None:
        self._url, self._secrets = url, secrets
        # Redirects are failures, as the standard has it. What the environment names as a proxy is used.
        self._client = httpx.AsyncClient(timeout=SECONDS, headers={"User-Agent": f"gazecrop/{__version__}"})
        self._not_before = 0.0

    async def close(self) -> None:
        await self._client.aclose()

    async def __call__(self, entry: Entry) -> Done:
        """Raises Unavailable when the receiver did not take it, GiveUp when it has gone for good."""
        id = f"msg_{entry.id}"
        body = message(entry)
        while (wait := self._not_before - time.monotonic()) > 0:
            await asyncio.sleep(wait)
        now = int(time.time())
        headers = {
            "content-type": "application/json",
            "webhook-id": id,
            "webhook-timestamp": str(now),
            "webhook-signature": sign(self._secrets, id, now, body),
        }
        try:
            async with (
                asyncio.timeout(SECONDS),
                self._client.stream("POST", self._url, content=body, headers=headers) as answer,
            ):
                status, after = answer.status_code, answer.headers.get("retry-after", "")
        except (httpx.HTTPError, TimeoutError) as error:
            raise Unavailable(log=f"the webhook cannot be reached: {error!r}"[:300], retry_after=0) from None
        if 200 <= status < 300:
            return Done("done")
        if status == 410:
            raise GiveUp("the webhook answered 410: it has gone")
        if (pause := seconds_of(after)) > 0:
            self._not_before = max(self._not_before, time.monotonic() + pause)
        raise Unavailable(log=f"the webhook answered {status}", retry_after=0)


def message(entry: Entry) -> bytes:
    """The body, the same for every try."""
    fields = {name.decode(): value for name, value in entry.fields.items()}
    status = int(fields.get("status", b"500"))
    at = datetime.fromtimestamp(int(entry.id.partition("-")[0]) / 1000, UTC)
    return orjson.dumps(
        {
            "type": "picture.cropped" if status < 400 else "picture.failed",
            "timestamp": at.isoformat(timespec="milliseconds"),
            "data": {
                "job": fields.get("job", b"").decode(),
                "id": fields.get("id", b"").decode(),
                "source": fields.get("source", b"").decode(),
                "status": status,
                "document": orjson.Fragment(fields.get("document", b"null")),
            },
        }
    )


def seconds_of(text: str) -> float:
    """Of `Retry-After`, seconds or a date; 0 without one or for one that is neither."""
    if text.isdecimal() and len(text) < 10:
        return min(float(text), LONGEST_PAUSE)
    try:
        left = parsedate_to_datetime(text).timestamp() - time.time()
    except ValueError:
        return 0.0
    return min(max(left, 0.0), LONGEST_PAUSE)
