"""`gazecrop.look`: from the picture that a program has to its saliency map."""

import os
import re
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gazecrop.crop.grid import SaliencyGrid
from gazecrop.errors import PictureError
from gazecrop.model import Model
from gazecrop.picture.decode import Limits
from gazecrop.picture.pil import file_of, thumbnail_of
from gazecrop.pipeline import analyse, as_record, limits_of
from gazecrop.python_api.picture import Picture
from gazecrop.settings import read_settings
from gazecrop.store.base import Record


class BinaryFile(Protocol):
    """An open file: `open(path, "rb")`, `io.BytesIO`, a member of a zip, and so on."""

    def read(self) -> bytes: ...


Source = str | os.PathLike[str] | bytes | BinaryFile | Image.Image | NDArray[np.uint8]

_SOURCES = (
    "gazecrop.look takes a path, the bytes of a picture file, a binary file object, a PIL image or a numpy array "
    "(height, width, 3) of uint8"
)
_URL = re.compile(r"[a-z][a-z0-9+.-]+://|data:", re.IGNORECASE)


def look(source: Source) -> Picture:
    """The saliency map of a picture: of a path, the bytes of a file, a binary file object (read from its position to
    the end), a PIL image, or a numpy array (height, width, 3) of uint8.

    Boxes are in pixels of the upright picture, for a file and for the PIL image of it alike. To cut one out of an image
    with an EXIF orientation, apply `PIL.ImageOps.exif_transpose` to the image first.

    Raises TypeError for another source, ValueError for a URL, OSError where the file cannot be read, PictureError where
    it is not a readable picture; at the first call SettingsError or ModelError.
    """
    opened = bytes_or_image(source)
    model, limits = _network()
    record = (
        _analyse_image(opened, model, limits)
        if isinstance(opened, Image.Image)
        else analyse(opened, model, limits)
    )
    grid = SaliencyGrid.from_code(record.code)
    return Picture(grid, record.model, record.format, model.calibration, record.frames)


def from_encoded(text: str) -> Picture:
    """From `Picture.encoded`, or from `saliency.encoded` of an HTTP answer. Raises ValueError for any other string."""
    return Picture(SaliencyGrid.from_text(text))


@lru_cache(maxsize=1)
def _network() -> tuple[Model, Limits]:
    settings = read_settings()
    return Model.load(settings), limits_of(settings)


def bytes_or_image(source: object) -> bytes | Image.Image:
    """The bytes of a file, or the image that is in memory. Raises as `look`."""
    if isinstance(source, (bytes, Image.Image)):
        return source
    if isinstance(source, np.ndarray):
        if source.dtype == np.uint8 and source.ndim == 3 and source.shape[2] == 3 and source.size:
            return Image.fromarray(np.ascontiguousarray(source))
        raise TypeError(f"{_SOURCES}, not an array of shape {source.shape} and dtype {source.dtype}")
    if isinstance(source, str) and _URL.match(source):
        raise ValueError(
            f"gazecrop.look fetches nothing: {source[:60]!r} is a URL. Give a path or the file's bytes."
        )
    if isinstance(source, (str, os.PathLike)):
        return Path(source).read_bytes()
    if callable(read := getattr(source, "read", None)):
        data = read()
        if isinstance(data, bytes):
            return data
        raise TypeError(f"{_SOURCES}, not a file object whose read() returns {type(data).__name__}")
    raise TypeError(f"{_SOURCES}, not {type(source).__name__}")


def _analyse_image(image: Image.Image, model: Model, limits: Limits) -> Record:
    if (file := file_of(image, model.shapes)) is not None:
        with suppress(PictureError):  # a format or a size that only Pillow reads
            return analyse(file, model, limits)
    thumbnail = thumbnail_of(image, model.shapes)
    prediction = None if thumbnail.flat else model.infer([thumbnail.pixels])[0]
    return as_record(thumbnail, prediction, model)
