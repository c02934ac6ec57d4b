"""Results to a webhook, against a real HTTP server, with the example of Standard Webhooks."""

import base64
import hashlib
import hmac
import json
import time
from http.server import BaseHTTPRequestHandler

import pytest

from gazecrop.commands.work.webhooks import seconds_of, sign
from tests.helpers.contract import until
from tests.helpers.http_servers import http_server
from tests.helpers.pictures import jpeg
from tests.helpers.workers import Workers

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + base64.b64encode(bytes(range(32))).decode()
EXPECTED = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_example_of_the_standard() -> None:
    example = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    assert sign([SECRET], *example) == EXPECTED
    first, second = sign([SECRET, OTHER], *example).split(" ")
    assert first == EXPECTED and second.startswith("v1,") and second != EXPECTED


def test_retry_after_is_seconds_or_a_date() -> None:
    assert (seconds_of("7"), seconds_of(""), seconds_of("soon"), seconds_of("-1")) == (7.0, 0.0, 0.0, 0.0)
    assert seconds_of("99999") == 3600.0
    later = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 30))
    assert 25 < seconds_of(later) <= 30
    assert seconds_of("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0


@pytest.mark.redis
def test_a_receiver_that_fails_first(workers: Workers) -> None:
    """Every try has the same id and body; `Retry-After` is waited for; 410 ends the tries."""
    seen: list[tuple[float, dict[str, str], bytes]] = []

    def receive(
        number: int, request: BaseHTTPRequestHandler, body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        seen.append((time.monotonic(), {k.lower(): v for k, v in request.headers.items()}, body))
        if b'"id":"gone"' in body:
            return 410, {}, b""
        return {1: (500, {}, b""), 2: (429, {"Retry-After": "2"}, b"")}.get(number, (204, {}, b""))

    with http_server(receive) as url:
        worker = workers.running(
            GAZECROP_WORK_RESULTS="webhook",
            GAZECROP_WORK_WEBHOOK=f"{url}/hook",
            GAZECROP_WORK_WEBHOOK_SECRETS=f"{SECRET},{OTHER}",
        )
        job = workers.add(image=jpeg(), id="mine", ratios="1:1")

        def delivered() -> bool:
            return 'result="done"' in worker.metrics() and "} 1.0" in next(
                line for line in worker.metrics().splitlines() if 'queue="webhooks",result="done"' in line
            )

        until(delivered, 60)
        assert len(seen) == 3
        assert len({headers["webhook-id"] for _, headers, _ in seen}) == len({b for *_, b in seen}) == 1
        assert seen[2][0] - seen[1][0] >= 2.0
        for _, headers, body in seen:
            content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
            wanted = [
                "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
                for key in (base64.b64decode(each.removeprefix("whsec_")) for each in (SECRET, OTHER))
            ]
            assert headers["webhook-signature"].split(" ") == wanted
            assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
        message = json.loads(seen[0][2])
        assert message["type"] == "picture.cropped" and message["timestamp"]
        data = message["data"]
        assert (data["job"], data["id"], data["status"]) == (job, "mine", 201)
        assert [crop["ratio"] for crop in data["document"]["crops"]] == ["1:1"]
        assert not workers.results() and workers.redis.xlen("jobs:webhooks") == 0
        workers.add(image=b"no picture", id="gone")
        until(workers.dead, 60)
        assert len(seen) == 4 and json.loads(seen[3][2])["type"] == "picture.failed"
        assert b"410" in workers.dead()[0][b"error"]
