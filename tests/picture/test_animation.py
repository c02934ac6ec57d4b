"""The frames of an animation: counted in the container, chosen for the map, composed as browsers do."""

import struct
import time
import zlib
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page

from gazecrop.errors import GazecropError
from gazecrop.picture.animation import composed
from gazecrop.picture.containers.isobmff import Samples, samples_of
from gazecrop.picture.containers.walk import MOST_FRAMES, Disposal, Frame, Walk
from gazecrop.picture.decode import Limits, decode
from gazecrop.picture.memory import of_map
from gazecrop.picture.probe import inspect, inspect_quickly
from gazecrop.picture.sampling import MOST_PIXELS, sample_of
from tests.helpers.animations import (
    DELAYS,
    KINDS,
    SIZE,
    animation,
    frames_of,
    in_browser,
    moving,
    secure_page,
    tiny_frames,
)
from tests.helpers.chromium import chromium
from tests.helpers.colours import chunk, grey_profile
from tests.helpers.pictures import draw, encode

SHAPES = [(120, 160)]


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with chromium() as browser:
        yield secure_page(browser.new_page())


# Counting


@pytest.mark.parametrize("kind", KINDS)
def test_frames_delays_and_plays_are_read_from_the_container(kind: str) -> None:
    header = inspect(animation(kind, moving(), duration=DELAYS, loop=3), SHAPES)
    assert header.frames == 5 and [frame.delay for frame in header.walk.frames] == DELAYS
    assert header.walk.plays == {"gif": 4, "png": 3, "webp": 3, "avif": 0}[kind]
    assert inspect(encode(moving()[0], kind.upper())).walk.frames == []


def test_a_gif_without_a_loop_is_played_once() -> None:
    data = encode(moving()[0], "GIF", save_all=True, append_images=moving()[1:])
    assert inspect(data).walk.plays == 1


def test_an_avif_sequence_tells_how_often_it_is_played() -> None:
    """Pillow writes one that is repeated for ever. With a duration of the track it ends; without flag 1 it is once."""
    data = bytearray(animation("avif", moving(), duration=DELAYS))
    at = data.index(b"elst") + 4
    assert data[at + 3] == 1
    wide, head = data[at] == 1, data.index(b"tkhd") + 4
    (segment,) = struct.unpack_from(">Q" if wide else ">I", data, at + 8)
    place, form = (head + 28, ">Q") if data[head] else (head + 20, ">I")
    struct.pack_into(form, data, place, 3 * segment)
    assert inspect(bytes(data)).walk.plays == 3
    data[at + 3] = 0
    assert inspect(bytes(data)).walk.plays == 1
    data[at - 4 : at] = b"free"
    assert samples_of(bytes(data), 5).plays == 0
    assert samples_of(b"", 3) == Samples((0.0,) * 3, (True, False, False), 0)


@pytest.mark.parametrize("kind", ["gif", "png", "webp"])
def test_a_truncated_animation_has_its_whole_frames(kind: str) -> None:
    data = animation(kind, moving(), duration=DELAYS)
    counts = []
    for length in range(64, len(data), 7):
        try:
            header = inspect(data[:length], SHAPES)
            assert decode(data[:length], Limits(), SHAPES, header).count == header.frames
            counts.append(header.frames)
        except GazecropError:
            assert not counts or kind == "png", "once there is a first frame there is a picture"
    # Pillow reads no WebP that is cut off, so that there is a picture from the second frame on.
    assert counts == sorted(counts) and counts[0] == (2 if kind == "webp" else 1) and counts[-1] >= 4


def test_a_frame_that_cannot_be_decoded_ends_the_animation() -> None:
    data = bytearray(animation("webp", moving()))
    third = inspect(bytes(data)).walk.frames[2]
    data[third.parts[-1].start + 8] ^= 0xFF  # the signature of VP8L
    header = inspect(bytes(data), SHAPES)
    assert [canvas.index for canvas in composed(bytes(data), header, range(5))] == [0, 1]
    assert decode(bytes(data), Limits(), SHAPES).pixels.shape == (120, 160, 3)


# Hostile files


@pytest.mark.parametrize("size", [(16, 16), (5000, 5000)])
@pytest.mark.parametrize("count", [3, MOST_FRAMES, 100_000])
def test_many_tiny_frames_are_bounded(count: int, size: tuple[int, int]) -> None:
    data = tiny_frames(count, size)
    start = time.thread_time()
    header = inspect(data, SHAPES)
    assert (header.width, header.height) == size and len(header.walk.frames) <= MOST_FRAMES
    assert header.frames == count or header.walk.partial
    thumbnail = decode(data, Limits(), SHAPES, header)
    assert len(thumbnail.frames) <= 5
    assert of_map(header, len(data)) >= 20 * size[0] * size[1]
    assert time.thread_time() - start < 5  # 0.3 s on an idle machine


