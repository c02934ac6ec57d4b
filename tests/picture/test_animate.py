"""Crops of animations: all frames at one box, with their delays and the number of plays."""

import time
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page

from gazecrop.crop.placing import Box
from gazecrop.errors import DeadlinePassed, TooManyPixels
from gazecrop.picture.animate import ANIMATED, TYPES, crop
from gazecrop.picture.decode import Limits
from gazecrop.picture.probe import inspect
from tests.helpers.animations import (
    DELAYS,
    animation,
    delays_of,
    frames_of,
    in_browser,
    moving,
    secure_page,
    tiny_frames,
)
from tests.helpers.chromium import chromium
from tests.helpers.colours import LINEAR_PROFILE
from tests.helpers.pictures import draw, encode
from tests.helpers.samples import STORED, exif, scene

BOX = Box(21, 11, 101, 90)
LTRB = (21, 11, 122, 101)


def opened(data: bytes) -> Image.Image:
    return Image.open(BytesIO(data))


def count(data: bytes) -> int:
    return int(getattr(opened(data), "n_frames", 1))


@pytest.mark.parametrize("format", ANIMATED)
@pytest.mark.parametrize("kind", ["gif", "png", "webp"])
def test_every_frame_is_cut_at_the_box(kind: str, format: str) -> None:
    source = moving()
    data = animation(kind, source, duration=DELAYS)
    result = crop(data, BOX, format=format, animated=True)
    assert (opened(result).format or "").lower() == format and opened(result).size == (101, 90)
    assert delays_of(result) == DELAYS
    found = frames_of(result)
    assert len(found) == 5
    for pixels, frame in zip(found, source, strict=True):
        expected = np.asarray(frame.crop(LTRB).convert("RGBA")).astype(int)
        difference = np.abs(pixels - expected)
        assert difference.mean() < 4 if format == "webp" else difference.max() == 0


@pytest.mark.parametrize("format", ["gif", "png"])
def test_a_smaller_crop_is_that_of_each_frame(format: str) -> None:
    source = moving()
    result = crop(animation("webp", source), BOX, width=60, format=format, animated=True)
    for pixels, frame in zip(frames_of(result), source, strict=True):
        expected = frame.crop(LTRB).resize((60, 53), Image.Resampling.LANCZOS).convert("RGBA")
        assert np.abs(pixels - np.asarray(expected).astype(int)).mean() < (2 if format == "gif" else 0.5)


@pytest.mark.parametrize("format", ANIMATED)
@pytest.mark.parametrize("plays", [0, 1, 2, 7])
def test_the_number_of_plays_is_kept(format: str, plays: int) -> None:
    data = animation("png", moving(), loop=plays)
    assert inspect(crop(data, BOX, format=format, animated=True)).walk.plays == plays


def _appearing() -> list[Image.Image]:
    """Visible parts that come, overlap and vanish, one frame that is empty, and one twice."""
    boxes = [
        (10, 10, 70, 60),
        (40, 30, 120, 100),
        (40, 30, 120, 100),
        None,
        (0, 0, 160, 120),
        (90, 40, 140, 90),
    ]
    frames = []
    for i, box in enumerate(boxes):
        frame = Image.new("RGBA", (160, 120))
        if box:
            frame.paste((250, 40 * i, 90, 255), box)
        frames.append(frame)
    return frames


@pytest.mark.parametrize("format", ANIMATED)
@pytest.mark.parametrize("kind", ["gif", "png", "webp"])
def test_what_is_transparent_stays_transparent(kind: str, format: str) -> None:
    """Whatever the disposals of the file are: the output has its own, with the same frames."""
    source = _appearing()
    options = {"disposal": 2} if kind == "gif" else {}
    if kind == "gif":
        del source[2:4]  # Pillow merges equal frames, and drops empty ones, when it writes GIF
    data = animation(kind, source, duration=[40 + 10 * i for i in range(len(source))], **options)
    result = crop(data, BOX, format=format, animated=True, quality=100)
    found = frames_of(result)
    assert len(found) == len(source) and delays_of(result) == [40 + 10 * i for i in range(len(source))]
    for pixels, frame in zip(found, source, strict=True):
        expected = np.asarray(frame.crop(LTRB))
        assert np.array_equal(pixels[..., 3], expected[..., 3])
        visible = expected[..., 3] == 255
        difference = np.abs(pixels[visible].astype(int) - expected[visible])
        assert difference.max(initial=0) <= (60 if format == "webp" else 0)


