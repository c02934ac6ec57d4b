"""A saliency map, and the crops of any ratio from it."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import isfinite
from numbers import Real
from typing import Any, Literal
from urllib.parse import urlencode

import numpy as np
from numpy.typing import NDArray

from gazecrop.crop.confidence import Calibration
from gazecrop.crop.cropping import CAREFUL, Cropper, Policy
from gazecrop.crop.grid import SaliencyGrid
from gazecrop.crop.markup import DEFAULT_SRC, check_alt, check_src, html, parse_breakpoints, rows_of
from gazecrop.crop.objects import Object
from gazecrop.crop.params import parse
from gazecrop.crop.points import Point
from gazecrop.crop.ratios import Ratio
from gazecrop.errors import BadParameters
from gazecrop.python_api.results import Crop

Area = tuple[float, float, float, float]  # x, y, width, height in fractions of the picture
RatioLike = str | float | tuple[float, float] | Ratio

_MOST_PARTS = 40  # the largest denominator of a number that is taken as a fraction


class Picture:
    """The saliency map of a picture, from which crops are made. It has no pixels. Immutable."""

    def __init__(
        self,
        grid: SaliencyGrid,
        model: str = "",
        format: str = "",
        calibration: Calibration | None = None,
        frames: int = 1,
    ) -> None:
        self.grid = grid
        self.model = model  # the network's name
        self.format = format
        self.frames = frames  # of an animation, whose map is the mean over up to five of them; 1: a still
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
        """The salient points, the most salient first: x and y in fractions, scores relative to the first. Empty for a
        picture of one colour."""
        return self._cropper.points

    @property
    def objects(self) -> tuple[Object, ...]:
        """The faces and text lines, the most important first; none where the network finds no objects."""
        return self.grid.objects

    @property
    def good_ratios(self) -> tuple[str, str] | None:
        """The narrowest and the broadest ratio whose crop keeps 0.80 of the importance."""
        return self._cropper.good_ratios

    @property
    def encoded(self) -> str:
        """The map as a URL-safe string of about 400 characters, for `from_encoded` and gazecrop.js."""
        return self.grid.text

    def crop(
        self,
        ratio: RatioLike,
        *,
        policy: Policy = "auto",
        zoom: float | Literal["auto"] = 1,
        fill: float | None = None,
        align: tuple[float, float] | None = None,
        keep: Iterable[Area] = (),
        avoid: Iterable[Area] = (),
        overlay: Iterable[Area] = (),
        candidates: int = 1,
        protect: str = "face,text",
        careful: float = CAREFUL,
        focus: tuple[float, float] | None = None,
        fields: str = "",
    ) -> Crop:
        """The crop of one ratio: "16:9", "square", 16 / 9 or (16, 9).

        `zoom`: 1 to 4, the divisor of the largest box; "auto": the tightest box in which the subject fills `fill` (0.3
        to 0.9, default 0.6), with the subject's middle at `align` (x, y in fractions of the crop). `protect`:
        "face,text", "face", "text" or "none", the objects that a crop should not cut through. `careful`: 0.5 to 0.99,
        the least `beats_centre` with which policy "careful" leaves the centre. `keep`, `avoid`: areas that must be
        wholly inside or outside the box; where not all can be, the last are dropped, `avoid` before `keep` (see
        `unmet`). `overlay`: areas in fractions of the crop that the page covers, 4 at most; what matters is kept from
        under them (see `unmet`). `candidates`: 1 to 5, the number of boxes with the `alternatives`. `focus`: the point
        (x, y in fractions) to keep inside, as central as objects that should not be cut through allow. `fields`: names
        of content management systems, comma-separated, for `Crop.fields`. Raises BadParameters, which lists all errors,
        and TypeError for values of another type.
        """
        [crop] = self.crops(
            [ratio],
            policy=policy,
            zoom=zoom,
            fill=fill,
            align=align,
            keep=keep,
            avoid=avoid,
            overlay=overlay,
            candidates=candidates,
            protect=protect,
            careful=careful,
            focus=focus,
            fields=fields,
        )
        return crop

    def crops(
        self,
        ratios: str | Iterable[RatioLike] = (),
        *,
        policy: Policy = "auto",
        zoom: float | Literal["auto"] = 1,
        fill: float | None = None,
        align: tuple[float, float] | None = None,
        keep: Iterable[Area] = (),
        avoid: Iterable[Area] = (),
        overlay: Iterable[Area] = (),
        candidates: int = 1,
        protect: str = "face,text",
        careful: float = CAREFUL,
        focus: tuple[float, float] | None = None,
        fields: str = "",
    ) -> list[Crop]:
        """Crops of up to 16 ratios: ["1:1", 16 / 9, (4, 5)] or "1:1,16:9"; of every profile without any. The other
        parameters as in `crop`."""
        query = [("ratios", ratios if isinstance(ratios, str) else ",".join(map(_ratio_text, ratios)))]
        query += [("policy", policy), ("zoom", _zoom_text(zoom)), ("candidates", f"{candidates}")]
        query += [("protect", protect), ("careful", _number_text("careful", careful)), ("fields", fields)]
        query += [] if fill is None else [("fill", _number_text("fill", fill))]
        query += [("align", text) for text in _area_texts("align", [] if align is None else [align])]
        query += [("keep", text) for text in _area_texts("keep", keep)]
        query += [("avoid", text) for text in _area_texts("avoid", avoid)]
        query += [("overlay", text) for text in _area_texts("overlay", overlay)]
        wanted = parse(urlencode(query))
        if focus is None and policy == "focus":
            raise BadParameters.one("policy", "The policy focus needs the argument focus.")
        if focus is not None and not _inside(focus):
            raise BadParameters.one("focus", "The focus is inside the picture: two fractions from 0 to 1.")
        return [
            Crop.of(self._cropper.crop(ratio, wanted.options, focus), self._cropper)
            for ratio in wanted.ratios
        ]

    def markup(self, breakpoints: str, *, src: str = DEFAULT_SRC, alt: str = "", **options: Any) -> str:
        """An HTML picture element with a crop for each width of the page: "story@480,1:1@1024,16:9", a ratio up to 480
        and one up to 1024 CSS pixels, and one for wider pages.

        `src`: the template of the cropped files' addresses, with {ratio}, {x}, {y}, {width}, {height} and the crop in
        the syntax of tools, {imgproxy}, {iiif}, {cloudinary}, {thumbor}. `alt`: the alternative text. `options`:
        those of `crop`. Raises as `crop`."""
        found = parse_breakpoints(breakpoints)
        check_src(src)
        boxes = [crop.box for crop in self.crops([each.ratio for each in found], **options)]
        return html(rows_of(found, boxes, src, rotated=self.grid.rotated), check_alt(alt))


def _ratio_text(ratio: object) -> str:
    """The ratio as the HTTP API takes it. Raises BadParameters, TypeError."""
    match ratio:
        case str() if "," in ratio:
            detail = f"{ratio[:40]!r} is several ratios: crop() takes one, crops([...]) takes several."
            raise BadParameters.one("ratio", detail)
        case str():
            return ratio
        case Ratio():
            return ratio.profile or ratio.text
        case (Real() as width, Real() as height) if isinstance(ratio, tuple):
            return f"{_decimal(width)}:{_decimal(height)}"
        case Real():
            # 16 / 9 is 16:9 to the last pixel; what differs in the sixth decimal, as 1.7778, stays a decimal number
            near = Fraction(float(ratio)).limit_denominator(_MOST_PARTS) if isfinite(ratio) else None
            if near and abs(near - Fraction(float(ratio))) < Fraction(1, 10**6):
                return f"{near.numerator}:{near.denominator}"
            return _decimal(ratio)
    raise TypeError(f'a ratio is a string ("16:9"), a number (16 / 9) or a pair (16, 9), not {ratio!r:.60}')


def _decimal(value: Real) -> str:
    """Without an exponent, which the API does not take."""
    return f"{float(value):.6f}".rstrip("0").rstrip(".")


def _zoom_text(zoom: float | str) -> str:
    return "auto" if zoom == "auto" else _number_text("zoom", zoom)


def _number_text(name: str, value: Any) -> str:
    try:
        return f"{value:.9f}"
    except (TypeError, ValueError):  # what `format` raises for other types
        raise TypeError(f"{name} is a number, not {value!r:.60}") from None


def _area_texts(name: str, areas: Iterable[Sequence[float]]) -> list[str]:
    try:
        return [",".join(f"{value:.9f}" for value in area) for area in areas]
    except (TypeError, ValueError):
        shape = "a pair (x, y)" if name == "align" else "a list of (x, y, width, height)"
        raise TypeError(f"{name} is {shape}, not {areas!r:.60}") from None


def _inside(focus: tuple[float, float]) -> bool:
    try:
        x, y = focus
        return 0 <= x <= 1 and 0 <= y <= 1
    except (TypeError, ValueError):
        raise TypeError(f"focus is a pair (x, y), not {focus!r:.60}") from None
