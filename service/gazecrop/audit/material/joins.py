"""Joins two pictures into one: side by side, one above the other, or at the ends of a strip; scaled or in own size."""

from dataclasses import dataclass, replace

from PIL import Image

from gazecrop.audit.material.portraits import BACKGROUND, Box, Portrait

SIDE = 320  # pixels: the common height (side by side) or width (one above the other) of scaled pictures
STRIP = 5  # length of a strip divided by its width


@dataclass(frozen=True, slots=True)
class Layout:
    """`across`: side by side, else one above the other. `scaled`: to one height (or width). `strip`: at its ends."""

    name: str
    across: bool
    scaled: bool
    strip: bool = False


LAYOUTS = {
    layout.name: layout
    for layout in (
        Layout("beside", across=True, scaled=True),
        Layout("above", across=False, scaled=True),
        Layout("beside-as-is", across=True, scaled=False),
        Layout("above-as-is", across=False, scaled=False),
        Layout("strip", across=True, scaled=True, strip=True),
        Layout("tall-strip", across=False, scaled=True, strip=True),
    )
}
PAPER = ("beside", "above", "beside-as-is", "above-as-is")


@dataclass(frozen=True, slots=True)
class Shape:
    """All that planning a join needs of a picture: no pixels."""

    size: tuple[int, int]
    face: Box | None

    @classmethod
    def of(cls, portrait: Portrait) -> "Shape":
        return cls(portrait.picture.size, portrait.face)


@dataclass(frozen=True, slots=True)
class Plan:
    """Geometry of a join of `size` pixels: `corners` and `sizes` of the two pictures in pixels, `places` and `faces` in
    fractions. It needs no pixels, so that a cached map needs no join."""

    size: tuple[int, int]
    corners: tuple[tuple[int, int], tuple[int, int]]
    sizes: tuple[tuple[int, int], tuple[int, int]]
    faces: tuple[Box | None, Box | None]

    @property
    def places(self) -> tuple[Box, Box]:
        first, second = (
            (x / self.size[0], y / self.size[1], w / self.size[0], h / self.size[1])
            for (x, y), (w, h) in zip(self.corners, self.sizes, strict=True)
        )
        return first, second

    @property
    def axis(self) -> int:
        """The axis that separates the two: 0 left-right, 1 top-bottom."""
        return int(self.corners[1][0] == 0)


def plan(first: Shape, second: Shape, layout: Layout) -> Plan:
    """`first` is on the left or above."""
    one, other = (_scaled(shape.size, layout) for shape in (first, second))
    along = [one[not layout.across], other[not layout.across]]
    broad = max(one[layout.across], other[layout.across])
    length = max(sum(along), STRIP * broad if layout.strip else 0)
    start = length - along[1] if layout.strip else along[0]
    size = (length, broad) if layout.across else (broad, length)
    corner = (start, 0) if layout.across else (0, start)
    bare = Plan(size, ((0, 0), corner), (one, other), (None, None))
    faces = [_within(shape.face, place) for shape, place in zip((first, second), bare.places, strict=True)]
    return replace(bare, faces=(faces[0], faces[1]))


def joined(first: Portrait, second: Portrait, plan: Plan) -> Image.Image:
    """RGB picture of a plan."""
    whole = Image.new("RGB", plan.size, BACKGROUND)
    for portrait, corner, size in zip((first, second), plan.corners, plan.sizes, strict=True):
        whole.paste(fitted(portrait.picture, size), corner)
    return whole


def fitted(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    if picture.size == size:
        return picture
    return picture.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)


def _scaled(size: tuple[int, int], layout: Layout) -> tuple[int, int]:
    if not layout.scaled:
        return size
    scale = SIDE / size[layout.across]
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _within(face: Box | None, place: Box) -> Box | None:
    if face is None:
        return None
    return (
        place[0] + face[0] * place[2],
        place[1] + face[1] * place[3],
        face[2] * place[2],
        face[3] * place[3],
    )
