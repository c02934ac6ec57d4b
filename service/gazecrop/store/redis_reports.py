"""People's reports in Redis.

    gazecrop:reports              a list: the reports, JSON each
    gazecrop:report-pictures:ID   a hash: the pictures attached to reports about ID, by file name
    gazecrop:report-bytes         the size of both, in bytes; changed with them in one script, so it cannot drift

None of them expires, so `volatile-*` never evicts them.
"""

import contextlib
import json
from collections.abc import AsyncGenerator, Awaitable
from typing import Any, cast

from redis.exceptions import OutOfMemoryError

from gazecrop.errors import StoreAway
from gazecrop.store.base import Report, no_space, reports_full
from gazecrop.store.redis_link import PATIENT_SECONDS, Link

REPORTS = "gazecrop:reports"
BYTES = "gazecrop:report-bytes"
AT_ONCE = 100  # read in one call

# KEYS: reports, the pictures of the report's id, bytes. ARGV: the report, its picture's name and bytes, the limit.
ADD = """
local size = #ARGV[1] + #ARGV[3]
if (tonumber(redis.call('GET', KEYS[3])) or 0) + size > tonumber(ARGV[4]) then return 'full' end
redis.call('RPUSH', KEYS[1], ARGV[1])
if ARGV[2] ~= '' then redis.call('HSET', KEYS[2], ARGV[2], ARGV[3]) end
redis.call('INCRBY', KEYS[3], size)
return 'added'
"""


def pictures_of(id: str) -> str:
    """The key of the pictures attached to reports about an id."""
    return f"gazecrop:report-pictures:{id}"


class RedisReports:
    def __init__(self, link: Link, limit: int) -> None:
        """`limit`: of all reports with their pictures, in bytes."""
        self._link, self._limit = link, limit

    async def add(self, report: Report) -> None:
        document = json.dumps(report.document, ensure_ascii=False).encode()
        keys = (REPORTS, pictures_of(report.document["id"]), BYTES)
        arguments = (document, report.document.get("picture", ""), report.picture or b"", self._limit)
        client = self._link.client
        try:
            outcome = await self._link.run(
                lambda: cast(Awaitable[bytes], client.eval(ADD, len(keys), *keys, *arguments)),
                PATIENT_SECONDS,
            )
        except StoreAway as error:
            if isinstance(error.__cause__, OutOfMemoryError):
                raise no_space(str(error)) from error
            raise
        if outcome == b"full":
            raise reports_full(self._limit)

    async def read(self) -> AsyncGenerator[Report, None]:
        """The oldest first. An element that is not a JSON object is skipped."""
        begin = 0
        while texts := await self._texts(begin):
            begin += len(texts)
            for text in texts:
                with contextlib.suppress(ValueError, TypeError):
                    document = dict(json.loads(text))
                    yield Report(document, await self._picture(document))

    async def _texts(self, begin: int) -> list[bytes]:
        client, end = self._link.client, begin + AT_ONCE - 1
        return await self._link.run(
            lambda: cast(Awaitable[list[bytes]], client.lrange(REPORTS, begin, end)), PATIENT_SECONDS
        )

    async def _picture(self, document: dict[str, Any]) -> bytes | None:
        if "picture" not in document:
            return None
        client, key, name = self._link.client, pictures_of(document["id"]), document["picture"]
        return await self._link.run(
            lambda: cast(Awaitable[bytes | None], client.hget(key, name)), PATIENT_SECONDS
        )
