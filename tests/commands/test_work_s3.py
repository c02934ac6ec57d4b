"""Objects of buckets, against moto's S3 server."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.helpers.buckets import credentials, s3_server
from tests.helpers.contract import until
from tests.helpers.pictures import jpeg
from tests.helpers.workers import Workers
from tests.jobs.test_events import record

pytestmark = [pytest.mark.long, pytest.mark.redis]


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The URL of moto's server."""
    pytest.importorskip("aiobotocore")
    with s3_server() as url:
        yield url


def test_events_of_a_bucket_with_results_beside_the_objects(s3: str, workers: Workers) -> None:
    key = "in/a photo é+?#%25.jpg"
    quoted = "in/a%20photo%20%C3%A9%2B%3F%23%2525.jpg"
    httpx.put(f"{s3}/photos").raise_for_status()
    for path, content in ((quoted, jpeg()), ("in/text.jpg", b"text"), ("out/b.jpg", jpeg())):
        httpx.put(f"{s3}/photos/{path}", content=content).raise_for_status()
    encoded = "in/a+photo+%C3%A9%2B%3F%23%2525.jpg"
    event: dict[str, Any] = {
        "Records": [record(each) for each in (encoded, "in/text.jpg", "out/b.jpg", "in/none.jpg")]
    }
    workers.running(
        GAZECROP_SOURCES="s3://photos/in/",
        GAZECROP_WORK_RESULTS="stream,object",
        **credentials(s3),
    )
    workers.add(event=json.dumps(event))
    until(lambda: len(workers.results()) == 3 and workers.all_done(), 90)
    results = {fields[b"source"].decode(): fields for fields in workers.results()}
    assert {source: fields[b"status"] for source, fields in results.items()} == {
        f"s3://photos/{key}": b"201",
        "s3://photos/in/text.jpg": b"415",
        "s3://photos/in/none.jpg": b"502",
    }
    files = pytest.importorskip("fsspec").filesystem(
        "s3", key="x", secret="x", endpoint_url=s3
    )  # signed requests
    assert files.cat(f"photos/{key}.gazecrop.json") == results[f"s3://photos/{key}"][b"document"]
    assert json.loads(files.cat("photos/in/text.jpg.gazecrop.json"))["status"] == 415
    assert not files.exists("photos/out/b.jpg.gazecrop.json")
