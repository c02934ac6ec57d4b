"""The connection as the event loop sees it: all read into one buffer, and a head with little of what follows it.

A transport would make new bytes for each read, 256 kB of them where a body follows its head. Of a refused upload only
the first 16 kB are read: the rest stays with its sender, who sees the answer before sending more.
"""

import asyncio
from typing import Any, cast

from uvicorn.config import Config

from gazecrop.http.protocol import Protocol, State

HEAD_READ = 16_384  # bytes of one read


class Connection(asyncio.BufferedProtocol):
    """Passes all on to `protocol`, which cannot itself be a BufferedProtocol, as uvicorn's is not. Arguments are
    those of uvicorn's."""

    def __init__(
        self,
        config: Config,
        server_state: State,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.protocol = Protocol(config, server_state, app_state, _loop)
        self._buffer = server_state.buffer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.protocol.connection_made(cast(asyncio.Transport, transport))

    def connection_lost(self, exc: Exception | None) -> None:
        self.protocol.connection_lost(exc)

    def pause_writing(self) -> None:
        self.protocol.pause_writing()

    def resume_writing(self) -> None:
        self.protocol.resume_writing()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer if self.protocol.in_body else self._buffer[:HEAD_READ]

    def buffer_updated(self, nbytes: int) -> None:
        self.protocol.data_received(self._buffer[:nbytes])
