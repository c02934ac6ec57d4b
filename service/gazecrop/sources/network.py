"""Connections to checked addresses only: a name is resolved once, every answer is checked, and one of these very
addresses is connected to. TLS and the Host header keep the name."""

import asyncio
import socket
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpcore

from gazecrop.errors import SourceFailed, SourceNotAllowed
from gazecrop.sources.addresses import Addresses

CONNECT_SECONDS = 5.0  # to one address: the next may answer
MOST_TRIED = 4  # addresses of one name that are connected to, one after the other
RESOLVERS = 8  # threads: a name server that does not answer holds one for some seconds


class CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Raises SourceNotAllowed where any answer is not allowed: a name with a public and a private address is an attack
    or a mistake."""

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses
        self._inner = httpcore.AnyIOBackend()
        self._threads = ThreadPoolExecutor(RESOLVERS, thread_name_prefix="resolve")

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        answers = await self._resolve(host, port)
        for answer in answers:
            if not self._addresses.allows(answer):
                raise SourceNotAllowed(
                    "The address of this host is not a public one.",
                    log=f"{host} has the address {answer}, which is neither public nor in GAZECROP_SOURCES_PRIVATE",
                )
        failure: Exception = httpcore.ConnectError()
        for answer in answers[:MOST_TRIED]:
            try:
                return await self._inner.connect_tcp(
                    answer, port, CONNECT_SECONDS, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def _resolve(self, host: str, port: int) -> list[str]:
        """The addresses of a name, or an address itself."""
        look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._threads, look_up)
        except (OSError, UnicodeError) as error:
            raise SourceFailed(
                "The name of this host cannot be resolved.", log=f"{host} cannot be resolved: {error}"
            ) from None
        return list(dict.fromkeys(str(address[0]) for *_, address in found))
