"""generateThumbnail called by Azure's own client of v3.2, in an environment of its own: its last release is of 2021."""

import io
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.conftest import Server
from tests.helpers.environments import python_environment_apart
from tests.helpers.origins import origin, whole

pytestmark = pytest.mark.long
SDK = "azure-cognitiveservices-vision-computervision==0.9.1"
SCRIPT = """
import json, sys
from azure.cognitiveservices.vision.computervision import ComputerVisionClient
from msrest.exceptions import HttpOperationError
from msrest.authentication import CognitiveServicesCredentials

endpoint, key, source, smart, out = sys.argv[1:]
client = ComputerVisionClient(endpoint, CognitiveServicesCredentials(key))
options = {"width": 100, "height": 150, "smart_cropping": smart == "smart"}
try:
    if "://" in source:
        pieces = client.generate_thumbnail(url=source, **options)
    else:
        pieces = client.generate_thumbnail_in_stream(image=open(source, "rb"), **options)
    with open(out, "wb") as file:
        file.writelines(pieces)
except HttpOperationError as error:
    print(error.response.status_code, json.dumps(error.response.json()))
"""


@pytest.fixture(scope="module")
def python() -> Path:
    return python_environment_apart("azure", SDK) / "python"


def test_the_client_gets_the_thumbnail(
    python: Path, start_server: Callable[..., Server], picture: bytes, tmp_path: Path
) -> None:
    def call(key: str, source: str, smart: str) -> tuple[bytes, str]:
        """The file that the client wrote, and the error that it raised."""
        out = tmp_path / "out.jpg"
        out.unlink(missing_ok=True)
        program = [str(python), "-c", SCRIPT, server.url, key, source, smart, str(out)]
        done = subprocess.run(program, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return out.read_bytes() if out.exists() else b"", done.stdout

    file = tmp_path / "picture.jpg"
    file.write_bytes(picture)
    with origin({b"/a.jpg": whole(picture)}) as source:
        prefix = f"http://127.0.0.1:{source.port}/"
        server = start_server(
            GAZECROP_API_KEYS="k", GAZECROP_SOURCES=prefix, GAZECROP_SOURCES_PRIVATE="127.0.0.1/32"
        )
        smart, _ = call("k", str(file), "smart")
        plain, _ = call("k", str(file), "plain")
        by_url, _ = call("k", f"{prefix}a.jpg", "smart")
        outside = call("k", "https://other.example/a.jpg", "smart")
        wrong = call("guess", str(file), "smart")
    ours = httpx.post(
        f"{server.url}/v1/crop?width=100&height=150&enlarge=true&format=jpeg",
        content=picture,
        headers={"authorization": "Bearer k"},
    )
    assert smart == by_url == ours.content != plain
    with Image.open(io.BytesIO(plain)) as image:
        assert (image.size, image.format) == ((100, 150), "JPEG")
    for found, (status, code) in ((outside, (403, "source_not_allowed")), (wrong, (403, "forbidden"))):
        assert found[0] == b"" and found[1].startswith(f"{status} ") and code in found[1]
