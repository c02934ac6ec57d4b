"""A real thumbor 7.8.0 cuts where Gazecrop does: with the network in its process, and over HTTP."""

import io
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image, ImageOps

import gazecrop
from gazecrop.crop.placing import Box, Field
from tests.conftest import Server, free_port, serving
from tests.helpers.environments import python_environment
from tests.helpers.pictures import draw, encode

pytestmark = pytest.mark.long

DETECTOR = 'DETECTORS = ["gazecrop.integrations.thumbor"]\n'
# Over HTTP the detector needs nothing of the package's dependencies: here they cannot be imported.
OVER_HTTP = (
    DETECTOR
    + 'import sys\nfor name in ("numpy", "onnxruntime", "pydantic", "orjson"):\n    sys.modules[name] = None\n'
)
# One that records that it was used: its point is the top left corner.
NEXT = """
from thumbor.detectors import BaseDetector
from thumbor.point import FocalPoint

class Detector(BaseDetector):
    async def detect(self):
        self.context.request.focal_points.append(FocalPoint(0, 0))
"""


@dataclass
class Thumbor:
    url: str
    log: Path

    def picture(self, path: str) -> Image.Image:
        answer = self.get(path)
        return Image.open(io.BytesIO(answer.content)).convert("RGB")

    def get(self, path: str) -> httpx.Response:
        answer = httpx.get(f"{self.url}/unsafe/{path}", timeout=60)
        assert answer.status_code == 200, f"{answer.status_code}\n{self.log.read_text()[-3000:]}"
        return answer


Start = Callable[..., Thumbor]


@pytest.fixture
def thumbor(tmp_path: Path, photo: Callable[[str], Path]) -> Iterator[Start]:
    """thumbor(settings) -> Thumbor over a folder of photographs, with its default storage."""
    programs = python_environment("thumbor", "thumbor==7.8.0")
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name in ("astronaut", "rocket"):
        (pictures / f"{name}.jpg").write_bytes(photo(name).read_bytes())
    (tmp_path / "nextdetector.py").write_text(NEXT)
    with ExitStack() as running:

        def start(settings: str) -> Thumbor:
            port, folder = free_port(), tmp_path / f"thumbor-{len(list(tmp_path.iterdir()))}"
            folder.mkdir()
            (folder / "thumbor.conf").write_text(
                'LOADER = "thumbor.loaders.file_loader"\nALLOW_UNSAFE_URL = True\n'
                f"FILE_LOADER_ROOT_PATH = {str(pictures)!r}\nFILE_STORAGE_ROOT_PATH = {str(folder / 'store')!r}\n"
                + settings
            )
            program = [str(programs / "thumbor"), "--port", str(port), "--ip", "127.0.0.1"]
            log = folder / "log"
            inherited = {k: v for k, v in os.environ.items() if not k.startswith("GAZECROP_")}
            with log.open("wb") as out:
                process = subprocess.Popen(
                    [*program, "--conf", str(folder / "thumbor.conf"), "--log-level", "warning"],
                    stdout=out,
                    stderr=out,
                    env=inherited | {"PYTHONPATH": str(tmp_path)},
                )
            running.callback(process.wait, 30)
            running.callback(process.terminate)
            one, deadline = Thumbor(f"http://127.0.0.1:{port}", log), time.monotonic() + 60
            while True:
                try:
                    assert httpx.get(f"{one.url}/healthcheck").status_code == 200
                    return one
                except httpx.TransportError:
                    assert process.poll() is None and time.monotonic() < deadline, log.read_text()
                    time.sleep(0.05)

        yield start


