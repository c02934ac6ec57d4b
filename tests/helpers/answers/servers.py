"""Starts servers of several settings, each over an empty folder, and asks them."""

import os
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

from tests.helpers.answers import common, corpus, pictures
from tests.helpers.answers.client import Client
from tests.helpers.answers.recording import Answer

ID_KEY = "recorded"
SECONDS_TO_START = 120
ORIGINS = ("https://a.example", "https://other.example")


def environment(**settings: str) -> dict[str, str]:
    """This process's, with none of the service's own settings but these."""
    kept = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith("GAZECROP_") and k not in ("REDIS_URL", "PORT")
    }
    return kept | {"GAZECROP_DEVICE": "cpu", "ORT_DISABLE_TELEMETRY": "1"} | settings


@contextmanager
def serving(python: Path, **settings: str) -> Iterator[str]:
    """The address of `gazecrop serve` of this environment, until the block ends. Raises RuntimeError."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        given = {"PORT": str(port), "GAZECROP_HOST": "127.0.0.1", "GAZECROP_DATA_DIR": folder}
        process = subprocess.Popen(
            [str(python.with_name("gazecrop")), "serve"],
            env=environment(**given, GAZECROP_ID_KEY=ID_KEY, GAZECROP_LOG_LEVEL="error", **settings),
        )
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(process, url)
            yield url
        finally:
            process.terminate()
            process.wait(60)


def _wait(process: "subprocess.Popen[bytes]", url: str) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while process.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"{url}/readyz", timeout=5).close()
            return
        except urllib.error.HTTPError as error:
            error.close()
        except OSError:
            pass
        time.sleep(0.05)
    raise RuntimeError(f"the server did not get ready; exit status {process.poll()}")


def record(python: Path) -> list[Answer]:
    answers = []
    for name, ask, settings in _SERVERS:
        with serving(python, **settings) as url:
            client = Client(url, name)
            ask(client)
            answers += client.answers
    return answers


def with_keys(client: Client) -> None:
    """Keys, and one report an hour."""
    data = pictures.files()["wide.jpg"]
    key = {"Authorization": "Bearer one"}
    for headers in (
        {},
        {"Authorization": "Bearer none"},
        {"Authorization": "Basic one"},
        {"X-Goog-Api-Key": "one"},
    ):
        for method, path in (("POST", "/v1/images"), ("GET", f"/v1/images/{common.UNKNOWN}"), ("POST", "/v1/crop"),
                             ("GET", f"/v1/images/{common.UNKNOWN}/crops"), ("GET", "/v1/none"),
                             ("POST", common.GOOGLE),
                             ("POST", common.AZURE), ("POST", "/v1/reports"), ("PATCH", "/v1/images")):  # fmt: skip
            client.ask(method, path, headers=headers)
    for path in ("/", "/docs", "/gazecrop.js", "/openapi.json", "/healthz", "/readyz", "/metrics"):
        client.ask("GET", path)
    found = client.ask("POST", "/v1/images?ratios=1:1", data, key)
    id = common.header(found, "Location").rpartition("/")[2]
    client.names[id] = "{wide.jpg}"
    for other in ({"Authorization": "Bearer two"}, {"Authorization": "bearer one"}, key):
        for path in ("", "/crops/1:1", "/crops?ratios=1:1", "/saliency"):
            client.ask("GET", f"/v1/images/{id}{path}", headers=other)
    body = b'{"requests": [{"image": {"content": "%b"}, "features": [{"type": 9}]}]}' % b64encode(data)
    for target, headers in (
        (common.GOOGLE, {"X-Goog-Api-Key": "one"}),
        (f"{common.GOOGLE}?key=two", {}),
        (f"{common.GOOGLE}?key=none", {}),
        (f"{common.GOOGLE}?key=%C3%A9", {}),
    ):
        client.ask("POST", target, body, headers)
    for name, value in product(("Ocp-Apim-Subscription-Key", "api-key"), ("one", "none")):
        client.ask("POST", f"{common.AZURE}?features=smartCrops", data, {name: value})
    report = b'{"id": "%b"}' % id.encode()
    client.ask("POST", "/v1/reports", report, key)
    client.ask("POST", "/v1/reports", report, key, note="the second")


def narrow(client: Client) -> None:
    """CORS, small limits, another Cache-Control, no reports."""
    files = pictures.files()
    for origin in ORIGINS:
        for method in ("GET", "PUT", "POST", "DELETE"):
            headers = {"Origin": origin, "Access-Control-Request-Method": method}
            client.ask("OPTIONS", "/v1/images", headers=headers)
            client.ask("OPTIONS", "/v1/crop", headers={**headers, "Access-Control-Request-Headers": "x-a"})
        for method, path in (
            ("GET", "/healthz"),
            ("GET", "/none"),
            ("GET", f"/v1/images/{common.UNKNOWN}/crops"),
        ):
            client.ask(method, path, headers={"Origin": origin})
        client.ask("POST", "/v1/images?ratios=1:1", files["rgb.png"], {"Origin": origin})
    for name in (
        "rgb.png",
        "picture.webp",
        "picture.avif",
        "picture.gif",
        "wide.jpg",
        "picture.bmp",
        "large.jpg",
    ):
        client.ask("POST", "/v1/images", files[name], note=name)
        client.ask("POST", common.AZURE + "?features=smartCrops", files[name], note=name)
    body = b'{"requests": [{"image": {"content": "%b"}, "features": [{"type": 9}]}]}'
    for name in ("rgb.png", "wide.jpg", "large.jpg"):
        client.ask("POST", common.GOOGLE, body % b64encode(files[name]), note=name)
    for query in (
        "ratio=1:1",
        "ratio=1:1&width=150",
        "ratio=1:1&width=150&format=png",
        "ratio=1:1&width=900",
    ):
        client.ask("POST", f"/v1/crop?{query}", files["rgb.png"], note="rgb.png")
    ids = [common.header(client.ask("POST", "/v1/images", files[name]), "Location").rpartition("/")[2]
           for name in ("rgb.png", "exif1.jpg")]  # fmt: skip
    for id in ids:
        for path in ("", "/crops/1:1", "/crops", "/saliency"):
            client.ask("GET", f"/v1/images/{id}{path}")
        client.ask("PUT", f"/v1/images/{id}/focus", b'{"x": 0.1, "y": 0.2}', random=True)
    client.ask("POST", "/v1/reports", b'{"id": "%b"}' % ids[0].encode())
    client.ask("GET", "/healthz")  # an answer is counted a moment after it was sent
    client.ask("GET", "/metrics")


_SERVERS: tuple[tuple[str, Callable[[Client], None], dict[str, str]], ...] = (
    ("", corpus.everything, {}),
    ("keys", with_keys, {"GAZECROP_API_KEYS": "one,two", "GAZECROP_REPORTS_PER_HOUR": "1"}),
    (
        "narrow",
        narrow,
        {
            "GAZECROP_CORS_ORIGINS": ORIGINS[0],
            "GAZECROP_REPORTS": "false",
            "GAZECROP_MAX_BYTES": "90000",
            "GAZECROP_MAX_DOOR_BYTES": "60000",  # of releases before 0.2.0
            "GAZECROP_MAX_GOOGLE_BODY_BYTES": "60000",
            "GAZECROP_MAX_MEGAPIXELS": "0.08",
            "GAZECROP_MAX_MEGAPIXELS_JPEG": "0.5",
            "GAZECROP_MAX_MEGAPIXELS_OUT": "0.1",
            "GAZECROP_CACHE_CONTROL": "public, max-age=60",
            "GAZECROP_MAX_FOCUS": "1",
        },
    ),
)
