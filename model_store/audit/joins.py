"""Two pictures in one: side by side, one above the other, at the far ends of a strip; equally large, or as they are."""

from dataclasses import dataclass

from PIL import Image

from model_store.audit.people import GROUND, Box, Sight

SIDE = 320  # pixels: the common height (side by side) or width (one above the other) of scaled pictures
STRIP = 5  # a strip is so many times as long as broad


@dataclass(frozen=True, slots=True)
class Layout:
    """`across`: side by side, else one above the other. `scaled`: to one height (width). `strip`: at its far ends."""

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
class Join:
    """`places`: where the first and the second picture lie, `faces`: their faces; in fractions of `picture`."""

    picture: Image.Image
    places: tuple[Box, Box]
    faces: tuple[Box | None, Box | None]

    @property
    def axis(self) -> int:
        """Along which the two lie apart: 0 left-right, 1 top-bottom."""
        return int(self.places[0][0] == self.places[1][0])


def join(first: Sight, second: Sight, layout: Layout) -> Join:
    """`first` is on the left, or above."""
    pictures = [_scaled(seen.picture, layout) for seen in (first, second)]
    along = [picture.size[not layout.across] for picture in pictures]
    broad = max(picture.size[layout.across] for picture in pictures)
    length = max(sum(along), STRIP * broad if layout.strip else 0)
    starts = [0, length - along[1] if layout.strip else along[0]]
    size = (length, broad) if layout.across else (broad, length)
    whole = Image.new("RGB", size, GROUND)
    places = []
    for picture, start in zip(pictures, starts, strict=True):
        corner = (start, 0) if layout.across else (0, start)
        whole.paste(picture, corner)
        places.append(
            (corner[0] / size[0], corner[1] / size[1], picture.width / size[0], picture.height / size[1])
        )
    faces = [_within(seen.face, place) for seen, place in zip((first, second), places, strict=True)]
    return Join(whole, (places[0], places[1]), (faces[0], faces[1]))


def _scaled(picture: Image.Image, layout: Layout) -> Image.Image:
    if not layout.scaled:
        return picture
    scale = SIDE / picture.size[layout.across]
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    return picture.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)


def _within(face: Box | None, place: Box) -> Box | None:
    if face is None:
        return None
    return (
        place[0] + face[0] * place[2],
        place[1] + face[1] * place[3],
        face[2] * place[2],
        face[3] * place[3],
    )
