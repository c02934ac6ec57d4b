"""The open connections: which one is closed when there are too many."""

from collections import Counter
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from gazecrop.concurrency.addresses import subscriber


class Closable(Protocol):
    def close_idle(self) -> None: ...


C = TypeVar("C", bound=Closable)


class Crowd(Generic[C]):
    """Connections without a request in progress are idle: those kept alive, and those whose head is not complete.

    limit: above it the oldest idle one is closed, so that a thousand idle ones keep none out. share: of one client's
    address, or of its /64 network; above it that client's oldest idle one is closed. `is_proxy(address)`: a proxy has
    no share, as all clients have its address.
    """

    def __init__(
        self,
        limit: int,
        share: int,
        is_proxy: Callable[[str], bool],
        changed: Callable[[int], object] = lambda count: None,
    ) -> None:
        """`changed` is called with the number of connections."""
        self._limit, self._share, self._is_proxy, self._changed = limit, share, is_proxy, changed
        self._clients: dict[C, str] = {}  # "": without a share
        self._idle: dict[C, None] = {}  # the oldest first
        self._held: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._clients)

    def enter(self, connection: C, address: str) -> bool:
        """A new connection, idle. False: its client has its share, all of it busy, and this one is to be refused."""
        client = "" if not address or self._is_proxy(address) else subscriber(address)
        if client and self._held[client] >= self._share and not self._close_oldest(client):
            return False
        if len(self._clients) >= self._limit:
            self._close_oldest()
        self._clients[connection] = client
        self._idle[connection] = None
        self._held[client] += 1
        self._changed(len(self._clients))
        return True

    def busy(self, connection: C) -> None:
        self._idle.pop(connection, None)

    def idle(self, connection: C) -> None:
        if connection in self._clients:
            self._idle.pop(connection, None)
            self._idle[connection] = None

    def leave(self, connection: C) -> None:
        client = self._clients.pop(connection, None)
        self._idle.pop(connection, None)
        if client is None:
            return
        self._held[client] -= 1
        if not self._held[client]:
            del self._held[client]
        self._changed(len(self._clients))

    def _close_oldest(self, client: str | None = None) -> bool:
        for connection in self._idle:
            if client is None or self._clients[connection] == client:
                self.leave(connection)
                connection.close_idle()
                return True
        return False
