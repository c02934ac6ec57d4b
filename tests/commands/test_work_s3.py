"""Objects of buckets, against moto's S3 server in an environment of its own: `.venv-moto`."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import free_port
from tests.helpers.contract import until
from tests.helpers.pictures import jpeg
from tests.helpers.workers import Workers
from tests.jobs.test_events import record

pytestmark = [pytest.mark.long, pytest.mark.redis]
ROOT = Path(__file__).parents[2]
MOTO = "moto[server]==5.2.5"


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The URL of moto's server."""
    pytest.importorskip("aiobotocore")
    folder = ROOT / ".venv-moto"
    stamp = folder / "stamp"
    if not stamp.exists() or stamp.read_text() != MOTO:
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        pip = [str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", MOTO]
        subprocess.run(pip, check=True)
        stamp.write_text(MOTO)
    port = free_port()
    server = subprocess.Popen(
        [str(folder / "bin" / "moto_server"), "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return httpx.get(f"{url}/moto-api/").status_code == 200
        except httpx.TransportError:
            return False

    try:
        until(answers, 60)
        yield url
    finally:
        server.terminate()
        server.wait()


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
        AWS_ENDPOINT_URL=s3,
        AWS_ACCESS_KEY_ID="x",
        AWS_SECRET_ACCESS_KEY="x",
        AWS_DEFAULT_REGION="us-east-1",
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
