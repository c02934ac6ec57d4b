"""What work on a picture is charged, against the peak of resident memory of a process that does it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gazecrop.picture import memory
from gazecrop.picture.decode import Limits
from gazecrop.picture.probe import inspect, scale_for_crop
from tests.conftest import ROOT
from tests.helpers.pictures import encode
from tests.helpers.samples import scene

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
WIDTH, HEIGHT = 4000, 3000


def noisy(mode: str = "RGB", width: int = WIDTH, height: int = HEIGHT) -> Image.Image:
    """Grain over a gradient, so that files have the size of a photograph's."""
    chance = np.random.default_rng(1)
    grain = chance.integers(-12, 13, (height, width, 3), dtype=np.int16)
    picture = Image.fromarray(
        (np.asarray(scene(width, height)).astype(np.int16) + grain).clip(0, 255).astype(np.uint8)
    )
    if "A" in mode:
        picture.putalpha(Image.fromarray(chance.integers(0, 256, (height, width), dtype=np.uint8)))
        return picture if mode == "RGBA" else picture.convert(mode)
    return picture.quantize(64, dither=Image.Dither.NONE) if mode == "P" else picture.convert(mode)


def sixteen() -> Image.Image:
    return Image.fromarray(np.asarray(noisy("L")).astype(np.uint16) * 257)


def gif_in_canvas() -> bytes:
    data = bytearray(encode(noisy("P"), "GIF"))
    data[6:10] = (WIDTH + 8).to_bytes(2, "little") + (HEIGHT + 8).to_bytes(2, "little")
    return bytes(data)


FILES: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: encode(noisy(), "JPEG", quality=80),
    "jpeg grey": lambda: encode(noisy("L"), "JPEG", quality=80),
    "jpeg cmyk": lambda: encode(noisy("CMYK"), "JPEG", quality=80),
    "progressive 4:2:0": lambda: encode(noisy(), "JPEG", quality=80, progressive=True),
    "progressive 4:4:4": lambda: encode(noisy(), "JPEG", quality=80, progressive=True, subsampling=0),
    "progressive grey": lambda: encode(noisy("L"), "JPEG", quality=80, progressive=True),
    "progressive cmyk": lambda: encode(noisy("CMYK"), "JPEG", quality=80, progressive=True),
    "png": lambda: encode(noisy(), "PNG", compress_level=1),
    "png grey": lambda: encode(noisy("L"), "PNG", compress_level=1),
    "png alpha": lambda: encode(noisy("RGBA"), "PNG", compress_level=1),
    "png grey alpha": lambda: encode(noisy("LA"), "PNG", compress_level=1),
    "png palette": lambda: encode(noisy("P"), "PNG", compress_level=1),
    "png transparent palette": lambda: encode(noisy("P"), "PNG", compress_level=1, transparency=3),
    "png 16 bits": lambda: encode(sixteen(), "PNG", compress_level=1),
    "png 1 bit": lambda: encode(noisy("L").convert("1"), "PNG"),
    "gif": lambda: encode(noisy("P"), "GIF"),
    "gif transparent": lambda: encode(noisy("P"), "GIF", transparency=3),
    "gif in a canvas": gif_in_canvas,
    "webp": lambda: encode(noisy(), "WEBP", method=0),
    "webp alpha": lambda: encode(noisy("RGBA"), "WEBP", method=0),
    "webp lossless": lambda: encode(noisy(), "WEBP", method=0, lossless=True, quality=0),
    "avif": lambda: encode(noisy(), "AVIF", speed=10),
    "avif alpha": lambda: encode(noisy("RGBA"), "AVIF", speed=10),
    "avif grey": lambda: encode(noisy("L"), "AVIF", speed=10, subsampling="4:0:0"),
    "bmp": lambda: encode(noisy(), "BMP"),
    "bmp palette": lambda: encode(noisy("P"), "BMP"),
    "tiff": lambda: encode(noisy(), "TIFF"),
    "tiff lzw": lambda: encode(noisy(), "TIFF", compression="tiff_lzw"),
    "tiff alpha": lambda: encode(noisy("RGBA"), "TIFF"),
    "tiff cmyk": lambda: encode(noisy("CMYK"), "TIFF"),
    "tiff lab": lambda: encode(noisy("LAB"), "TIFF"),
    "tiff 16 bits": lambda: encode(sixteen(), "TIFF"),
    "tiff 1 bit": lambda: encode(noisy("L").convert("1"), "TIFF"),
    "tiff floats": lambda: encode(Image.fromarray(np.asarray(noisy("L")).astype(np.float32)), "TIFF"),
}  # fmt: skip
MAP, SMALL, WHOLE = ("map", "jpeg", 0), ("crop", "jpeg", 600), ("crop", "jpeg", 0)
CASES = [(name, *purpose) for name in FILES for purpose in (MAP, SMALL, WHOLE)]
CASES += [(name, "crop", f, 0) for name in ("jpeg", "png alpha", "png grey") for f in ("png", "webp", "avif")]
CASES += [(name, "crop", "jpeg", 3900) for name in ("png", "png alpha")]
CASES += [("jpeg", "explain", format, 0) for format in ("jpeg", "png", "webp", "avif")]
CASES += [("jpeg", "heat map", "png", 0)]
QUICK = {("progressive 4:4:4", *MAP), ("progressive 4:2:0", *SMALL), ("webp", *MAP), ("png alpha", *WHOLE)}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("peaks")

    def file(name: str) -> Path:
        path = folder / name.replace(":", "").replace(" ", "-")
        if not path.exists():
            path.write_bytes(FILES[name]())
        return path

    return file


