"""Load over HTTP with Locust: uploads, crops, and the mixture of both that a gallery causes.

    make load                                             starts the service and runs Mixed against it
    .venv/bin/locust -f loadtests/locustfile.py --headless -u 20 -r 20 -t 60s Mixed        against a running one

Open loop: each user is a source of RATE arrivals per second on a schedule (`arrivals.py`), which wait for no answer.
The offered rate is users x RATE (--rate or the environment, default 5). The end states how many were offered and sent;
the exit status is 1 beyond a threshold (`thresholds.py`, --help).
The pictures are drawn. Random bytes after the end of the JPEG make each upload new, so that the cache answers none,
except where the same picture is uploaded again.
"""

import logging
import os
import random
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import gevent
from locust import FastHttpUser, constant, events, task
from locust.env import Environment

sys.path.insert(0, str(Path(__file__).parents[1]))  # the path that locust sets has only this folder
from loadtests import thresholds
from loadtests.arrivals import Arrivals, Tally
from loadtests.thresholds import CROP, Row
from tests.helpers.pictures import jpeg

SIZES = [(640, 480), (1280, 960), (2000, 3000), (4000, 3000)]
RATIOS = ["1:1", "4:5", "16:9", "9:16", "1.91:1", "3:1", "2.35:1"]
KEY = os.environ.get("GAZECROP_API_KEY", "")
STOP_SECONDS = 30.0  # for the requests under way at the end

drawn: list[bytes] = []
ids: list[str] = []  # of the pictures uploaded in this run
tally = Tally()
_log = logging.getLogger("loadtests")


def add_options(parser: Any) -> None:
    parser.add_argument(
        "--rate", type=float, default=5.0, env_var="RATE", help="arrivals per second and user"
    )
    parser.add_argument(
        "--in-flight",
        type=int,
        default=500,
        help="the most requests of a user at once; an arrival beyond is not sent",
    )
    thresholds.add_options(parser)


def prepare(environment: Environment, **_: object) -> None:
    """Draws the pictures before the run's time begins: it takes 5 s on a busy machine."""
    environment.stop_timeout = environment.stop_timeout or STOP_SECONDS
    drawn.extend(jpeg(width, height, seed) for seed, (width, height) in enumerate(SIZES))
    # The loop's clock stood still meanwhile: a run of 5 s that is timed by it would have ended at once.
    gevent.get_hub().loop.update_now()


def end(**_: object) -> None:
    tally.ended = time.monotonic()


def judge(environment: Environment, **_: object) -> None:
    """States the load that was sent, and sets the exit status."""
    runner = environment.runner
    assert environment.parsed_options is not None and runner is not None
    rows = {
        name: Row(entry.num_requests, entry.num_failures, entry.get_response_time_percentile(0.99) or 0.0)
        for (name, _), entry in environment.stats.entries.items()
    }
    _log.info(tally.sentence())
    reasons = list(thresholds.broken(environment.parsed_options, rows, tally))
    for reason in reasons:
        _log.error(reason)
    environment.process_exit_code = 1 if reasons or runner.exceptions else 0


for _hook, _listener in (
    (events.init_command_line_parser, add_options),
    (events.init, prepare),
    (events.test_stopping, end),
    (events.quitting, judge),
):
    _hook.add_listener(_listener)  # type: ignore[no-untyped-call]


class Client(FastHttpUser):
    """A source of arrivals. `kinds`: the methods that make a request, with their weights."""

    abstract = True
    host = "http://127.0.0.1:8000"  # --host outranks it
    wait_time = constant(0)  # the schedule is that of `arrivals`
    concurrency = 10_000  # connections: never what a request waits for
    default_headers = {"Authorization": f"Bearer {KEY}"} if KEY else {}
    kinds: dict[str, int]

    def on_start(self) -> None:
        if not ids:
            self.again()  # so that the first crops have a picture
        options = self.environment.parsed_options
        self.arrivals = Arrivals(options.rate, options.in_flight, tally)

    @task
    def arrive(self) -> None:
        [kind] = random.choices(list(self.kinds), list(self.kinds.values()))
        self.arrivals.send_next(getattr(self, kind))

    def on_stop(self) -> None:
        self.arrivals.end(STOP_SECONDS)

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

    def new(self) -> None:
        """A picture that was never uploaded: the most expensive request."""
        self.upload(random.choice(drawn) + uuid.uuid4().bytes)

    def again(self) -> None:
        """The one picture that all users upload."""
        self.upload(drawn[0])

    def crop(self) -> None:
        """One crop of an uploaded picture: neither decoding nor inference. Uploads one if there is none yet."""
        if not ids:
            return self.again()
        path = f"/v1/images/{random.choice(ids)}/crops/{random.choice(RATIOS)}"
        self.client.get(path, name=CROP)


class Upload(Client):
    """Every picture is new."""

    kinds = {"new": 1}


class Crop(Client):
    """Crops of one picture."""

    kinds = {"crop": 1}


class Mixed(Client):
    """Twenty crops for each new picture, and one picture that all users upload again."""

    kinds = {"crop": 20, "new": 1, "again": 1}
