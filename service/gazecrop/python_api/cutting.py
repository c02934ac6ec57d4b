"""`gazecrop.cut`: a box of a picture file as a file of its own."""

from typing import Literal, get_args

from PIL import Image

from gazecrop.crop.placing import Box
from gazecrop.errors import BadParameters
from gazecrop.picture.animate import ANIMATED, crop
from gazecrop.pipeline import limits_of
from gazecrop.python_api.analysis import Source, bytes_or_image
from gazecrop.python_api.results import Crop
from gazecrop.settings import read_settings

Format = Literal["jpeg", "webp", "avif", "png", "gif"]


def cut(
    source: Source,
    box: Box | Crop,
    *,
    width: int | None = None,
    height: int | None = None,
    format: Format = "jpeg",
    quality: int | None = None,
    enlarge: bool = False,
    animated: bool | None = None,
) -> bytes:
    """The box of a picture as the bytes of a file, upright and without metadata, as `POST /v1/crop` sends it.

    `source`: as `look` takes it, but a file: a path, bytes or a binary file object. `box`: in pixels of the upright
    picture, or the crop with the box. Of `width` and `height` one alone keeps the ratio; the output is never enlarged
    unless `enlarge`. `quality`: 1 to 100. `animated`: whether all frames of an animation are written (webp, gif, png)
    or the first; default: all as webp and gif, where the limits of the settings allow it.

    Raises TypeError for a PIL image or an array, which `Image.crop(box.ltrb)` cuts; ValueError for a box outside the
    picture; OSError; BadParameters; PictureError, also where `animated` exceeds the limits.
    """
    data = bytes_or_image(source)
    if isinstance(data, Image.Image):
        raise TypeError("gazecrop.cut takes a file; an image in memory is cut by PIL.Image.crop(box.ltrb)")
    if format not in get_args(Format):
        raise BadParameters.one(
            "format", f"format is one of {', '.join(get_args(Format))}, not {format!r:.40}."
        )
    if animated and format not in ANIMATED:
        raise BadParameters.one("animated", f"The formats with frames are {', '.join(ANIMATED)}.")
    for name, value, most in (("width", width, 8192), ("height", height, 8192), ("quality", quality, 100)):
        if value is not None and not 1 <= value <= most:
            raise BadParameters.one(name, f"{name} is a whole number from 1 to {most}, not {value}.")
    return crop(
        data,
        box.box if isinstance(box, Crop) else box,
        width=width,
        height=height,
        format=format,
        quality=quality,
        enlarge=enlarge,
        animated=animated,
        limits=limits_of(read_settings()),
    )