@pytest.mark.parametrize(
    ("name", "purpose", "format", "width"),
    [pytest.param(*case, marks=() if case in QUICK else pytest.mark.long) for case in CASES],
)
def test_the_charge_is_the_peak(
    files: Callable[[str], Path], name: str, purpose: str, format: str, width: int
) -> None:
    """Within 25 %, and 3 MB for what is small: a JPEG is decoded at an eighth of its sides."""
    command = [sys.executable, "-m", "tests.helpers.peaks", str(files(name)), purpose, format, str(width)]
    found = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=300).stdout)
    peak, charge = found["peak"], found["charge"]
    if name.startswith("avif") and purpose != "map" or charge >= memory.AVIF_AT_LEAST:
        assert peak <= 1.25 * charge and charge >= memory.AVIF_AT_LEAST, "a header may be false"
    else:
        assert abs(charge - peak) <= 0.25 * peak + 3e6, f"{charge / 1e6:.0f} MB for {peak / 1e6:.0f} MB"


def test_avif_is_charged_by_its_pixels_where_that_is_more(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode(scene(), "AVIF", speed=10)
    assert memory.of_map(inspect(data), len(data)) > memory.AVIF_AT_LEAST
    monkeypatch.setattr(memory, "AVIF_AT_LEAST", 0)
    assert memory.of_map(inspect(data), len(data)) == pytest.approx(
        memory.SLACK + len(data) + 11 * 640 * 480, abs=10
    )


def test_coefficients_are_counted_in_whole_units() -> None:
    """A picture of one column has blocks of eight, and with subsampled colours units of sixteen."""
    narrow = inspect(encode(scene(1, 3200), "JPEG", progressive=True))
    assert narrow.walk.coefficients == 16 * 3200 + 2 * 8 * 1600
    whole = inspect(encode(scene(640, 480), "JPEG", progressive=True, subsampling=0))
    assert whole.walk.coefficients == 3 * 640 * 480


def test_a_reduced_crop_of_a_large_jpeg_costs_less_than_a_whole_one() -> None:
    header = inspect(encode(scene(2560, 1920), "JPEG"))
    box = (0, 0, 2560, 1920)
    small, whole = (memory.of_crop(header, 0, box, size, "jpeg") for size in ((300, 225), (2560, 1920)))
    assert scale_for_crop(header, (2560, 1920), (300, 225)) == 4 and small < whole / 5
    assert Limits().pixels_jpeg == 100_000_000  # what the table must hold for
