"""Files that are no pictures, broken ones, and bombs, at every route that takes a picture."""

import random

import httpx

from tests.conftest import serving
from tests.faults.rows import Row, Trial, fault
from tests.helpers.samples import SAMPLES
from tests.picture.test_decode import BOMBS

ROUTES = ("/v1/images", "/v1/crop?ratio=1:1&width=100", "/v1/explain")


def files(short: bool) -> list[bytes]:
    """Truncated and changed samples of every format, noise behind each magic number, bombs."""
    dice = random.Random(16)
    found = [make()[0] for make in BOMBS.values()]
    for data in SAMPLES.values():
        found.append(data[:16] + dice.randbytes(400))
        for _ in range(1 if short else 6):
            found.append(data[: dice.randrange(1, len(data))])
            changed = bytearray(data)
            for _ in range(dice.randrange(1, 20)):
                changed[dice.randrange(len(changed))] = dice.randrange(256)
            found.append(bytes(changed))
    return found


@fault("hostile")
def hostile(trial: Trial) -> Row:
    sent = files(trial.short)
    routes = ROUTES[:1] if trial.short else ROUTES
    with serving(trial.folder) as server, httpx.Client(base_url=server.url, timeout=60) as client:
        statuses = [client.post(route, content=data).status_code for data in sent for route in routes]
        alive = client.get("/healthz").status_code == 200 and server.process.poll() is None
        traced = server.log.read_text().count("Traceback")
    failed = sum(status >= 500 for status in statuses)
    measured = f"{len(statuses)} uploads, {failed} 5xx, {traced} tracebacks"
    return Row("hostile", "0 5xx, alive", measured, failed == 0 and traced == 0 and alive)
