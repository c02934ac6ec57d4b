"""Caps the request-body bytes in memory. Counts bytes received, not Content-Length, so that a slow sender takes no more
of the budget than it has sent. A body counts until its request has ended and no thread works on it any more; so do the
bytes of a large answer, which a slow client may leave in memory for long."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from starlette.types import Message, Receive

from gazecrop.concurrency.budget import Budget
from gazecrop.errors import Overloaded


class _Body:
    """The bytes of one request's body, counted in `bodies` while it has users."""

    def __init__(self, bodies: "Bodies") -> None:
        self._bodies = bodies
        self._users = 1
        self.bytes = 0

    def add(self, size: int) -> None:
        self.bytes += size
        self._bodies.budget.hold_bodies(size)

    def receive(self, size: int) -> None:
        self.add(size)
        if size:
            self._bodies.check(self)

    def keep(self) -> Callable[[], None]:
        self._users += 1
        return self.release

    def release(self) -> None:
        self._users -= 1
        if not self._users:
            self._bodies.budget.hold_bodies(-self.bytes)


# The current request's. A context variable, because tasks inherit it from the request that starts them.
_current: ContextVar[_Body | None] = ContextVar("body", default=None)


def keep_body() -> Callable[[], None]:
    """Keeps the body of the current request counted until the returned function is called, once, on the event loop.
    Outside a request there is no body, and the function does nothing."""
    body = _current.get()
    return (lambda: None) if body is None else body.keep()


def hold_answer(size: int) -> None:
    """Counts the bytes of the current request's answer with its body, until the request has ended."""
    if (body := _current.get()) is not None:
        body.add(size)


def hold_fetched(size: int) -> None:
    """Counts bytes that the current request fetches with its body, negative ones when they are freed before it ends.
    Raises Overloaded as for a body."""
    if (body := _current.get()) is not None:
        body.receive(size) if size > 0 else body.add(size)


class Bodies:
    """`budget`: of which bodies may take `most_bodies` bytes, or only that number. `shed` is called for every request
    that is refused. Used from the event loop only."""

    def __init__(self, budget: Budget | int, shed: Callable[[], object] = lambda: None) -> None:
        self.budget = budget if isinstance(budget, Budget) else Budget(budget, budget)
        self._shed = shed

    @property
    def held(self) -> int:
        return self.budget.bodies

    def _refuses(self, body: _Body) -> bool:
        """One that is alone, without any work, is always taken: its length is limited elsewhere."""
        budget = self.budget
        alone = budget.bodies == body.bytes
        if alone and not budget.work:
            return False
        return budget.used > budget.limit or not alone and budget.bodies > budget.most_bodies

    def check(self, body: _Body) -> None:
        """Raises Overloaded for a body that is refused at its present size."""
        if self._refuses(body):
            self._shed()
            error = Overloaded("Too many uploads are being read at once; try again in a moment.")
            error.headers["Connection"] = "close"
            raise error

    @contextmanager
    def counted(self, receive: Receive, times: int = 1) -> Iterator[Receive]:
        """The same `receive`, counted for the length of the block. `times`: bytes held for each byte of the body.

        It raises Overloaded when all bodies together are over the limit, except for a body that is alone, which would
        otherwise never be accepted.
        """
        body = _Body(self)

        async def counting() -> Message:
            message = await receive()
            body.receive(len(message.get("body", b"")) * times)
            return message

        token = _current.set(body)
        try:
            yield counting
        finally:
            _current.reset(token)
            body.release()
