"""A crop looks as the upload does: both as Chromium draws them in sRGB."""

from collections.abc import Iterator
from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page

from gazecrop.crop.placing import Box
from gazecrop.picture.decode import Limits, decode, reduced
from gazecrop.picture.render import MEDIA_TYPES, crop
from gazecrop.picture.space import space_of_image
from tests.helpers.chromium import chromium
from tests.helpers.colours import (
    CHRM_P3,
    GAMMA_18_PROFILE,
    KINDS,
    LINEAR_PROFILE,
    cmyk_profile,
    colourful,
    drawn,
    gama,
    grey_profile,
    png,
    shown,
)
from tests.helpers.pictures import encode

WHOLE = Box(0, 0, 320, 180)
SHAPES = [(180, 320)]


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with chromium() as browser:
        yield browser.new_page()


@pytest.fixture(scope="module")
def uploads(page: Page) -> dict[str, tuple[bytes, NDArray[np.float64]]]:
    """name -> the file, and its drawing."""
    files = {name: (kind, make()) for name, (kind, make) in KINDS.items()}
    return {name: (data, shown(drawn(page, data, kind))) for name, (kind, data) in files.items()}


def test_crops_look_as_browsers_show_the_upload(
    page: Page, uploads: dict[str, tuple[bytes, NDArray[np.float64]]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Mean difference in levels between the upload and the crop of all of it. PNG is lossless: below 1. The others: not
    1 more than the same format makes of a picture without a profile."""
    table: dict[str, dict[str, float]] = {}
    for name, (data, upload) in uploads.items():
        crops = {format: crop(data, WHOLE, format=format, quality=95) for format in MEDIA_TYPES}
        table[name] = {
            format: float(np.abs(shown(drawn(page, result, format)) - upload).mean())
            for format, result in crops.items()
        }
    with capsys.disabled():
        print(f"\n{'levels of difference':33}" + "".join(f"{format:>7}" for format in MEDIA_TYPES))
        for name, row in table.items():
            print(f"{name:33}" + "".join(f"{value:7.2f}" for value in row.values()))
    plain = table["PNG without a profile"]
    assert plain["png"] == 0
    wrong = {
        (name, format): round(value, 2)
        for name, row in table.items()
        for format, value in row.items()
        if value >= (1 if format == "png" else plain[format] + 1)
    }
    assert not wrong


def test_the_network_gets_what_browsers_show(uploads: dict[str, tuple[bytes, NDArray[np.float64]]]) -> None:
    """Within 1 level, whatever the file declares: the network was trained on pictures of sRGB."""
    differences = {
        name: float(np.abs(decode(data, Limits(), SHAPES).pixels - upload).mean())
        for name, (data, upload) in uploads.items()
    }
    assert not {name: value for name, value in differences.items() if value >= 1}


@pytest.mark.parametrize(
    ("mode", "profile", "kind"),
    [
        ("RGB", LINEAR_PROFILE, "png"),
        ("L", grey_profile(1.8), "png"),
        ("L", GAMMA_18_PROFILE, "png"),
        ("LA", grey_profile(1.8), "png"),
        ("CMYK", cmyk_profile(), "jpeg"),
    ],
)
def test_tiff_looks_as_the_same_pixels_in_a_format_of_browsers(
    page: Page, mode: str, profile: bytes, kind: str
) -> None:
    picture = colourful().convert(mode)
    options = {"quality": 98} if kind == "jpeg" else {}
    expected = shown(drawn(page, encode(picture, kind.upper(), icc_profile=profile, **options), kind))
    tiff = encode(picture, "TIFF", icc_profile=profile)
    assert np.abs(shown(drawn(page, crop(tiff, WHOLE, format="png"), "png")) - expected).mean() < 1
    assert np.abs(decode(tiff, Limits(), SHAPES).pixels - expected).mean() < 1


def test_an_opened_image_gives_the_pixels_of_its_file() -> None:
    data = encode(colourful(), "PNG", icc_profile=LINEAR_PROFILE)
    image = colourful()
    image.info["icc_profile"] = LINEAR_PROFILE
    pixels = np.asarray(reduced(image, (320, 180), None, space_of_image(image)))
    assert np.array_equal(pixels, decode(data, Limits(), SHAPES).pixels)
    image = Image.open(BytesIO(png(gama(1), CHRM_P3)))
    image.load()
    pixels = np.asarray(reduced(image, (320, 180), None, space_of_image(image)))
    assert np.array_equal(pixels, decode(png(gama(1), CHRM_P3), Limits(), SHAPES).pixels)
    assert np.array_equal(np.asarray(reduced(colourful(), (320, 180), None)), np.asarray(colourful()))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_pixels_stay_mid_grey(mode: str) -> None:
    """The profile applies to the picture, not to the ground that shows through it."""
    picture = Image.new("RGBA", (320, 180), (200, 200, 200, 0))
    data = encode(picture.convert(mode), "PNG", icc_profile=LINEAR_PROFILE)
    assert set(np.unique(decode(data, Limits(), SHAPES).pixels)) == {128}
