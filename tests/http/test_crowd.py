"""Which connection is closed when there are too many."""

from collections.abc import Iterator

import pytest

from gazecrop.http import server
from gazecrop.http.crowd import Crowd
from tests.helpers.contract import until
from tests.helpers.sockets import Running, everything, serving


class Connection:
    closed = False

    def close_idle(self) -> None:
        self.closed = True


def crowd(limit: int, share: int) -> Crowd[Connection]:
    return Crowd(limit, share, {"10.0.0.1"}.__contains__)


def entered(members: Crowd[Connection], count: int, address: str = "") -> list[Connection]:
    found = [Connection() for _ in range(count)]
    assert all([members.enter(one, address) for one in found])
    return found


def test_at_the_limit_the_one_that_is_idle_for_longest_is_closed() -> None:
    members = crowd(3, 100)
    first, second, third = entered(members, 3)
    members.busy(first)
    members.busy(second)
    members.idle(second)  # after third
    entered(members, 1)
    assert (first.closed, second.closed, third.closed, len(members)) == (False, False, True, 3)
    entered(members, 1)
    assert second.closed and not first.closed
    members.idle(second)  # its answer ended while it was being closed
    members.leave(second)
    assert len(members) == 3


def test_busy_ones_are_never_closed() -> None:
    members = crowd(2, 100)
    for one in entered(members, 2):
        members.busy(one)
    [new] = entered(members, 1)
    assert len(members) == 3 and not new.closed


def test_a_client_has_a_share_and_a_proxy_has_none() -> None:
    members = crowd(100, 2)
    first, second = entered(members, 2, "192.0.2.1")
    entered(members, 1, "192.0.2.1")
    assert first.closed and not second.closed
    entered(members, 5, "10.0.0.1")
    [other] = entered(members, 1, "192.0.2.2")
    entered(members, 2, "2001:db8::1")
    [last] = entered(members, 1, "2001:db8::2")  # the same /64 network
    assert not other.closed and not last.closed and len(members) == 2 + 5 + 1 + 2


def test_a_client_whose_share_is_busy_is_refused() -> None:
    members = crowd(100, 2)
    busy = entered(members, 2, "192.0.2.1")
    for one in busy:
        members.busy(one)
    assert not members.enter(Connection(), "192.0.2.1")
    members.leave(busy[0])
    entered(members, 1, "192.0.2.1")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """A server with room for 20 connections."""
    monkeypatch.setattr(server, "CONNECTIONS", 20)
    with serving() as running:
        yield running


GET = b"GET /ignore HTTP/1.1\r\nHost: x\r\n"


def test_idle_connections_keep_nobody_out(small: Running) -> None:
    """Some never sent a byte, some are in a head, some are kept alive after an answer."""
    held = []
    for number in range(60):
        one = small.connect()
        held.append(one)
        if number % 3 == 1:
            one.sendall(GET)
        if number % 3 == 2:
            one.sendall(GET + b"\r\n")
            assert one.recv(1000).startswith(b"HTTP/1.1 200")
        assert small.ask(GET + b"Connection: close\r\n\r\n").startswith(b"HTTP/1.1 200"), number
    until(lambda: len(small.server.server_state.connections) <= 20)
    assert everything(held[0]) == b""
    held[-1].sendall(GET + b"\r\n")  # a young one was kept
    assert held[-1].recv(1000).startswith(b"HTTP/1.1 200")
    for one in held:
        one.close()


def test_a_client_that_is_no_proxy_keeps_within_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "CONNECTIONS", 20)
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "192.0.2.1")
    post = b"POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12"
    with serving() as running:
        busy = [running.connect() for _ in range(5)]
        for one in busy:
            one.sendall(post)
        until(lambda: len(running.server.server_state.tasks) == 5)
        with running.connect() as one_more:
            refused = everything(one_more)
        assert refused.startswith(b"HTTP/1.1 503") and b"Too many connections from this address" in refused
        busy[0].sendall(b"345")
        assert busy[0].recv(1000).startswith(b"HTTP/1.1 200")
        assert running.ask(GET + b"Connection: close\r\n\r\n").startswith(b"HTTP/1.1 200")
        for one in busy:
            one.close()
