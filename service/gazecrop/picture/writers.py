"""Animated GIF, WebP and PNG files, written frame by frame. Pure.

Pillow encodes each frame as a still, and its data is put into the container here. Pillow's own animations need all
frames in memory, merge equal ones, and cannot stop in the midst. Of each frame only the rectangle that changed is
written. AVIF is left out: Pillow's encoder takes all frames at once and no number of plays.
"""

import struct
import zlib
from fractions import Fraction
from io import BytesIO
from typing import Any, Protocol

import numpy as np
from PIL import Image, ImageChops

from gazecrop.picture.containers.gif import walk_gif
from gazecrop.picture.containers.png import walk_png
from gazecrop.picture.frames import png_chunk
from gazecrop.picture.sampling import SHORTEST

_OPAQUE = (255, 255)  # the extrema of an alpha channel
_SAMPLE = (
    64  # pixels a side of the copy from which a palette is made: 8 ms; 128: 27, all of 0.5 MP: 630, no better
)
Box = tuple[int, int, int, int]


class Writer(Protocol):
    def add(self, picture: Image.Image, delay: float) -> None:
        """The next frame, RGBA, all of one size. `delay`: milliseconds."""

    def finish(self) -> bytes: ...


class Clock:
    """Delays in the units of a format, rounded so that the sum stays true."""

    def __init__(self, unit: float, most: int) -> None:
        self.unit, self.most = unit, most
        self._owed = 0.0

    def ticks(self, delay: float) -> int:
        if delay <= SHORTEST:
            return round(delay / self.unit)
        # Not 10 ms or less, which browsers show for 100 ms.
        least = int(SHORTEST // self.unit) + 1
        ticks = min(max(round((delay + self._owed) / self.unit), least), self.most)
        self._owed += delay - ticks * self.unit
        return ticks


class WebPWriter:
    """RFC 9649, 2.7. A frame replaces its rectangle, whose corner has even coordinates."""

    def __init__(self, size: tuple[int, int], plays: int, profile: bytes, options: dict[str, Any]) -> None:
        self._size, self._plays, self._profile, self._options = size, min(plays, 0xFFFF), profile, options
        self._clock = Clock(1, 0xFFFFFF)
        self._frames: list[bytes] = []
        self._alpha = False
        self._shown: Image.Image | None = None

    def add(self, picture: Image.Image, delay: float) -> None:
        left, top, right, bottom = changed(self._shown, picture)
        left, top = left & ~1, top & ~1
        self._shown = picture
        part = picture.crop((left, top, right, bottom))
        if part.getextrema()[-1] == _OPAQUE:
            part = part.convert("RGB")
        else:
            self._alpha = True
        place = left // 2, top // 2, right - left - 1, bottom - top - 1, self._clock.ticks(delay)
        body = b"".join(value.to_bytes(3, "little") for value in place) + b"\2" + self._encoded(part)
        self._frames.append(_riff(b"ANMF", body))

    def _encoded(self, part: Image.Image) -> bytes:
        """The chunks of alpha and of the bitstream."""
        still = _saved(part, "WEBP", **self._options)
        at, kept = 12, []
        while at < len(still):
            (length,) = struct.unpack_from("<I", still, at + 4)
            end = at + 8 + length + (length & 1)
            if still[at : at + 4] in (b"ALPH", b"VP8 ", b"VP8L"):
                kept.append(still[at:end])
            at = end
        return b"".join(kept)

    def finish(self) -> bytes:
        flags = 0x02 | 0x10 * self._alpha | 0x20 * bool(self._profile)
        sides = b"".join((side - 1).to_bytes(3, "little") for side in self._size)
        chunks = [b"WEBP", _riff(b"VP8X", struct.pack("<I", flags) + sides)]
        chunks += [_riff(b"ICCP", self._profile)] if self._profile else []
        chunks += [_riff(b"ANIM", struct.pack("<IH", 0, self._plays)), *self._frames]
        return _riff(b"RIFF", b"".join(chunks))


class PngWriter:
    """PNG, third edition, 11.3.6. A frame replaces its rectangle; pixels are RGBA."""

    def __init__(self, size: tuple[int, int], plays: int, profile: bytes, options: dict[str, Any]) -> None:
        self._size, self._plays, self._profile, self._options = size, plays, profile, options
        self._chunks: list[bytes] = []
        self._count = self._sequence = 0
        self._shown: Image.Image | None = None

    def add(self, picture: Image.Image, delay: float) -> None:
        left, top, right, bottom = changed(self._shown, picture)
        self._shown = picture
        still = _saved(picture.crop((left, top, right, bottom)), "PNG", **self._options)
        body = b"".join(still[part.start + 8 : part.stop - 4] for part in walk_png(still).parts[2:-1])
        seconds = Fraction(delay / 1000).limit_denominator(1000)
        if seconds.numerator > 0xFFFF:
            seconds = Fraction(min(round(seconds), 0xFFFF))
        size = right - left, bottom - top
        control = struct.pack(">4I", *size, left, top) + struct.pack(">HH", *seconds.as_integer_ratio())
        self._chunk(b"fcTL", control + b"\0\0")
        if self._count:
            self._chunk(b"fdAT", body)
        else:
            self._chunks.append(png_chunk(b"IDAT", body))
        self._count += 1

    def _chunk(self, kind: bytes, body: bytes) -> None:
        self._chunks.append(png_chunk(kind, struct.pack(">I", self._sequence) + body))
        self._sequence += 1

    def finish(self) -> bytes:
        head = [b"\x89PNG\r\n\x1a\n", png_chunk(b"IHDR", struct.pack(">IIBBBBB", *self._size, 8, 6, 0, 0, 0))]
        if self._profile:
            head.append(png_chunk(b"iCCP", b"ICC\0\0" + zlib.compress(self._profile)))
        head.append(png_chunk(b"acTL", struct.pack(">II", self._count, self._plays)))
        return b"".join([*head, *self._chunks, png_chunk(b"IEND", b"")])


class GifWriter:
    """GIF89a. Each frame has its own palette: exact up to 256 colours. Pixels are visible or not, from half opaque on.

    A frame is drawn over the one before it. Where visible pixels become transparent, the frame before is removed, for
    which it is written whole. So a frame is written when the next one is there.
    """

    def __init__(self, size: tuple[int, int], plays: int, profile: bytes, options: dict[str, Any]) -> None:
        self._clock = Clock(10, 0xFFFF)
        screen = struct.pack("<6sHHBBB", b"GIF89a", *size, 0x70, 0, 0)
        again = plays - 1 if plays else 0
        loop = b"!\xff\x0bNETSCAPE2.0\3\1" + struct.pack("<HB", min(again, 0xFFFF), 0)
        self._blocks = [screen] if plays == 1 else [screen, loop]
        self._shown: Image.Image | None = None
        self._next: tuple[Image.Image, float] | None = None

    def add(self, picture: Image.Image, delay: float) -> None:
        picture.putalpha(picture.getchannel("A").point([0] * 128 + [255] * 128))
        if self._next is not None:
            self._write(*self._next, picture)
        self._next = picture, delay

    def finish(self) -> bytes:
        if self._next is not None:
            self._write(*self._next, None)
        return b"".join([*self._blocks, b";"])

    def _write(self, picture: Image.Image, delay: float, following: Image.Image | None) -> None:
        alpha = picture.getchannel("A")
        removed = following is not None and _vanish(alpha, following.getchannel("A"))
        area = (0, 0, *picture.size) if removed else changed(self._shown, picture)
        drawn = alpha.crop(area)
        if self._shown is not None and not removed:
            differs = ImageChops.difference(picture.crop(area), self._shown.crop(area)).split()
            most = ImageChops.lighter(
                ImageChops.lighter(differs[0], differs[1]), ImageChops.lighter(differs[2], differs[3])
            )
            drawn = ImageChops.multiply(drawn, most.point([0] + [255] * 255))
        palette, key, image = _gif_image(picture.crop(area).convert("RGB"), drawn)
        flags = (2 if removed else 1) << 2 | (key is not None)
        ticks = self._clock.ticks(delay)
        self._blocks += [
            b"!\xf9\x04" + struct.pack("<BHBB", flags, ticks, key or 0, 0),
            struct.pack("<BHHHHB", 0x2C, *area[:2], area[2] - area[0], area[3] - area[1], palette[0]),
            palette[1:],
            image,
        ]
        self._shown = None if removed else picture


def changed(shown: Image.Image | None, picture: Image.Image) -> Box:
    """The rectangle in which two frames differ; of equal ones a single pixel, since a frame cannot be empty."""
    if shown is None:
        return (0, 0, *picture.size)
    return ImageChops.difference(shown, picture).getbbox(alpha_only=False) or (0, 0, 1, 1)


def _vanish(alpha: Image.Image, following: Image.Image) -> bool:
    """Whether a visible pixel is transparent in the next frame."""
    return ImageChops.subtract(alpha, following).getbbox() is not None


def _gif_image(picture: Image.Image, drawn: Image.Image) -> tuple[bytes, int | None, bytes]:
    """The flags and the local palette, the index of the transparent colour, and the image data; `drawn`: 255 where the
    pixel counts, else 0."""
    whole = drawn.getextrema() == _OPAQUE
    if not whole:  # the other pixels get the colour of one that counts, so that they take none of the palette
        mask = np.asarray(drawn)
        place = np.unravel_index(int(mask.argmax()), mask.shape)
        colour = np.asarray(picture)[place].tolist()
        picture.paste(tuple(colour), mask=ImageChops.invert(drawn))
    # A palette with a free place declares a transparent colour also where no pixel has it: Pillow clears to the
    # background's colour without.
    indexed = _quantized(picture, 256 if whole else 255)
    colours = indexed.getpalette() or []
    options: dict[str, Any] = {"interlace": False, "optimize": False}
    if len(colours) <= 255 * 3:
        indexed.putpalette(colours + [0] * (768 - len(colours)))
        options["transparency"] = 255
    if not whole:
        indexed.paste(255, mask=ImageChops.invert(drawn))
    still = _saved(indexed, "GIF", **options)
    walk = walk_gif(still)
    control = walk.parts[-2] if len(walk.parts) > 2 else None
    key = still[control.start + 6] if control is not None and still[control.start + 3] & 1 else None
    flags = 0x80 | still[10] & 7
    start = walk.parts[-1].start + 10
    return bytes([flags]) + still[13 : walk.parts[0].stop], key, still[start:-1]


def _quantized(picture: Image.Image, most: int) -> Image.Image:
    """RGB -> P. Exact if there are at most so many colours. Not dithered: the noise would flicker."""
    colours = picture.getcolors(most)
    if colours is not None:
        return picture.quantize(len(colours), Image.Quantize.MEDIANCUT)
    size = min(picture.width, _SAMPLE), min(picture.height, _SAMPLE)
    palette = picture.resize(size, Image.Resampling.NEAREST).quantize(most, Image.Quantize.MEDIANCUT)
    return picture.quantize(palette=palette, dither=Image.Dither.NONE)


def _saved(picture: Image.Image, format: str, **options: Any) -> bytes:
    picture.info.clear()
    file = BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()


def _riff(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + bytes(len(body) & 1)