@pytest.mark.parametrize("count", [300, 3_000, 100_000])
def test_a_quick_look_at_many_frames_is_bounded(count: int) -> None:
    whole = animation("webp", moving(2))
    first = whole.index(b"ANMF")
    end = first + 8 + int.from_bytes(whole[first + 4 : first + 8], "little")
    files = {
        "gif": tiny_frames(count, (16, 16)),
        "webp": whole[:first] + whole[first : end + end % 2] * min(count, 9_000),
        "png": _apng(min(count, 9_000)),
    }
    for data in files.values():
        times = []
        for _ in range(5):
            start = time.thread_time()
            inspect_quickly(data, SHAPES)
            times.append(time.thread_time() - start)
        assert min(times) < 0.025


def _apng(count: int) -> bytes:
    """Of this many frames of one pixel."""
    control = struct.pack(">IIIIIHHBB", 0, 1, 1, 0, 0, 1, 10, 0, 0)
    pixel = zlib.compress(bytes(5))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 16, 16, 8, 6, 0, 0, 0)) + chunk(b"acTL", bytes(8))
    first = chunk(b"fcTL", control) + chunk(b"IDAT", zlib.compress(bytes(16 * 65)))
    other = chunk(b"fcTL", control) + chunk(b"fdAT", bytes(4) + pixel)
    return b"\x89PNG\r\n\x1a\n" + head + first + other * (count - 1) + chunk(b"IEND", b"")


def test_frames_beyond_those_that_are_listed_are_counted() -> None:
    for count in (2, MOST_FRAMES, MOST_FRAMES + 1, MOST_FRAMES + 2, 9_000):
        walk = inspect(_apng(count)).walk
        assert (walk.count, len(walk.frames)) == (count, min(count, MOST_FRAMES))


def test_a_frame_larger_than_the_canvas_ends_the_animation() -> None:
    data = bytearray(tiny_frames(4, (16, 16)))
    images = [at for at in range(len(data)) if data[at : at + 9] == b"\x2c\0\0\0\0\1\0\1\0"]
    data[images[2] + 5 : images[2] + 9] = b"\xff\xff\xff\xff"
    header = inspect(bytes(data), SHAPES)
    assert header.frames == 2 and (header.width, header.height) == (16, 16)
    decode(bytes(data), Limits(), SHAPES)


# Which frames the map is made from


def walk(frames: list[Frame], size: tuple[int, int] = (10, 10)) -> Walk:
    return Walk(*size, frames=frames, count=len(frames))


def full(
    delay: float = 100, *, blend: bool = True, side: int = 10, disposal: Disposal = Disposal.KEEP
) -> Frame:
    return Frame(0, 0, side, side, [], delay, disposal, blend)


def test_five_frames_are_spread_over_the_length() -> None:
    sample = sample_of(walk([full() for _ in range(50)]))
    assert sample.frames == (5, 15, 25, 35, 45) and sample.weights == (1,) * 5
    assert sample.order == tuple(range(46)) and sample.pixels == 4600
    assert sample_of(walk([full(), full()])).frames == (0, 1)


def test_what_is_shown_longer_counts_more() -> None:
    sample = sample_of(walk([full(20), full(20), full(900), full(60)]))
    assert dict(zip(sample.frames, sample.weights, strict=True)) == {2: 5}
    assert sample_of(walk([full(0), full(10), full(100), full(100), full(1)])).weights == (1,) * 5


def test_frames_before_one_that_replaces_all_are_not_decoded() -> None:
    frames = [full(blend=i % 10 != 0) for i in range(50)]
    assert sample_of(walk(frames)).order == tuple(i for k in range(0, 50, 10) for i in range(k, k + 6))
    frames = [full(disposal=Disposal.CLEAR) for _ in range(50)]
    assert sample_of(walk(frames)).order == (5, 15, 25, 35, 45)
    frames = [full(blend=False, disposal=Disposal.RESTORE) for _ in range(50)]
    assert sample_of(walk(frames)).order == (5, 15, 25, 35, 45), "each is shown before the canvas is restored"


