"""What a run must fulfil, as options of locust; a run that does not ends with status 1 and the reasons."""

import math
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import dataclass

from loadtests.arrivals import Tally

CROP, UPLOAD, SHED = "/v1/images/{id}/crops/{ratio}", "/v1/images (new)", "/v1/images (shed)"


@dataclass(frozen=True)
class Row:
    """Of locust's statistics: requests, failures, and the p99 in milliseconds."""

    requests: int
    failures: int
    p99: float


def add_options(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("Thresholds (exit status 1 beyond them)")
    group.add_argument(
        "--crop-p99", type=float, default=250.0, metavar="MS", help="of crops; default: %(default)g"
    )
    group.add_argument(
        "--upload-p99", type=float, default=math.inf, metavar="MS", help="of new pictures; default: none"
    )
    group.add_argument(
        "--max-failed", type=float, default=0.0, metavar="SHARE", help="of all requests; default: %(default)g"
    )
    group.add_argument(
        "--max-shed",
        type=float,
        default=0.01,
        metavar="SHARE",
        help="of uploads, answered 503 with Retry-After; default: %(default)g",
    )
    group.add_argument(
        "--max-unsent",
        type=float,
        default=0.01,
        metavar="SHARE",
        help="of arrivals not sent, or late: then it was not the load that was asked for; default: %(default)g",
    )


def broken(options: Namespace, rows: dict[str, Row], tally: Tally) -> Iterator[str]:
    """A sentence for each threshold that the run is beyond. `rows` by the request's name."""
    for name, limit in ((CROP, options.crop_p99), (UPLOAD, options.upload_p99)):
        if name in rows and rows[name].p99 > limit:
            yield f"p99 of {name}: {rows[name].p99:.0f} ms, above {limit:g}."
    requests, failures = sum(r.requests for r in rows.values()), sum(r.failures for r in rows.values())
    if not requests or not tally.offered:
        yield "No request was answered, or none was due."
    elif failures > options.max_failed * requests:
        yield f"Failed: {failures} of {requests} requests."
    uploads = sum(row.requests for name, row in rows.items() if name.startswith("/v1/images ("))
    shed = rows[SHED].requests if SHED in rows else 0
    if shed > options.max_shed * uploads:
        yield f"Refused with 503: {shed} of {uploads} uploads."
    if tally.unsent + tally.late > options.max_unsent * tally.offered:
        yield "The load was not that which was asked for: use more users with a lower rate, or more processes."
