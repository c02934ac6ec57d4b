"""`fields`: a crop in the form that content management systems store it, or its focal point. The same in gazecrop.js.

Each function returns the JSON value of the system's own field, from which the system makes this crop for this ratio. A
system that stores a point has one for all ratios; there are two rules by which it crops:
- position: as CSS `object-position`, which shifts the largest box of the ratio by a share of its room;
- middle: the box is centred at the point, as far as the picture allows.
All are in the upright picture: a file with an EXIF orientation must be turned before, as these systems do at the upload
or do not (Sanity counts in the file as it shows it).
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import floor
from typing import Any

from gazecrop.crop.placing import Box


@dataclass(frozen=True, slots=True)
class Cut:
    """`picture`: width and height. `largest`: the box of the ratio without zoom. `ratio`: as text. `face`: left, top,
    right, bottom in pixels of the most important face that is whole in the box."""

    box: Box
    picture: tuple[int, int]
    largest: tuple[int, int]
    ratio: str
    face: tuple[int, int, int, int] | None = None

    @property
    def middle(self) -> tuple[float, float]:
        """Fractions of the picture."""
        x, y, width, height = self.box
        return (2 * x + width) / (2 * self.picture[0]), (2 * y + height) / (2 * self.picture[1])

    @property
    def position(self) -> tuple[float, float]:
        """Shares of the room, 0 to 1; of a zoomed box those of the largest box nearest to it; 0.5 without room."""
        return (
            _position(self.box.x, self.box.width, self.largest[0], self.picture[0]),
            _position(self.box.y, self.box.height, self.largest[1], self.picture[1]),
        )


def _position(offset: int, length: int, largest: int, side: int) -> float:
    room = 2 * (side - largest)
    return min(max(2 * offset + length - largest, 0), room) / room if room else 0.5


def _rounded(value: float, places: int) -> float:
    """Half up: as JavaScript can, too."""
    scale = 10.0**places
    return floor(value * scale + 0.5) / scale


def _fractions(point: tuple[float, float]) -> dict[str, float]:
    return {"x": _rounded(point[0], 4), "y": _rounded(point[1], 4)}


def _percent(value: float) -> float:
    return _rounded(100 * value, 2)


def wordpress(cut: Cut) -> dict[str, float]:
    """`focalPoint` of the blocks Cover and Media & Text; position.
    https://developer.wordpress.org/block-editor/reference-guides/components/focal-point-picker/"""
    return _fractions(cut.position)


def sanity(cut: Cut) -> dict[str, Any]:
    """`crop`, shares cut off each side, and `hotspot`, the middle and size of what must be visible.
    https://www.sanity.io/docs/image-type"""
    x, y, width, height = cut.box
    wide, high = cut.picture
    return {
        "crop": {
            "_type": "sanity.imageCrop",
            "top": _rounded(y / high, 4),
            "bottom": _rounded((high - y - height) / high, 4),
            "left": _rounded(x / wide, 4),
            "right": _rounded((wide - x - width) / wide, 4),
        },
        "hotspot": {
            "_type": "sanity.imageHotspot",
            **_fractions(cut.middle),
            "width": _rounded(width / wide, 4),
            "height": _rounded(height / high, 4),
        },
    }


def strapi(cut: Cut) -> dict[str, float]:
    """`focalPoint` of a file of the media library, percent; position.
    https://docs.strapi.io/cms/features/media-library"""
    x, y = cut.position
    return {"x": _percent(x), "y": _percent(y)}


def payload(cut: Cut) -> dict[str, float]:
    """`focalX` and `focalY` of an upload, percent; middle. https://payloadcms.com/docs/upload/overview"""
    x, y = cut.middle
    return {"focalX": _percent(x), "focalY": _percent(y)}


def contentful(cut: Cut) -> str:
    """The value of `f` of the Images API, beside `fit=fill`: the position in thirds.
    https://www.contentful.com/developers/docs/references/images-api/"""
    across, down = (0 if at < 1 / 3 else 2 if at > 2 / 3 else 1 for at in cut.position)
    names = [("top", "", "bottom")[down], ("left", "", "right")[across]]
    return "_".join(filter(None, names)) or "center"


def storyblok(cut: Cut) -> str:
    """`focus` of an asset: `LEFTxTOP:RIGHTxBOTTOM` of one pixel; middle.
    https://www.storyblok.com/docs/api/image-service/operations/focal-point"""
    x, y, width, height = cut.box
    left, top = x + (width - 1) // 2, y + (height - 1) // 2
    return f"{left}x{top}:{left + 1}x{top + 1}"


def craft(cut: Cut) -> dict[str, float]:
    """The argument of `Asset::setFocalPoint()`, as `getFocalPoint()` returns it; middle.
    https://docs.craftcms.com/api/v5/craft-elements-asset.html"""
    return _fractions(cut.middle)


def statamic(cut: Cut) -> str:
    """`focus` of an asset: `X-Y-ZOOM`, whole percent; middle. https://statamic.dev/variables/focus"""
    x, y = (floor(100 * at + 0.5) for at in cut.middle)
    zoom = max(_rounded(cut.largest[0] / cut.box.width, 2), 1.0)
    return f"{x}-{y}-{zoom:g}"


def kirby(cut: Cut) -> str:
    """The content field `focus` of a file; middle. https://getkirby.com/docs/guide/files#setting-a-focus-point"""
    x, y = map(_percent, cut.middle)
    return f"{x:g}% {y:g}%"


def wagtail(cut: Cut) -> dict[str, int]:
    """The fields of an image, pixels: the middle and the size of the area that `fill` never cuts, here the box.
    https://docs.wagtail.org/en/stable/advanced_topics/images/focal_points.html"""
    x, y, width, height = cut.box
    return {
        "focal_point_x": x + width // 2,
        "focal_point_y": y + height // 2,
        "focal_point_width": width,
        "focal_point_height": height,
    }


def directus(cut: Cut) -> dict[str, int]:
    """Of `directus_files`, pixels; middle. https://directus.io/docs/guides/files/transform"""
    x, y, width, height = cut.box
    return {"focal_point_x": x + width // 2, "focal_point_y": y + height // 2}


def typo3(cut: Cut) -> dict[str, Any]:
    """`crop` of `sys_file_reference`: the crop variant `default`. The focus area counts in the crop area.
    https://docs.typo3.org/m/typo3/reference-coreapi/main/en-us/ApiOverview/CropVariants/General/Index.html"""
    x, y, width, height = cut.box
    wide, high = cut.picture
    area = None
    if cut.face is not None:
        left, top = max(cut.face[0], x), max(cut.face[1], y)
        right, bottom = min(cut.face[2], x + width), min(cut.face[3], y + height)
        area = _area(left - x, top - y, right - left, bottom - top, width, height)
    return {
        "default": {
            "cropArea": _area(x, y, width, height, wide, high),
            "selectedRatio": cut.ratio,
            "focusArea": area,
        }
    }


def _area(x: int, y: int, width: int, height: int, wide: int, high: int) -> dict[str, float]:
    return {
        "x": _rounded(x / wide, 4),
        "y": _rounded(y / high, 4),
        "width": _rounded(width / wide, 4),
        "height": _rounded(height / high, 4),
    }


FORMS: dict[str, Callable[[Cut], Any]] = {
    form.__name__: form
    for form in (
        *(wordpress, sanity, strapi, payload, contentful, storyblok),
        *(craft, statamic, kirby, wagtail, directus, typo3),
    )
}