def test_browsers_show_the_crops() -> None:
    with chromium() as browser:
        page = secure_page(browser.new_page())
        for source in (moving(), _appearing()):
            data = animation("png", source, duration=80, loop=3)
            for format in ANIMATED:
                _shown(page, crop(data, BOX, format=format, animated=True), TYPES[format], source)


def _shown(page: Page, result: bytes, type: str, source: list[Image.Image]) -> None:
    repetitions, delays, frames = in_browser(page, result, type)
    assert repetitions == 2 and delays == [80] * len(source) and len(frames) == len(source)
    for pixels, frame in zip(frames, source, strict=True):
        expected = np.asarray(frame.crop(LTRB).convert("RGBA")).astype(int)
        visible = expected[..., 3] == 255
        assert np.array_equal(pixels[..., 3] >= 128, visible)
        difference = np.abs(pixels[visible] - expected[visible]).sum() / max(visible.sum(), 1)
        assert difference < (20 if type == "image/webp" else 0.1)  # of four channels


def test_delays_keep_their_sum() -> None:
    """APNG has fractions, GIF hundredths of a second. What is above 10 ms stays above: browsers slow the rest down."""
    third = animation("png", moving(9), duration=1000 / 30)
    assert sum(delays_of(crop(third, BOX, format="gif"))) == 300
    assert sum(delays_of(crop(third, BOX, format="webp"))) == 300
    short = animation("webp", moving(6), duration=[0, 4, 10, 11, 14, 70_000])
    assert delays_of(crop(short, BOX, format="gif")) == [0, 0, 10, 20, 20, 69_980]
    assert delays_of(crop(short, BOX, format="webp")) == [0, 4, 10, 11, 14, 70_000]
    assert delays_of(crop(short, BOX, format="png", animated=True)) == [0, 4, 10, 11, 14, 70_000]


# Which output is animated


def test_by_default_webp_and_gif_stay_animated() -> None:
    data = animation("gif", moving())
    counts = {format: count(crop(data, BOX, format=format)) for format in TYPES}
    assert counts == {"jpeg": 1, "webp": 5, "avif": 1, "png": 1, "gif": 5}
    assert count(crop(data, BOX, format="png", animated=True)) == 5
    for format in TYPES:
        assert count(crop(data, BOX, format=format, animated=False)) == 1
    assert count(crop(encode(scene(), "PNG"), BOX, format="webp", animated=True)) == 1


@pytest.mark.parametrize("alpha", [False, True])
def test_a_still_is_a_gif_of_one_frame(alpha: bool) -> None:
    picture = moving()[0].convert("RGBA")
    if alpha:
        picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    data = crop(encode(picture, "PNG"), BOX, format="gif")
    result = opened(data)
    assert result.format == "GIF" and count(data) == 1 and "loop" not in result.info
    expected = np.asarray(picture.crop(LTRB))
    pixels = np.asarray(result.convert("RGBA")).astype(int)
    assert np.array_equal(pixels[..., 3] == 255, expected[..., 3] >= 128)
    visible = pixels[..., 3] == 255
    assert np.abs(pixels[visible][:, :3] - expected[visible][:, :3]).max() == 0


def test_a_photograph_has_a_palette_of_its_colours() -> None:
    picture = draw(320, 240)
    result = opened(crop(encode(picture, "PNG"), Box(0, 0, 320, 240), format="gif")).convert("RGB")
    assert np.abs(np.asarray(result).astype(int) - np.asarray(picture)).mean() < 3


