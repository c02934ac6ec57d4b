"""Load over HTTP with Locust: uploads, crops, and the mixture of both that a gallery causes.

    .venv/bin/locust -f loadtests/locustfile.py --headless -u 20 -r 20 -t 60s Mixed

Open loop: each user sends RATE requests per second, independent of the response times, like independent visitors. In
a closed loop a slow server would reduce the load. The offered rate is users x RATE (environment, default 5).
The pictures are drawn. Random bytes after the end of the JPEG make each upload new, so that the cache answers none,
except where a task uploads the same picture again.
"""

import os
import random
import sys
import uuid
from pathlib import Path
from typing import Any

from locust import FastHttpUser, constant_throughput, events, task

sys.path.insert(0, str(Path(__file__).parents[1]))  # the path that locust sets has only this folder
from tests.helpers.pictures import jpeg

RATE = float(os.environ.get("RATE", "5"))
SIZES = [(640, 480), (1280, 960), (2000, 3000), (4000, 3000)]
RATIOS = ["1:1", "4:5", "16:9", "9:16", "1.91:1", "3:1", "2.35:1"]
KEY = os.environ.get("GAZECROP_API_KEY", "")

drawn: list[bytes] = []
ids: list[str] = []  # of the pictures uploaded in this run


def draw(**_: object) -> None:
    """Draws the pictures before the measurement starts: drawing 12 MP takes longer than cropping it."""
    drawn.extend(jpeg(width, height, seed) for seed, (width, height) in enumerate(SIZES))


events.test_start.add_listener(draw)  # type: ignore[no-untyped-call]


class Client(FastHttpUser):
    abstract = True
    host = "http://127.0.0.1:8000"  # --host outranks it
    wait_time = constant_throughput(RATE)
    default_headers = {"Authorization": f"Bearer {KEY}"} if KEY else {}

    def upload(self, picture: bytes) -> None:
        # Locust's annotation is str, but it sends bytes unchanged.
        body: Any = picture
        with self.client.request("POST", "/v1/images", data=body, catch_response=True) as answer:
            if answer.status_code in (200, 201):
                # A known picture costs no decoding: one mean of both would describe neither.
                answer.request_meta["name"] = (
                    f"/v1/images ({'new' if answer.status_code == 201 else 'known'})"
                )
                ids.append(answer.json()["id"])
            elif answer.status_code == 503 and "Retry-After" in answer.headers:
                # Load shedding is correct behaviour of a full server: counted under its own name, not as a failure.
                answer.request_meta["name"] = "/v1/images (shed)"
                answer.success()

    def crop(self) -> None:
        """One crop of an uploaded picture; uploads one if there is none yet."""
        if not ids:
            self.upload(drawn[0])
            return
        path = f"/v1/images/{random.choice(ids)}/crops/{random.choice(RATIOS)}"
        self.client.get(path, name="/v1/images/{id}/crops/{ratio}")


class Upload(Client):
    """Every picture is new: the most expensive request."""

    @task
    def new(self) -> None:
        self.upload(random.choice(drawn) + uuid.uuid4().bytes)


class Crop(Client):
    """Crops of uploaded pictures: neither decoding nor inference."""

    @task
    def crops(self) -> None:
        self.crop()


class Mixed(Client):
    """Twenty crops for each new picture, and one picture that all users upload again."""

    @task(20)
    def crops(self) -> None:
        self.crop()

    @task(1)
    def new(self) -> None:
        self.upload(random.choice(drawn) + uuid.uuid4().bytes)

    @task(1)
    def again(self) -> None:
        self.upload(drawn[0])
