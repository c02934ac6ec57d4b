"""Objects: the faces and text lines of a picture, whose boxes a crop should not cut through. Part of the grid's code.

Edges are in 255ths of the picture's sides, so that they are bytes; in a picture of W pixels an edge is at
edge * W / 255, and every comparison below is one of integers. The same in gazecrop.js.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, floor, isqrt
from typing import Literal, NamedTuple, get_args

Kind = Literal["face", "text"]
KINDS: tuple[Kind, ...] = get_args(Kind)
MOST = 16
PARTS = 255  # of a side
SCORES = 127  # the highest score
WEIGHTS = 256 * SCORES  # the weight of an object as long as the picture that is surely there
LARGE = 41  # of 255: a side of 16 % of the picture's
# Of an object's area, one part in so many may be missing from a box that holds it, or be in a box that does not. A 20th
# of a line of text is half a letter or a whole one.
LOOSE: dict[Kind, int] = {"face": 20, "text": 33}
# A detector's box of a face ends at the hairline, the chin and the cheeks. The head with hair and ears is larger by
# these 20ths of the box's sides: left and right each, above, below. Where the head does not fit into a crop, the
# detector's own box is protected (`within`).
TWENTIETHS = 20
HEAD = (1, 3, 1)
_GROWTH = tuple(share / TWENTIETHS for share in HEAD)
_BYTES = 5
_SLACK = 1e-6  # as in placing: 51 / 255 of a side is 0.2 of it in spite of binary rounding


@dataclass(frozen=True, slots=True)
class Object:
    """`left`, `top`, `right`, `bottom`: 0 to 255, in 255ths of the upright picture's sides, left < right, top < bottom.
    `score`: 0 to 127, in 127ths: how sure the detector is."""

    kind: Kind
    left: int
    top: int
    right: int
    bottom: int
    score: int

    @classmethod
    def detected(cls, kind: Kind, x: float, y: float, width: float, height: float, score: float) -> "Object":
        """From a detector's box in fractions, rounded outwards and clipped to the picture; of a face, its head.
        Raises ValueError for a box that is empty or outside the picture."""
        left, top, right, bottom = x, y, x + width, y + height
        if kind == "face":
            beside, above, below = _GROWTH
            left, right = left - beside * width, right + beside * width
            top, bottom = top - above * height, bottom + below * height
        edges = _out(left), _out(top), _in(right), _in(bottom)
        if not (width > 0 and height > 0 and edges[0] < edges[2] and edges[1] < edges[3]):
            raise ValueError("the box of an object is empty or outside the picture")
        return cls(kind, *edges, round(min(max(score, 0.0), 1.0) * SCORES))

    def part(self, corner: tuple[int, int], size: tuple[int, int], whole: tuple[int, int]) -> "Object | None":
        """The same object in a rectangle of the picture, whose corner (left, top) and size are in pixels of the whole.
        None: it has no part in it."""
        if size == whole:
            return self

        def edge(value: int, axis: int) -> int:
            place = (value * whole[axis] - PARTS * corner[axis]) / size[axis]
            return round(min(max(place, 0.0), PARTS))

        left, right, top, bottom = (
            edge(self.left, 0),
            edge(self.right, 0),
            edge(self.top, 1),
            edge(self.bottom, 1),
        )
        if left >= right or top >= bottom:
            return None
        return Object(self.kind, left, top, right, bottom, self.score)

    @property
    def importance(self) -> int:
        """Size times score."""
        return (self.right - self.left) * (self.bottom - self.top) * self.score

    @property
    def weight(self) -> int:
        """In policy `balanced`, 0 to WEIGHTS: the fourth root of its area, as a share of the picture's, times the
        score. On photographs of "train" fewer faces are cut, at the same loss of gaze, than with the root of the
        longer side; and a line of text, which is long and thin, does not outweigh a face."""
        area = (self.right - self.left) * (self.bottom - self.top)
        return isqrt(256 * isqrt(area)) * self.score

    @property
    def loose(self) -> int:
        return LOOSE[self.kind]

    @property
    def large(self) -> bool:
        return max(self.right - self.left, self.bottom - self.top) >= LARGE

    def ltrb(self, width: int, height: int) -> tuple[int, int, int, int]:
        """left, top, right, bottom in pixels, rounded outwards."""
        return (
            self.left * width // PARTS,
            self.top * height // PARTS,
            -(-self.right * width // PARTS),
            -(-self.bottom * height // PARTS),
        )

    @property
    def shrunk(self) -> "Object":
        """Of a head, the detector's own box of the face: smaller by the shares that it was grown by, rounded outwards.
        An edge at the picture's border, where the head was clipped, stays. A text line is as it is."""
        if self.kind != "face":
            return self
        beside, above, below = HEAD
        # Without what rounding may have added at both ends; else a clipped head's face could come out too small.
        wide, high = max(self.right - self.left - 2, 0), max(self.bottom - self.top - 2, 0)
        side = wide * beside // (TWENTIETHS + 2 * beside)
        parts = TWENTIETHS + above + below
        return Object(
            "face",
            self.left + side * (self.left > 0),
            self.top + (high * above // parts) * (self.top > 0),
            self.right - side * (self.right < PARTS),
            self.bottom - (high * below // parts) * (self.bottom < PARTS),
            self.score,
        )

    def within(self, size: tuple[int, int], picture: tuple[int, int]) -> "Object | None":
        """What a box of this size, in pixels, should hold whole: the object where it fits, else the detector's own face
        where that fits. None: neither fits."""
        if self.fits(size, picture):
            return self
        shrunk = self.shrunk
        return shrunk if shrunk.fits(size, picture) else None

    def fits(self, size: tuple[int, int], picture: tuple[int, int]) -> bool:
        """Whether a box of this size, in pixels, can hold the object."""
        return (self.right - self.left) * picture[0] <= PARTS * size[0] and (
            self.bottom - self.top
        ) * picture[1] <= PARTS * size[1]

    def inside(self, ltrb: tuple[int, int, int, int], picture: tuple[int, int]) -> tuple[int, int]:
        """(shared, area): the part of the object's area inside a box given in pixels, as two integers."""
        width, height = picture
        first, last = self.left * width, self.right * width
        upper, lower = self.top * height, self.bottom * height
        wide = min(last, PARTS * ltrb[2]) - max(first, PARTS * ltrb[0])
        high = min(lower, PARTS * ltrb[3]) - max(upper, PARTS * ltrb[1])
        return max(wide, 0) * max(high, 0), (last - first) * (lower - upper)

    def alone_whole(self, ltrb: tuple[int, int, int, int], picture: tuple[int, int]) -> bool:
        """Whether a box holds 95 % of the face alone."""
        shared, area = self.shrunk.inside(ltrb, picture)
        return self.loose * (area - shared) <= area


class Ends(NamedTuple):
    """An object along one axis, in pixels. An edge of a box that could hold it cuts it strictly between `first` and
    `last`: more than one part in `loose` is then on either side. `low`, `high`: around all of it."""

    first: int
    last: int
    low: int
    high: int


def ends_of(low: int, high: int, loose: int, side: int) -> Ends:
    """`low`, `high`: the object's edges in 255ths of the side, which has `side` pixels."""
    return Ends(
        ((loose * low + high - low) * side) // (loose * PARTS),
        -((-(loose * high - high + low) * side) // (loose * PARTS)),
        low * side // PARTS,
        -(-high * side // PARTS),
    )


class Held(NamedTuple):
    """The objects of a picture, seen from one box. `avoidable`: those of `cut` that a box of its size could hold, with
    the head or the face alone."""

    whole: int
    cut: tuple[Object, ...]
    outside: int
    avoidable: tuple[Object, ...]


def held(objects: Iterable[Object], ltrb: tuple[int, int, int, int], picture: tuple[int, int]) -> Held:
    """A face is whole in a box that holds 95 % of its area, outside of one that holds 5 %, cut between; a line of text
    with 97 and 3 %. The area is that of the face alone where the head is too large for the box and the face is not; a
    head is whole as well where the face alone is."""
    cut, avoidable, whole, outside = [], [], 0, 0
    size = ltrb[2] - ltrb[0], ltrb[3] - ltrb[1]
    for each in objects:
        protected = each.within(size, picture)
        shared, area = (protected or each).inside(ltrb, picture)
        if each.loose * shared <= area:
            outside += 1
        elif each.loose * (area - shared) <= area or (
            protected is not None and each.alone_whole(ltrb, picture)
        ):
            whole += 1
        else:
            cut.append(each)
            if protected is not None:
                avoidable.append(each)
    return Held(whole, tuple(cut), outside, tuple(avoidable))


def most_important(objects: Iterable[Object]) -> tuple[Object, ...]:
    """At most 16, the most important first; of equal ones in the given order."""
    return tuple(sorted(objects, key=lambda each: -each.importance)[:MOST])


def pack(objects: tuple[Object, ...]) -> bytes:
    """Their number, then five bytes each: left, top, right, bottom, and 128 for a text line plus the score."""
    packed = bytearray([len(objects)])
    for each in objects:
        kind = KINDS.index(each.kind) * (SCORES + 1)
        packed += bytes([each.left, each.top, each.right, each.bottom, kind + each.score])
    return bytes(packed)


def unpack(code: bytes) -> tuple[tuple[Object, ...], int]:
    """The objects at the start of these bytes, and the number of bytes that they take. Raises ValueError."""
    count = code[0] if code else 0
    end = 1 + _BYTES * count
    if not 1 <= count <= MOST or len(code) < end:
        raise ValueError(f"not the code of 1 to {MOST} objects")
    found = []
    for at in range(1, end, _BYTES):
        left, top, right, bottom, rest = code[at : at + _BYTES]
        if left >= right or top >= bottom:
            raise ValueError("an object without area")
        found.append(Object(KINDS[rest > SCORES], left, top, right, bottom, rest & SCORES))
    return tuple(found), end


def _out(fraction: float) -> int:
    return min(max(floor(fraction * PARTS + _SLACK), 0), PARTS)


def _in(fraction: float) -> int:
    return min(max(ceil(fraction * PARTS - _SLACK), 0), PARTS)
