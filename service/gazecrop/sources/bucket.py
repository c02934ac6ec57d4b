"""s3://, with the credentials, the region and the endpoint of the process's environment, as boto3 reads them. Only the
prefixes that GAZECROP_SOURCES names are asked for; the endpoint is the operator's, so its address is not checked."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from aiohttp import ClientError as ConnectionFailed
from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, ReadTimeoutError

from gazecrop.errors import BodyTooLarge, SourceFailed, SourceTooSlow
from gazecrop.sources.urls import Url

CHUNK = 65_536  # bytes
CONNECT_SECONDS = 5


class Buckets:
    """One client of S3, used on one event loop. `open` takes about 0.3 s, most of it on the loop."""

    def __init__(self, connections: int, max_bytes: int, seconds: float) -> None:
        self._max_bytes = max_bytes
        self._config = AioConfig(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=seconds,
            max_pool_connections=connections,
            retries={"max_attempts": 1},
            response_checksum_validation="when_required",
        )
        self._stack = AsyncExitStack()
        self._client: Any = None

    async def open(self) -> None:
        """Raises SourceFailed where the environment has no usable configuration."""
        try:
            self._client = await self._stack.enter_async_context(
                get_session().create_client("s3", config=self._config)
            )
        except (BotoCoreError, ValueError) as error:
            raise SourceFailed(log=f"GAZECROP_SOURCES has s3://, and S3 cannot be used: {error}") from None

    async def close(self) -> None:
        await self._stack.aclose()

    async def chunks(self, url: Url) -> AsyncIterator[bytes]:
        """The object as it arrives. Raises SourceError, and BodyTooLarge for an announced length."""
        try:
            found = await self._client.get_object(Bucket=url.host, Key=url.path[1:])
            async with found["Body"] as body:
                if found.get("ContentLength", 0) > self._max_bytes:
                    body.close()  # not read to its end
                    raise BodyTooLarge.of_picture(self._max_bytes)
                if found.get("ContentEncoding", "").strip().lower() not in ("", "identity", "aws-chunked"):
                    body.close()
                    raise SourceFailed("The object has a Content-Encoding, which is not decoded.")
                while chunk := await body.read(CHUNK):
                    yield chunk
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            raise SourceFailed(
                f"The source answered with the status {status}.",
                log=f"{url.host}: {error}",
                received=status,
            ) from None
        except (ConnectTimeoutError, ReadTimeoutError, TimeoutError):
            raise SourceTooSlow("The source does not answer.") from None
        except (BotoCoreError, ConnectionFailed, OSError) as error:
            raise SourceFailed("The connection to the source failed.", log=f"{url.host}: {error!r}") from None
