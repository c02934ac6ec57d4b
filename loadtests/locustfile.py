"""Load from outside: uploads, crops, and the mixture of both that a gallery makes.

    .venv/bin/locust -f loadtests/locustfile.py --host http://127.0.0.1:8000 --headless -u 20 -r 20 -t 60s Mixed

Open loop: each user sends RATE requests a second however long the answers take, as the public does; a closed loop
waits with a slow server and so hides how slow it is. The offered rate is users x RATE (environment, default 5).
The pictures are drawn, and bytes after a JPEG's end make each a new one, so no upload is answered from the cache
unless that is wanted.
"""

import os
import random
import uuid
from typing import Any

from locust import FastHttpUser, constant_throughput, events, task

from tests.helpers.pictures import jpeg

RATE = float(os.environ.get("RATE", "5"))
SIZES = [(640, 480), (1280, 960), (2000, 3000), (4000, 3000)]
RATIOS = ["1:1", "4:5", "16:9", "9:16", "1.91:1", "3:1", "2.35:1"]
KEY = os.environ.get("GAZECROP_API_KEY", "")

drawn: list[bytes] = []
known: list[str] = []  # ids that were uploaded in this run


def draw(**_: object) -> None:
    """Once, before the clock starts: drawing 12 MP takes longer than the server needs to crop it."""
    drawn.extend(jpeg(width, height, seed) for seed, (width, height) in enumerate(SIZES))


events.test_start.add_listener(draw)  # type: ignore[no-untyped-call]


class Client(FastHttpUser):
    abstract = True
    wait_time = constant_throughput(RATE)
    default_headers = {"Authorization": f"Bearer {KEY}"} if KEY else {}

    def upload(self, picture: bytes) -> None:
        # Its annotation says str; bytes are sent as they are.
        body: Any = picture
        with self.client.request("POST", "/v1/images", data=body, catch_response=True) as answer:
            if answer.status_code in (200, 201):
                known.append(answer.json()["id"])
            elif answer.status_code == 503 and "Retry-After" in answer.headers:
                # Shedding is what a full server should do: counted under a name of its own, not as a failure.
                answer.request_meta["name"] = "/v1/images (shed)"
                answer.success()

    def crop(self) -> None:
        """One crop of a picture that is known; the first users upload one first."""
        if not known:
            self.upload(drawn[0])
            return
        path = f"/v1/images/{random.choice(known)}/crops/{random.choice(RATIOS)}"
        self.client.get(path, name="/v1/images/{id}/crops/{ratio}")


class Upload(Client):
    """Every picture is new: the dearest request."""

    @task
    def new(self) -> None:
        self.upload(random.choice(drawn) + uuid.uuid4().bytes)


class Crop(Client):
    """Crops of known pictures: no picture, no network."""

    @task
    def known(self) -> None:
        self.crop()


class Mixed(Client):
    """Twenty crops to a new picture, and one picture that everybody uploads again."""

    @task(20)
    def crops(self) -> None:
        self.crop()

    @task(1)
    def new(self) -> None:
        self.upload(random.choice(drawn) + uuid.uuid4().bytes)

    @task(1)
    def again(self) -> None:
        self.upload(drawn[0])
