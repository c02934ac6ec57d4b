"""Bytes of memory that work on a picture takes at its peak, from its header. Pure.

Measured at 12 megapixels with Pillow 13 (tests/picture/test_memory.py measures each class again, within 25 %). What is
counted: the copy of the file that a decoder gets, what the decoder itself holds, the decoded pixels, conversions of
them, and the output with its encoder. The bytes of the request's body are counted elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf

from gazecrop.picture.containers.layout import Layout
from gazecrop.picture.probe import Header, scale_for_crop

SLACK = 2_000_000  # row buffers, tables, and Python objects
# libavif allocates by the frame inside the file, not by the header, up to 268 MP: a false header can cost this much.
AVIF_AT_LEAST = 525_000_000


@dataclass(frozen=True, slots=True)
class _Mode:
    """Bytes of a pixel: as decoded; at the peak of the conversion to 8 bits; of both pictures after it; of the
    converted one. alpha: it has transparency."""

    decoded: float
    converting: float
    both: float
    kept: float
    alpha: bool = False


# By Pillow's mode; "+": with a transparent colour. Pillow holds RGB, LA and RGBA in 4 bytes.
_MODES = {
    "1": _Mode(1, 2, 2, 1),
    "1+": _Mode(1, 5, 5, 4, True),
    "L": _Mode(1, 1, 1, 1),
    "L+": _Mode(1, 5, 5, 4, True),
    "LA": _Mode(4, 4, 4, 4, True),
    "P": _Mode(1, 5, 5, 4),
    "P+": _Mode(1, 5, 5, 4, True),
    "RGB": _Mode(4, 4, 4, 4),
    "RGB+": _Mode(4, 8, 8, 4, True),
    "RGBA": _Mode(4, 4, 4, 4, True),
    "CMYK": _Mode(4, 4, 4, 4),
    "LAB": _Mode(4, 4, 4, 4),
    "I;16": _Mode(2, 7, 3, 1),
    "I;16+": _Mode(2, 11, 6, 4, True),
    "F": _Mode(4, 12.5, 5, 1),
}
_CMYK_JPEG = _Mode(4, 8, 8, 4)  # inverted, unless it is Adobe's
_OTHER = _Mode(4, 8, 8, 4, True)

# What decoders hold beside their result, bytes a pixel: WebP two canvases and the planes, AVIF planes and a copy.
_DECODING = {"webp": 12.0, "avif": 7.0, "heic": 8.0}
_AVIF_GREY = 2.5  # of 4:0:0
_CANVAS = 12.0  # a first frame that is smaller than its canvas: as RGBA twice, and the canvas
# Of an animation: the canvas, a frame as decoded and as RGBA, what it covers, and the copy that is reduced.
_ANIMATED = 20.0
# Formats that a decoder gets as one more copy of the file; the others are read in place.
_COPIED = {"jpeg", "png", "gif", "webp", "avif", "heic"}
# Bytes for each output pixel with the output itself: of grey, of colours, of transparency.
_ENCODING = {
    "jpeg": (2, 7, 13),
    "webp": (11, 10, 40),  # transparency is coded without loss: 17 where it is flat, 40 of noise
    "avif": (29, 28, 31),
    "png": (3, 8, 10),
    "gif": (18, 18, 18),
}
HEAT_MAP = 4_000_000  # of 640 pixels; two at once
_DRAWING = (26, 31)  # bytes for each pixel of an explanation: as others, as AVIF


def of_map(header: Header, length: int) -> int:
    """Of decoding to the network's input. length: bytes of the file."""
    mode = _mode(header)
    width, height = _decoded(header, header.draft)
    pixels = width * height
    decoding = _decoder(header, pixels) + mode.decoded * pixels
    # alpha is multiplied into the colours before the reduction to a few hundred pixels
    more = 4 if mode.alpha else mode.kept / max(1, width // 640) / max(1, height // 480)
    reducing = (mode.both + more) * pixels
    canvas = _ANIMATED * header.walk.width * header.walk.height if header.sample else 0
    return _total(header, length, decoding, mode.converting * pixels, reducing, canvas)


def of_crop(
    header: Header, length: int, box: Sequence[int], size: tuple[int, int], format: str, *, frames: int = 1
) -> int:
    """Of cutting the box (x, y, width, height), scaling it to `size` and encoding it. frames: of the output."""
    if frames > 1:
        made = size[0] * size[1] * (_ENCODING[format][2] + 8)  # with the frame as cut and as scaled
        return _total(header, length, _ANIMATED * header.walk.width * header.walk.height + made)
    mode = _mode(header)
    scale = scale_for_crop(header, (box[2], box[3]), size)
    width, height = _decoded(header, scale)
    pixels, made = width * height, size[0] * size[1]
    decoding = _decoder(header, pixels) + mode.decoded * pixels
    across, down = box[2] / scale, box[3] / scale
    if size == (box[2], box[3]) and scale == 1:
        cutting = mode.kept * (pixels + made)
    else:
        cutting = mode.kept * (pixels + _resizing(across, down, size, inf if mode.alpha else 3.0))
        cutting += 4 * pixels if mode.alpha else 0  # here alpha is multiplied into all pixels
    kind = 2 if mode.alpha else 0 if mode.kept == 1 else 1
    encoding = max(_ENCODING[format][kind], 2 * mode.kept) * made
    before = _total(header, length, decoding, mode.converting * pixels, cutting)
    return max(before, SLACK + round(encoding))  # the decoder and its copy of the file are gone by then


def of_explanation(header: Header, length: int, size: tuple[int, int], format: str) -> int:
    """Of scaling the whole picture to `size`, drawing over it and encoding it."""
    whole = of_crop(header, length, (0, 0, header.width, header.height), size, format)
    return max(whole, round(_DRAWING[format == "avif"] * size[0] * size[1]) + SLACK)


def _total(header: Header, length: int, *stages: float) -> int:
    peak = max(stages)
    if header.format == "avif":
        peak = max(peak, AVIF_AT_LEAST)
    return SLACK + (length if header.format in _COPIED else 0) + round(peak)


def _mode(header: Header) -> _Mode:
    walk = header.walk
    if header.format == "jpeg":
        return _CMYK_JPEG if walk.components == 4 else _MODES["L" if walk.components == 1 else "RGB"]
    if walk.layout is not None:
        return _of_layout(walk.layout)
    if walk.frame is not None:
        decoded = _MODES.get(walk.mode, _OTHER).decoded
        return _Mode(decoded, decoded + _CANVAS, 4, 4, True)
    return _MODES.get(walk.mode, _OTHER)


def _of_layout(layout: Layout) -> _Mode:
    """The samples as stored, what is made of them (with float32 in between), and a picture of it."""
    stored = layout.bits * (1 if layout.planar else layout.count) / 8
    made = layout.count * (5 if layout.stretches else 1)
    kept = 1 if layout.count == 1 else 4
    return _Mode(stored, stored + made + kept, kept, kept, layout.alpha >= 0)


def _decoded(header: Header, scale: int) -> tuple[int, int]:
    return ceil(header.walk.width / scale), ceil(header.walk.height / scale)


def _decoder(header: Header, pixels: int) -> float:
    walk = header.walk
    if walk.buffered:  # all coefficients, of 2 bytes, whatever the scale
        return 2 * walk.coefficients
    if header.format == "avif" and walk.mode == "L":
        return _AVIF_GREY * pixels
    return _DECODING.get(header.format, 0.0) * pixels


def _resizing(width: float, height: float, size: tuple[int, int], gap: float) -> float:
    """Pixels that Pillow's resize makes: reduced by whole factors first, then across, then down."""
    by_x, by_y = max(1, int(width / size[0] / gap)), max(1, int(height / size[1] / gap))
    reduced = width * height / by_x / by_y if by_x * by_y > 1 else 0.0
    return reduced + size[0] * height / by_y + size[0] * size[1]