def test_above_the_limits_it_is_the_first_frame_or_an_error() -> None:
    data = animation("webp", moving())
    few = Limits(pixels_animated=5 * 160 * 120 - 1)
    with pytest.raises(TooManyPixels) as raised:
        crop(data, BOX, format="webp", animated=True, limits=few)
    assert raised.value.members["received"] == 5 * 160 * 120
    assert count(crop(data, BOX, format="webp", limits=few)) == 1
    for many in (tiny_frames(1_001, (16, 16)), tiny_frames(100_000, (16, 16)), tiny_frames(10, (4000, 4000))):
        with pytest.raises(TooManyPixels):
            crop(many, Box(0, 0, 9, 9), format="gif", animated=True)
        assert count(crop(many, Box(0, 0, 9, 9), format="gif")) == 1


def test_the_frames_together_have_a_limit() -> None:
    data = animation("webp", moving())
    limits = Limits(pixels_animated=5 * 160 * 120)
    assert opened(crop(data, BOX, format="webp", limits=limits)).size == (101, 90)
    assert opened(crop(data, BOX, width=400, enlarge=True, format="webp", limits=limits)).size == (147, 131)
    assert opened(crop(data, BOX, format="png", animated=True, limits=limits)).size == (51, 45)
    assert opened(crop(data, BOX, format="webp", max_pixels=2500, limits=limits)).size == (53, 47)


def test_it_can_be_stopped_between_frames() -> None:
    calls: list[int] = []

    def between() -> None:
        calls.append(1)
        if len(calls) == 3:
            raise DeadlinePassed("late")

    with pytest.raises(DeadlinePassed):
        crop(animation("gif", moving()), BOX, format="webp", between=between)
    assert len(calls) == 3


def test_a_long_animation_takes_bounded_time() -> None:
    """400 frames of 160x120 pixels: 7.7 megapixels."""
    data = animation("gif", moving(400))
    frames = inspect(data).frames
    for format in ANIMATED:
        start = time.thread_time()
        result = crop(data, Box(0, 0, 160, 120), format=format, animated=True)
        assert inspect(result).frames == frames
        assert time.thread_time() - start < 8  # 0.5 to 0.9 s on an idle machine
        assert len(result) < 2 * len(data) + 500 * frames


# Orientation, colour, metadata


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["webp", "png"])
def test_the_box_is_upright(kind: str, orientation: int) -> None:
    turn = STORED[orientation]
    source = moving()
    stored = source if turn is None else [frame.transpose(turn) for frame in source]
    data = animation(kind, stored, exif=exif(orientation))
    result = crop(data, BOX, format="png", animated=True)
    for pixels, frame in zip(frames_of(result), source, strict=True):
        assert np.array_equal(pixels, np.asarray(frame.crop(LTRB).convert("RGBA")))
    assert opened(result).getexif().get(0x0112, 1) == 1


def test_a_profile_is_kept_or_applied() -> None:
    data = animation("webp", moving(), icc_profile=LINEAR_PROFILE)
    for format in ("webp", "png", "gif"):
        still = opened(crop(data, BOX, format="png"))
        result = crop(data, BOX, format=format, animated=True, quality=100)
        assert opened(result).info.get("icc_profile") == (
            None if format == "gif" else still.info.get("icc_profile")
        )
        if format == "gif":
            srgb = opened(crop(encode(moving()[0], "PNG", icc_profile=LINEAR_PROFILE), BOX, format="gif"))
            expected = np.asarray(srgb.convert("RGB")).astype(int)
            assert np.abs(frames_of(result)[0][..., :3] - expected).mean() < 1


def test_metadata_is_gone() -> None:
    secret = b"secret words"
    files = [
        animation("gif", moving(), comment=secret),
        animation("webp", moving(), xmp=secret, exif=b"Exif\0\0" + secret),
        animation("png", moving(), exif=b"Exif\0\0" + secret),
    ]
    for data in files:
        assert secret in data
        for format in ANIMATED:
            assert secret not in crop(data, BOX, format=format, animated=True)