def test_above_the_limit_only_the_frames_at_the_start_are_used() -> None:
    side = 1000
    sample = sample_of(walk([full(side=side) for _ in range(200)], (side, side)))
    assert 20 < sample.frames[-1] < 30 and sample.pixels <= MOST_PIXELS == 30 * side**2
    huge = sample_of(walk([full(side=6000), full(side=6000)], (6000, 6000)))
    assert huge.frames == (0,) and huge.weights == (5,)


@pytest.mark.parametrize("kind", KINDS)
def test_a_blank_first_frame_does_not_count(kind: str) -> None:
    blank, shown = Image.new("RGB", (320, 240), "black"), draw(320, 240, (0.8, 0.5))
    thumbnail = decode(animation(kind, [blank, shown]), Limits(), SHAPES)
    assert not thumbnail.flat and len(thumbnail.frames) == 1
    alone = decode(encode(shown, "PNG"), Limits(), SHAPES).pixels
    assert np.abs(thumbnail.pixels.astype(int) - alone).mean() < (8 if kind == "gif" else 4)
    both = decode(animation(kind, [blank, Image.new("RGB", (320, 240), "red")]), Limits(), SHAPES)
    assert both.flat and both.count == 2


# Composing


def _discs(alpha: int = 255) -> list[Image.Image]:
    frames = []
    for i in range(5):
        frame = Image.new("RGBA", SIZE)
        frame.paste((200, 30 * i, 40, alpha), (10 + 20 * i, 20, 60 + 20 * i, 90))
        frames.append(frame)
    return frames


ANIMATIONS: dict[str, tuple[str, bytes]] = {
    "gif, changes": ("gif", animation("gif", moving())),
    "gif, transparent": ("gif", animation("gif", _discs(), disposal=2)),
    "gif, previous": ("gif", animation("gif", _discs(), disposal=[1, 3, 3, 3, 1])),
    "gif, kept": ("gif", animation("gif", _discs(), disposal=1)),
    "png, changes": ("png", animation("png", moving())),
    "png, palette": ("png", animation("png", [frame.quantize(16) for frame in moving()])),
    "png, over": ("png", animation("png", _discs(120), blend=1, disposal=[0, 0, 1, 2, 0])),
    "png, cleared": ("png", animation("png", _discs(120), blend=0, disposal=[1, 2, 1, 0, 0])),
    "webp, changes": ("webp", animation("webp", moving())),
    "webp, transparent": ("webp", animation("webp", _discs(120))),
    "avif": ("avif", animation("avif", moving(), quality=90)),
}


@pytest.mark.parametrize("name", ANIMATIONS)
def test_the_canvas_is_that_of_browsers(name: str, page: Page) -> None:
    kind, data = ANIMATIONS[name]
    header = inspect(data)
    ours = [
        np.array(canvas.picture.convert("RGBA")) for canvas in composed(data, header, range(header.frames))
    ]
    _, _, browsers = in_browser(page, data, f"image/{kind}")
    assert len(ours) == len(browsers) == header.frames >= 5
    for i, (one, other) in enumerate(zip(ours, browsers, strict=True)):
        if (
            kind == "avif"
        ):  # Chromium 156 draws Pillow's sequences, and not its stills, 5 levels darker than the source
            assert np.abs(one - np.asarray(moving()[i].convert("RGBA")).astype(int)).mean() < 2.5
            assert np.abs(one.astype(int) - other).mean() < 6
            continue
        assert np.abs(one[..., 3].astype(int) - other[..., 3]).max() <= 1
        visible = other[..., 3] > 0
        assert np.abs(one[visible].astype(int) - other[visible]).max(initial=0) <= 2


def test_frames_that_are_skipped_change_nothing() -> None:
    data = animation("webp", _discs(120))
    header = inspect(data)
    every = {canvas.index: np.array(canvas.picture) for canvas in composed(data, header, range(5))}
    assert header.sample is not None
    for canvas in composed(data, header, header.sample.order):
        assert np.array_equal(np.array(canvas.picture), every[canvas.index])


def test_a_profile_of_grey_applies_to_an_animation_of_grey() -> None:
    frames = [frame.convert("L") for frame in moving()]
    data = animation("png", frames, icc_profile=grey_profile(1.8))
    still = decode(encode(frames[2], "PNG", icc_profile=grey_profile(1.8)), Limits(), SHAPES).pixels
    seen = decode(data, Limits(), SHAPES)
    assert len(seen.frames) == 5 and np.abs(seen.frames[2].astype(int) - still).max() <= 1
    assert np.abs(frames_of(data)[2][..., :3].astype(int) - still).mean() > 3, (
        "the profile is not that of sRGB"
    )
