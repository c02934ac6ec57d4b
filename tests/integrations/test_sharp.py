"""The helper for sharp 0.35.5: installed from the checkout with npm, it cuts the box that Gazecrop states."""

import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from tests.conftest import Server, command
from tests.helpers.environments import node_environment
from tests.helpers.shipping import ROOT, text

pytestmark = pytest.mark.long
HELPER = ROOT / "service" / "gazecrop" / "integrations" / "sharp"
PROGRAM = """
import sharp from "sharp";
import { readFileSync } from "node:fs";
import { ask, cropOf, cut } from "gazecrop-sharp";
const given = JSON.parse(readFileSync(0, "utf8"));
const picture = given.id ? { id: given.id } : readFileSync(given.file);
try {
  const document = given.document ?? (await ask(picture, given.ask));
  await cut(sharp(given.file), cropOf(document, given.ratio), given.size).png().toFile(given.out);
  console.log(JSON.stringify(document));
} catch (error) {
  console.log(JSON.stringify({ error: error.message, status: error.status ?? null, name: error.name }));
}
"""


@pytest.fixture(scope="module")
def folder() -> Path:
    command("node")
    command("npm")
    place = node_environment("sharp", "sharp@0.35.5", str(HELPER))
    (place / "program.js").write_text(PROGRAM)
    return place


@pytest.fixture
def run(folder: Path) -> Callable[..., Any]:
    def run(**given: Any) -> Any:
        done = subprocess.run(
            ["node", "program.js"],
            cwd=folder,
            input=json.dumps(given, default=str).encode(),
            capture_output=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)

    return run


def turned(file: Path, orientation: int) -> bytes:
    """The photograph stored turned, so that it is upright by its EXIF."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    inverse = {6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270, 3: Image.Transpose.ROTATE_180}
    mirrored = {2: Image.Transpose.FLIP_LEFT_RIGHT, 4: Image.Transpose.FLIP_TOP_BOTTOM}
    mirrored |= {5: Image.Transpose.TRANSPOSE, 7: Image.Transpose.TRANSVERSE}
    step = (inverse | mirrored).get(orientation)
    buffer = io.BytesIO()
    with Image.open(file) as image:
        (image if step is None else image.transpose(step)).save(buffer, "JPEG", quality=95, exif=exif)
    return buffer.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_cuts_the_box_in_every_orientation(
    run: Callable[..., Any],
    photo: Callable[[str], Path],
    server: Server,
    orientation: int,
    tmp_path: Path,
) -> None:
    file, out = tmp_path / "photo.jpg", tmp_path / "out.png"
    file.write_bytes(turned(photo("rocket"), orientation))
    document = run(file=file, out=out, ratio="1:2", ask={"url": server.url, "ratios": ["1:2"]}, size={})
    [crop] = document["crops"]
    box = crop["box"]
    assert document["image"]["width"] == 640
    with Image.open(file) as image, Image.open(out) as found:
        upright = ImageOps.exif_transpose(image)
        left, top = box["x"], box["y"]
        expected = upright.crop((left, top, left + box["width"], top + box["height"]))
        assert found.size == expected.size
        # The two decoders differ by a level or two.
        difference = np.abs(np.asarray(found.convert("RGB"), np.int16) - np.asarray(expected, np.int16))
        assert difference.mean() < 1.5
    # The same by its id, scaled; without enlarging it.
    for size, expected_size in (
        ({"width": 107}, (107, round(107 * box["height"] / box["width"]))),
        ({"width": 100, "height": 100}, (100, 100)),
        ({"width": 4000}, (box["width"], box["height"])),
    ):
        again = run(
            file=file,
            out=out,
            ratio="1:2",
            id=document["id"],
            ask={"url": server.url, "ratios": ["1:2"]},
            size=size,
        )
        assert again["crops"] == document["crops"]
        with Image.open(out) as found:
            assert max(abs(a - b) for a, b in zip(found.size, expected_size, strict=True)) <= 1


def test_a_line_of_the_command(run: Callable[..., Any], photo: Callable[[str], Path], tmp_path: Path) -> None:
    """Without a service: what `gazecrop crop --json` prints."""
    program = [str(Path(sys.executable).with_name("gazecrop")), "crop", str(photo("rocket"))]
    line = subprocess.check_output([*program, "--ratios", "story,1:1", "--json"], text=True)
    document, out = json.loads(line), tmp_path / "out.png"
    run(file=photo("rocket"), out=out, ratio="story", document=document, size={})
    box = document["crops"][0]["box"]
    with Image.open(out) as found:
        assert found.size == (box["width"], box["height"])


def test_errors(
    run: Callable[..., Any],
    photo: Callable[[str], Path],
    start_server: Callable[..., Server],
    tmp_path: Path,
) -> None:
    url = start_server(GAZECROP_API_KEYS="right").url
    same = {"file": photo("rocket"), "out": tmp_path / "out.png", "ratio": "1:1", "size": {}}
    wrong = run(**same, ask={"url": url, "key": "wrong"})
    assert wrong["status"] == 403 and "key" in wrong["error"]
    assert run(**same, id="0" * 32, ask={"url": url, "key": "right"})["status"] == 404
    assert "crops" in run(**same, ask={"url": f"{url}/", "key": "right", "parameters": {"policy": "careful"}})
    other = run(**same | {"ratio": "7:5"}, ask={"url": url, "key": "right", "ratios": ["1:1"]})
    assert other["name"] == "RangeError" and "1:1" in other["error"]


def test_the_page_s_example_runs(folder: Path, photo: Callable[[str], Path], server: Server) -> None:
    [code] = re.findall(r"^```text\n(import .*?)^```$", text("docs/integrations.md"), re.M | re.S)
    (folder / "page.js").write_text(code.replace("http://127.0.0.1:8000", server.url))
    (folder / "photo.jpg").write_bytes(photo("rocket").read_bytes())
    done = subprocess.run(["node", "page.js"], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    with Image.open(folder / "wide.webp") as cut:
        assert cut.size == (640, 360)  # the picture's own width: nothing is enlarged