def place(part: Image.Image, whole: Image.Image, most: float = 1) -> Box:
    """Where `part`, which is not scaled, was cut out of `whole`. Raises AssertionError where it was not: the best place
    differs by `most` levels or more."""
    width, height = part.size
    small, large = np.asarray(part, dtype=np.int16), np.asarray(whole.convert("RGB"), dtype=np.int16)
    errors = {
        (x, y): float(np.abs(large[y : y + height, x : x + width] - small).mean())
        for x in range(whole.width - width + 1)
        for y in range(whole.height - height + 1)
    }
    x, y = min(errors, key=errors.__getitem__)
    assert errors[x, y] < most, "not a part of the picture"
    return Box(x, y, width, height)


def assert_near(found: Box, box: Box) -> None:
    """thumbor rounds the size of its box and the middle in its own way."""
    assert max(abs(a - b) for a, b in zip(found, box, strict=True)) <= 1, f"{found} is not {box}"


def importance(picture: gazecrop.Picture, box: Box) -> float:
    sums = Field(picture.grid)
    return sums.sum(box) / sums.total


PNG = "filters:format(png)"
CROPS = [("astronaut", "3:1"), ("rocket", "1:2"), ("astronaut", "1:2"), ("rocket", "3:1")]


def assert_follows(one: Thumbor, plain: Thumbor, photo: Callable[[str], Path]) -> None:
    for name, ratio in CROPS:
        picture = gazecrop.look(photo(name))
        crop = picture.crop(ratio)
        size = f"{crop.box.width}x{crop.box.height}"
        with Image.open(photo(name)) as whole:
            found = place(one.picture(f"{size}/smart/{PNG}/{name}.jpg"), whole)
            centre = place(plain.picture(f"{size}/smart/{PNG}/{name}.jpg"), whole)
        assert_near(found, crop.box)
        kept = importance(picture, found)
        assert kept == pytest.approx(crop.importance, abs=0.01)
        assert importance(picture, centre) == pytest.approx(crop.centre_fraction, abs=0.01)
        assert kept > importance(picture, centre)
        # The same in half the size: from the same map.
        assert one.picture(f"{crop.box.width // 2}x0/smart/{PNG}/{name}.jpg").width == crop.box.width // 2
    assert "[gazecrop]" not in one.log.read_text()


def test_in_process_it_cuts_where_gazecrop_does(thumbor: Start, photo: Callable[[str], Path]) -> None:
    assert_follows(thumbor(DETECTOR), thumbor(""), photo)


def test_over_http_it_cuts_where_gazecrop_does(
    thumbor: Start, photo: Callable[[str], Path], start_server: Callable[..., Server]
) -> None:
    service = start_server(GAZECROP_API_KEYS="first,second")
    keyed = f"{OVER_HTTP}GAZECROP_URL = {service.url!r}\nGAZECROP_API_KEY = 'second'\n"
    one = thumbor(keyed)
    assert_follows(one, thumbor(""), photo)
    # A person's focal point applies in thumbor, too.
    data = photo("astronaut").read_bytes()
    with httpx.Client(base_url=service.url, headers={"Authorization": "Bearer first"}) as client:
        id = client.post("/v1/images", content=data).json()["id"]
        client.put(f"/v1/images/{id}/focus", json={"x": 0.5, "y": 0.95}).raise_for_status()
        box = Box(**client.get(f"/v1/images/{id}/crops/3:1").json()["box"])
    with Image.open(photo("astronaut")) as whole:
        found = place(one.picture(f"{box.width}x{box.height}/smart/{PNG}/astronaut.jpg"), whole)
    assert_near(found, box)
    assert box.y + box.height > 0.95 * 512 > gazecrop.look(data).crop("3:1").box.y


def test_an_area_that_the_address_cuts_out_first(thumbor: Start, photo: Callable[[str], Path]) -> None:
    one = thumbor(DETECTOR)
    left, top, right, bottom = area = (0, 100, 512, 512)
    with Image.open(photo("astronaut")) as whole:
        cut = whole.crop(area)
        box = gazecrop.look(cut).crop("3:1").box
        path = f"{left}x{top}:{right}x{bottom}/{box.width}x{box.height}/smart/{PNG}/astronaut.jpg"
        found = place(one.picture(path), whole)
    # It is analysed from a JPEG of it.
    assert abs(found.y - top - box.y) <= 6 and found.x == box.x


