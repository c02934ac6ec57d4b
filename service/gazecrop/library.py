"""Gazecrop in a program of your own: three lines from a picture to boxes, without a server.

    import gazecrop
    picture = gazecrop.look("photo.jpg")  # a path, the file's bytes, or a PIL.Image
    print(picture.crop("16:9").box)       # Box(x=0, y=412, width=4000, height=2250)

More of a picture: `crops` of several ratios, `density` (numpy: where people look), `points`, `good_ratios`, and
`encoded`, the whole map as a short string, from which `from_encoded` makes the same crops again without the file.
The network is loaded at the first `look`; `GAZECROP_MODEL`, `GAZECROP_DEVICE` and the other settings apply.
"""

import os
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gazecrop import __version__
from gazecrop.crop.confidence import Calibration
from gazecrop.crop.cropping import Crop, Cropper
from gazecrop.crop.grid import SaliencyGrid
from gazecrop.crop.params import parse
from gazecrop.crop.placing import Box
from gazecrop.crop.points import Point
from gazecrop.errors import BadParameters, GazecropError, PictureError
from gazecrop.model import Model, ModelError
from gazecrop.picture.decode import FLAT_RANGE, Limits, Thumbnail, reduced
from gazecrop.picture.probe import nearest_shape
from gazecrop.pipeline import analyse, as_record, limits_of
from gazecrop.settings import Settings

__all__ = [
    "BadParameters",
    "Box",
    "Crop",
    "GazecropError",
    "ModelError",
    "Picture",
    "PictureError",
    "Point",
    "SaliencyGrid",
    "__version__",
    "from_encoded",
    "look",
]

Area = tuple[float, float, float, float]  # x, y, width, height in fractions of the picture


class Picture:
    """A picture that was looked at: no pixel is kept, only where people look. Immutable."""

    def __init__(
        self, grid: SaliencyGrid, model: str = "", format: str = "", calibration: Calibration | None = None
    ) -> None:
        self.grid = grid
        self.model = model  # the network's name
        self.format = format
        self._cropper = Cropper(grid, calibration)

    def __repr__(self) -> str:
        return f"<gazecrop.Picture {self.width}x{self.height}>"

    @property
    def width(self) -> int:
        """Pixels, upright."""
        return self.grid.width

    @property
    def height(self) -> int:
        return self.grid.height

    @property
    def density(self) -> NDArray[np.float64]:
        """float64[rows, columns] over the whole upright picture: the share of gaze in each cell; sums to 1."""
        return self.grid.density()

    @property
    def points(self) -> tuple[Point, ...]:
        """What is most salient, first: x and y in fractions, scores relative to the first. None of a flat picture."""
        return self._cropper.points

    @property
    def good_ratios(self) -> tuple[str, str] | None:
        """The narrowest and the broadest ratio whose crop keeps 0.80 of the importance."""
        return self._cropper.good_ratios

    @property
    def encoded(self) -> str:
        """The map as a URL-safe string of about 400 characters; `from_encoded` and gazecrop.js read it."""
        return self.grid.text

    def crop(self, ratio: str | float, **options: object) -> Crop:
        """The crop of one ratio: `.box` (integer pixels), `.importance`, `.verdict`. Options as in `crops`."""
        return self.crops([ratio], **options)[0]  # type: ignore[arg-type]

    def crops(
        self,
        ratios: str | Iterable[str | float] = "",
        *,
        policy: str = "auto",
        zoom: float = 1,
        keep: Iterable[Area] = (),
        avoid: Iterable[Area] = (),
        candidates: int = 1,
        focus: tuple[float, float] | None = None,
    ) -> list[Crop]:
        """Crops of up to 16 ratios, such as "1:1,16:9", ["square", 1.7778]; none named: of every profile.

        The options are the HTTP API's; `focus` is the point (x, y in fractions) that a person wants kept central.
        Where not everything of `keep` and `avoid` can be met, what comes last is dropped, `avoid` before `keep`: see
        the crop's `unmet`. Raises BadParameters, which names all that is wrong.
        """
        if not isinstance(ratios, str):
            ratios = ",".join(each if isinstance(each, str) else f"{each:.6f}" for each in ratios)
        query = [
            ("ratios", ratios),
            ("policy", policy),
            ("zoom", f"{zoom:.9f}"),
            ("candidates", f"{candidates}"),
        ]
        query += [("keep", _numbers(area)) for area in keep] + [("avoid", _numbers(area)) for area in avoid]
        wanted = parse(urlencode(query))
        if focus is None and policy == "focus":
            raise BadParameters.one("policy", "The policy focus needs a focus.")
        if focus is not None and not (0 <= focus[0] <= 1 and 0 <= focus[1] <= 1):
            raise BadParameters.one("focus", "The focus lies inside the picture: fractions from 0 to 1.")
        return [self._cropper.crop(ratio, wanted.options, focus) for ratio in wanted.ratios]


def look(picture: str | os.PathLike[str] | bytes | Image.Image) -> Picture:
    """Where people look in a picture. Boxes of a file are those of the upright picture (EXIF); a PIL.Image is taken
    as it stands, so that `image.crop` fits. Raises PictureError, OSError (the path), ModelError (at the first call).
    """
    model, limits = _network()
    if isinstance(picture, Image.Image):
        record = as_record(*_reduced(picture, model), model)
    else:
        data = picture if isinstance(picture, bytes) else Path(picture).read_bytes()
        record = analyse(data, model, limits)
    return Picture(SaliencyGrid.from_code(record.code), record.model, record.format, model.calibration)


def from_encoded(text: str) -> Picture:
    """From `Picture.encoded`, or an answer's `saliency.encoded`. Raises ValueError when it is no such string."""
    return Picture(SaliencyGrid.from_text(text))


@lru_cache(maxsize=1)
def _network() -> tuple[Model, Limits]:
    settings = Settings()
    return Model.load(settings), limits_of(settings)


def _reduced(image: Image.Image, model: Model) -> tuple[Thumbnail, NDArray[np.float32] | None]:
    width, height = image.size
    if not width or not height:
        raise PictureError("The image is empty.")
    rows, columns = nearest_shape(width, height, model.shapes)
    image.load()
    pixels = np.asarray(reduced(image, (columns, rows), None))
    flat = bool(np.ptp(pixels, axis=(0, 1)).max() <= FLAT_RANGE)
    thumbnail = Thumbnail(pixels, width, height, (image.format or "image").lower(), False, flat)
    return thumbnail, None if flat else model.infer([pixels])[0]


def _numbers(area: Area) -> str:
    return ",".join(f"{value:.9f}" for value in area)
