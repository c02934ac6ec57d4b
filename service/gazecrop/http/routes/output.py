"""The parameters of pictures that are sent out: size, format, quality, layers. All errors are reported together."""

from dataclasses import dataclass
from math import isqrt

from gazecrop.crop.params import Wanted, one_ratio
from gazecrop.crop.ratios import Ratio
from gazecrop.errors import BadParameters, NotAcceptable
from gazecrop.http.negotiation import quality
from gazecrop.http.routes.uploads import Errors
from gazecrop.picture.animate import ANIMATED, PLAIN, TYPES
from gazecrop.picture.explain import LAYERS
from gazecrop.picture.render import LONGEST_SIDE, MEDIA_TYPES, SHARE


@dataclass(frozen=True, slots=True)
class CropOutput:
    """How a crop is sent. width, height: pixels or None. max_pixels: of the output. animated: as `animate.crop`."""

    ratio: Ratio
    width: int | None
    height: int | None
    enlarge: bool
    format: str
    quality: int | None
    max_pixels: int
    animated: bool | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """How an explanation is drawn."""

    layers: list[str]
    format: str
    quality: int | None


def crop_output(accept: str, megapixels: float, wanted: Wanted, errors: Errors) -> CropOutput:
    """The output of /v1/crop. megapixels: the limit of JPEG and WebP. Raises BadParameters, NotAcceptable."""
    extra = wanted.extra
    width = _number(extra, "width", LONGEST_SIDE, errors)
    height = _number(extra, "height", LONGEST_SIDE, errors)
    enlarge = _one_of(extra, "enlarge", ("false", "true"), errors) == "true"
    animated = _animated(extra, errors)
    format = _format(accept, extra, errors, tuple(TYPES), ANIMATED if animated else tuple(MEDIA_TYPES))
    if animated and format not in ANIMATED:
        detail = (
            f"{format} is written without frames: with animated=true the formats are {', '.join(ANIMATED)}."
        )
        errors.append({"parameter": "animated", "detail": detail})
    grade = _number(extra, "quality", 100, errors)
    ratio = _ratio(extra, width, height, errors)
    most = round(megapixels * 1e6 * SHARE.get(format, 1))
    if ratio is not None:
        _area({"width": width, "height": height}, ratio, format, most, errors)
    if ratio is None or errors:
        raise BadParameters(errors)
    return CropOutput(ratio, width, height, enlarge, format, grade, most, animated)


def _animated(extra: dict[str, str], errors: Errors) -> bool | None:
    """The parameter `animated`. By default an animation stays one where its format is asked for by name: a page that
    merely accepts WebP expects a still."""
    if "animated" in extra:
        return _one_of(extra, "animated", ("false", "true"), errors) == "true"
    return None if extra.get("format") in PLAIN else False


def explanation(accept: str, wanted: Wanted, errors: Errors) -> Explanation:
    """The output of /v1/explain. Appends to `errors`. Raises NotAcceptable."""
    layers = _layers(wanted.extra, errors)
    format = _format(accept, wanted.extra, errors, tuple(MEDIA_TYPES), tuple(MEDIA_TYPES))
    return Explanation(layers, format, _number(wanted.extra, "quality", 100, errors))


def _ratio(extra: dict[str, str], width: int | None, height: int | None, errors: Errors) -> Ratio | None:
    """The parameter `ratio`, or the ratio of width and height."""
    text = extra.get("ratio")
    if text is None and "width" in extra and "height" in extra:
        if width is None or height is None:
            return None  # already among the errors
        text = f"{width}:{height}"
    elif text is None:
        errors.append({"parameter": "ratio", "detail": "ratio is required, or width and height together."})
        return None
    elif "width" in extra and "height" in extra:
        detail = "width and height together define the ratio: leave out one of the three."
        errors.append({"parameter": "ratio", "detail": detail})
    try:
        return one_ratio(text)
    except BadParameters as error:
        errors.extend(error.members["errors"])
        return None


def _area(sides: dict[str, int | None], ratio: Ratio, format: str, most: int, errors: Errors) -> None:
    """Adds an error for each side that requests more than `most` pixels, whether or not the picture has as many."""
    width, height = sides["width"], sides["height"]
    across = width or (height or 0) * ratio.value
    down = height or across / ratio.value
    scale = min(1.0, LONGEST_SIDE / max(across, down, 1))  # the output is never longer
    if across * down * scale**2 <= most:
        return
    limits = {"width": isqrt(int(most * ratio.value)), "height": isqrt(int(most / ratio.value))}
    for name, limit in limits.items():
        if sides[name] is not None:
            detail = f"{name} is at most {limit}: a crop has at most {most / 1e6:g} megapixels as {format.upper()}."
            errors.append({"parameter": name, "detail": detail, "limit": limit, "received": str(sides[name])})


def _number(extra: dict[str, str], name: str, most: int, errors: Errors) -> int | None:
    text = extra.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and 1 <= int(text) <= most):
        detail = f"{name} is a whole number from 1 to {most}."
        errors.append({"parameter": name, "detail": detail, "limit": most, "received": text[:40]})
        return None
    return int(text)


def _one_of(extra: dict[str, str], name: str, names: tuple[str, ...], errors: Errors) -> str:
    text = extra.get(name, names[0])
    if text not in names:
        errors.append(
            {"parameter": name, "detail": f"{name} is one of {', '.join(names)}.", "received": text[:40]}
        )
    return text


def _layers(extra: dict[str, str], errors: Errors) -> list[str]:
    layers = [name.strip() for name in extra.get("layers", ",".join(LAYERS)).split(",")]
    if not set(layers) <= set(LAYERS):
        detail = f"The layers are {', '.join(LAYERS)}."
        errors.append({"parameter": "layers", "detail": detail, "received": extra["layers"][:40]})
    return layers


def _format(
    accept: str,
    extra: dict[str, str],
    errors: Errors,
    named: tuple[str, ...],
    acceptable: tuple[str, ...],
) -> str:
    """The parameter `format`, which is one of `named`, else the best of `acceptable` in `Accept`; of those that are
    equal there the first. Raises NotAcceptable."""
    if extra.get("format") == "jpg":
        return "jpeg"
    if "format" in extra:
        return _one_of(extra, "format", named, errors)
    accept = accept.lower().replace("image/jpg", "image/jpeg")
    weights = {name: quality(accept, *TYPES[name].split("/")) for name in acceptable}
    # Of equal weights a named type precedes one that only matches a range like */*.
    best = max(weights, key=lambda name: (weights[name], TYPES[name] in accept))
    if weights[best] <= 0:
        raise NotAcceptable(f"Crops can be made as {', '.join(TYPES[name] for name in acceptable)}.")
    return best
