"""The result of one picture as a JSON line: the API's image document without the id and version, or the error."""

from typing import Any

import orjson

from gazecrop.console.names import name_fields, printable
from gazecrop.crop.answers import document
from gazecrop.crop.cropping import Crop
from gazecrop.crop.params import Wanted
from gazecrop.errors import GazecropError
from gazecrop.pipeline import Picture


def crops_of(picture: Picture, wanted: Wanted) -> list[Crop]:
    return [picture.cropper.crop(ratio, wanted.options) for ratio in wanted.ratios]


def row(name: str, picture: Picture, crops: list[Crop]) -> dict[str, Any]:
    record, cropper = picture.record, picture.cropper
    answer = document(
        "",
        "",
        record.model,
        record.format,
        cropper,
        None,
        crops,
        orientation=record.orientation,
        frames=record.frames,
    )
    del answer["id"], answer["version"]
    return name_fields(name) | answer


def failure(name: str, error: Exception) -> dict[str, Any]:
    """The line of a picture that could not be read."""
    if isinstance(error, GazecropError):
        problem = error.problem()
        found = {"type": problem["type"], "detail": problem.get("detail", error.title)}
    elif isinstance(error, OSError):
        found = {"type": "/problems/file_unreadable", "detail": printable(error.strerror or str(error))}
    else:
        found = {"type": "/problems/internal_error", "detail": printable(repr(error))}
    return {**name_fields(name), "error": found}


def line(answer: dict[str, Any]) -> bytes:
    return orjson.dumps(answer, option=orjson.OPT_APPEND_NEWLINE)
