"""Results beside objects of a bucket: KEY.gazecrop.json. The credentials, the region and the endpoint are those of the
process's environment, as for reading them."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError

from gazecrop.errors import SourceFailed
from gazecrop.jobs.events import SIDECAR
from gazecrop.sources.urls import Url

SECONDS = 30.0  # for one write


class Sidecars:
    """An asynchronous context manager. Needs the extra [remote]."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._client: Any = None

    async def __aenter__(self) -> "Sidecars":
        self._client = await self._stack.enter_async_context(get_session().create_client("s3"))
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    async def write(self, place: Url, document: bytes) -> None:
        """Raises SourceFailed."""
        try:
            async with asyncio.timeout(SECONDS):
                await self._client.put_object(
                    Bucket=place.host,
                    Key=place.path[1:] + SIDECAR,
                    Body=document,
                    ContentType="application/json",
                )
        except (BotoCoreError, ClientError, OSError, TimeoutError) as error:
            reason = f"the result cannot be written beside the object: {str(error) or 'no answer in time'}"
            raise SourceFailed(log=reason) from None