@pytest.mark.parametrize("respect", [True, False])
def test_a_turned_file(thumbor: Start, tmp_path: Path, respect: bool) -> None:
    """The crop is that of the picture as thumbor shows it: turned upright, or as it is stored."""
    one = thumbor(f"{DETECTOR}RESPECT_ORIENTATION = {respect}\n")
    upright = draw(600, 300, (0.2, 0.5), radius=0.2)
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = upright.transpose(Image.Transpose.ROTATE_90)
    file = tmp_path / "pictures" / "turned.jpg"
    file.write_bytes(encode(stored, quality=95, exif=exif))
    with Image.open(file) as shown:
        found = place(
            one.picture(f"300x300/smart/{PNG}/turned.jpg"),
            ImageOps.exif_transpose(shown) if respect else shown,
        )
        again = encode(shown.convert("RGB"), quality=90)  # as it is stored it is analysed from a JPEG of it
    box = gazecrop.look(file if respect else again).crop("1:1").box
    assert max(abs(found.x - box.x), abs(found.y - box.y)) <= (1 if respect else 6)
    assert found != Box(150, 0, 300, 300) and found != Box(0, 150, 300, 300)  # the centre
    assert "[gazecrop]" not in one.log.read_text()


def test_the_points_without_a_size(thumbor: Start, photo: Callable[[str], Path]) -> None:
    """`/meta/` lists the focal points."""
    picture = gazecrop.look(photo("rocket"))
    found = thumbor(DETECTOR).get("meta/smart/rocket.jpg").json()["thumbor"]["focal_points"]
    assert [(round(each["x"]), round(each["y"]), each["z"]) for each in found] == [
        (int(point.x * 640), int(point.y * 427), round(100 * point.score)) for point in picture.points
    ]


@pytest.mark.parametrize("settings", ["", "GAZECROP_TIMEOUT = 8\n"], ids=["refused", "silent"])
def test_a_service_that_is_away(
    thumbor: Start, photo: Callable[[str], Path], settings: str, tmp_path: Path
) -> None:
    """The next detector decides, the log has it, the result is not cached; and when the service is back, it is used,
    though thumbor keeps the focal points of other detectors."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        if not settings:
            silent.close()
        chain = 'DETECTORS = ["gazecrop.integrations.thumbor", "nextdetector"]\nMAX_AGE_TEMP_IMAGE = 7\n'
        one = thumbor(f"{chain}GAZECROP_URL = 'http://127.0.0.1:{port}'\n{settings}")
        began = time.monotonic()
        answer = one.get(f"512x171/smart/{PNG}/astronaut.jpg")
        assert time.monotonic() - began < 20
    with Image.open(photo("astronaut")) as whole:
        assert place(Image.open(io.BytesIO(answer.content)).convert("RGB"), whole).y == 0  # nextdetector's
        assert "next detector is used" in one.log.read_text()
        assert "max-age=7," in answer.headers["Cache-Control"]
        with serving(tmp_path, port=port):
            back = one.get(f"512x171/smart/{PNG}/astronaut.jpg")
        found = place(Image.open(io.BytesIO(back.content)).convert("RGB"), whole)
    assert_near(found, gazecrop.look(photo("astronaut")).crop("512:171").box)
    assert "max-age=86400," in back.headers["Cache-Control"]


def test_a_wrong_key_does_not_break_the_picture(thumbor: Start, start_server: Callable[..., Server]) -> None:
    service = start_server(GAZECROP_API_KEYS="right")
    one = thumbor(f"{DETECTOR}GAZECROP_URL = {service.url!r}\nGAZECROP_API_KEY = 'wrong'\n")
    assert one.picture(f"512x171/smart/{PNG}/astronaut.jpg").size == (512, 171)
    assert "403" in one.log.read_text()
