"""Clients that hold connections: idle, in a head that does not end, in a body that does not, or that leave."""

import contextlib
import socket
import time

import httpx

from gazecrop.http.server import CONNECTIONS
from tests.conftest import serving
from tests.faults.rows import Row, Trial, fault
from tests.helpers.pictures import jpeg

BEGINNINGS = (
    b"",
    b"GET / HT",
    b"GET /healthz HTTP/1.1\r\nHost: x\r\n",
    b"\x16\x03\x01\x02\x00",
    b"POST /v1/images HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nabc",
)
SLOWEST = 2.0  # seconds that a polite client's slowest request may take longer with them than three times without them


def polite(url: str, requests: int) -> tuple[int, float]:
    """Requests on a new connection each: how many failed, and the seconds of the slowest."""
    failed, slowest = 0, 0.0
    for number in range(requests):
        began = time.monotonic()
        try:
            if number % 2:
                answer = httpx.post(f"{url}/v1/images", content=jpeg(seed=number), timeout=30)
            else:
                answer = httpx.get(f"{url}/healthz", timeout=30)
            failed += not answer.is_success
        except httpx.TransportError:
            failed += 1
        slowest = max(slowest, time.monotonic() - began)
    return failed, slowest


@fault("clients")
def clients(trial: Trial) -> Row:
    """The rude ones hold more connections than there may be; a polite one needs a new connection for each request."""
    rude, requests = CONNECTIONS + 100, 10 if trial.short else 100
    with serving(trial.folder) as server, contextlib.ExitStack() as held:
        _, usual = polite(server.url, requests)
        port = int(server.url.rpartition(":")[2])
        for number in range(rude):
            one = held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
            # One in a hundred is in a body: those are requests in progress, which are not closed.
            beginning = BEGINNINGS[-1] if number % 100 == 99 else BEGINNINGS[number % (len(BEGINNINGS) - 1)]
            with contextlib.suppress(OSError):
                one.sendall(beginning)
        failed, slowest = polite(server.url, requests)
    measured = f"{rude} rude, {failed} polite ones failed, slowest {slowest:.2f} s, without {usual:.2f} s"
    bar = f"0 fail, slowest {SLOWEST:.0f} s + 3 x without"
    return Row("clients", bar, measured, failed == 0 and slowest <= SLOWEST + 3 * usual)
