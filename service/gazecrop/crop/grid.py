"""SaliencyGrid: a saliency map as small integers, and its encoding for the cache, the URL and JavaScript.

The code (version 1), big-endian: `G C 1`, columns u8, rows u8, flags u8, width u32, height u32, then one byte a cell,
row by row, as one raw DEFLATE stream (RFC 1951). The byte is the level minus (left + upper - upper left), modulo 32:
the plane through the neighbours, predictor 4 of lossless JPEG (ITU-T T.81, H.1.2.1). On 200 photographs that makes the
string 329 characters long in the median and 428 at the 95th percentile; plain levels 421 and 587. The string is the
base64url of the code without padding (RFC 4648, section 5).
32 linear levels are as good as floats: the crop score differs by less than 0.1.

A map with objects has version 2, `G C 2`: between the header and the cells are the objects (crop/objects.py), 6 to 81
bytes. A map without any is written in version 1; both are read.
"""

import base64
import binascii
import re
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gazecrop.crop.objects import Object, most_important, pack, unpack

TOP = 31  # the highest level: five bits
EXACT = 2**53  # every sum over a grid is below, so that a double is exact: 40 x 30 cells up to 242,000 MP
_HEADER = struct.Struct(">3sBBBII")
_PLAIN, _WITH_OBJECTS = b"GC1", b"GC2"
_URL_SAFE = re.compile(r"[A-Za-z0-9_-]*")
_SYMMETRIC, _ROTATED = 1, 2
_LEVELS = bytes(range(TOP + 1))


@dataclass(frozen=True, eq=False)
class SaliencyGrid:
    """`levels`: uint8[rows, columns], 0 to 31, linear in the density of gaze. `width`, `height`: of the picture,
    upright, in pixels. `symmetric`: the map is nearly its own mirror image. `rotated`: the file is not stored
    upright (EXIF). `objects`: at most 16, the most important first. Immutable."""

    levels: NDArray[np.uint8]
    width: int
    height: int
    symmetric: bool = False
    rotated: bool = False
    objects: tuple[Object, ...] = ()

    @classmethod
    def from_density(
        cls,
        density: NDArray[np.floating],
        width: int,
        height: int,
        *,
        symmetry: float = 0.0,
        rotated: bool = False,
        objects: Iterable[Object] = (),
    ) -> "SaliencyGrid":
        """`density`: float[rows, columns], non-negative. `symmetry`: maps whose asymmetry is below it count as
        symmetric (a value of the network's manifest). `objects`: the 16 most important are kept. Raises ValueError for
        NaN, infinities and empty maps."""
        peak = float(density.max())
        if not (np.isfinite(peak) and peak > 0 and float(density.min()) >= 0):
            raise ValueError("the density is not finite, non-negative and positive somewhere")
        density = density / peak  # first: TOP / peak is infinite for the smallest numbers
        levels = np.rint(density * TOP).astype(np.uint8)
        symmetric = asymmetry(density) < symmetry
        return cls(_frozen(levels), width, height, symmetric, rotated, most_important(objects))

    @classmethod
    def uniform(
        cls, rows: int, columns: int, width: int, height: int, *, rotated: bool = False
    ) -> "SaliencyGrid":
        """The map of a picture of one colour: every crop is the centre crop."""
        return cls(_frozen(np.full((rows, columns), TOP, np.uint8)), width, height, True, rotated)

    @property
    def rows(self) -> int:
        return int(self.levels.shape[0])

    @property
    def columns(self) -> int:
        return int(self.levels.shape[1])

    @cached_property
    def flat(self) -> bool:
        """True when all cells are equal: no crop is better than another."""
        return bool((self.levels == self.levels[0, 0]).all())

    @cached_property
    def code(self) -> bytes:
        """The grid as bytes, as above."""
        flags = _SYMMETRIC * self.symmetric | _ROTATED * self.rotated
        # Bytes wrap at 256, a multiple of 32. Run lengths alone make 20 characters less than the default strategy.
        down = self.levels.copy()
        down[1:] -= self.levels[:-1]
        cells = down.copy()
        cells[:, 1:] -= down[:, :-1]
        cells &= TOP
        packer = zlib.compressobj(9, zlib.DEFLATED, -15, strategy=zlib.Z_RLE)
        packed = packer.compress(cells.tobytes()) + packer.flush()
        magic, objects = (_WITH_OBJECTS, pack(self.objects)) if self.objects else (_PLAIN, b"")
        header = _HEADER.pack(magic, self.columns, self.rows, flags, self.width, self.height)
        return header + objects + packed

    @cached_property
    def text(self) -> str:
        """The code as a URL-safe string."""
        return base64.urlsafe_b64encode(self.code).rstrip(b"=").decode()

    @classmethod
    def from_code(cls, code: bytes) -> "SaliencyGrid":
        """Raises ValueError for anything but one complete, valid grid; memory is bounded by the header's 255 x 255
        cells."""
        try:
            magic, columns, rows, flags, width, height = _HEADER.unpack_from(code)
            objects, start = unpack(code[_HEADER.size :]) if magic == _WITH_OBJECTS else ((), 0)
            unpacker = zlib.decompressobj(-15)
            cells = unpacker.decompress(code[_HEADER.size + start :], columns * rows + 1)
        except (struct.error, zlib.error) as error:
            raise ValueError("not the code of a grid") from error
        if magic not in (_PLAIN, _WITH_OBJECTS) or flags & ~(_SYMMETRIC | _ROTATED):
            raise ValueError("not the code of a grid, or of a later version")
        if len(cells) != columns * rows or not unpacker.eof or unpacker.unused_data:
            raise ValueError("the number of cells differs from the header's")
        if not 0 < TOP * columns * rows * width * height < EXACT or max(width, height) >= 2**31:
            raise ValueError("the picture's size is zero, or too large for exact sums")
        if cells.translate(None, _LEVELS) or not any(cells):
            raise ValueError("the levels of a grid are 0 to 31, and at least one is not 0")
        differences = np.frombuffer(cells, np.uint8).reshape(rows, columns)
        levels = differences.cumsum(0, np.uint8).cumsum(1, np.uint8)
        levels &= TOP
        symmetric, rotated = bool(flags & _SYMMETRIC), bool(flags & _ROTATED)
        grid = cls(_frozen(levels), width, height, symmetric, rotated, objects)
        grid.__dict__["code"] = code  # where `cached_property` stores it: it is not packed again
        return grid

    @classmethod
    def from_text(cls, text: str) -> "SaliencyGrid":
        """Raises ValueError as `from_code`."""
        if _URL_SAFE.fullmatch(text) is None:  # b64decode would take "+" and "/", too
            raise ValueError("not base64url")
        try:
            code = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except binascii.Error as error:
            raise ValueError("not base64url") from error
        return cls.from_code(code)

    def density(self) -> NDArray[np.float64]:
        """float64[rows, columns] that sums to 1."""
        density: NDArray[np.float64] = self.levels / self.levels.sum(dtype=np.float64)
        return density


def asymmetry(density: NDArray[np.floating]) -> float:
    """Total variation distance between a map and its left-right mirror image: 0 (the same) to 1."""
    return float(np.abs(density - density[:, ::-1]).sum() / (2 * density.sum()))


def _frozen(levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    levels.flags.writeable = False
    return levels
