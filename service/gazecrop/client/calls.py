"""The calls of the API as values, which both clients send: no network here."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Generic, TypeVar
from urllib.parse import quote

import httpx

from gazecrop.client import results
from gazecrop.errors import BadParameters

T = TypeVar("T")
Picture = bytes | str | os.PathLike[str] | BinaryIO
Value = str | int | float | bool | Sequence[str] | Sequence[float] | Sequence[Sequence[float]] | None
REPEATED = {"keep", "avoid", "overlay"}  # lists of boxes, one parameter for each


@dataclass(frozen=True)
class Call(Generic[T]):
    """repeatable: the same call may be sent twice with the result of one."""

    method: str
    path: str
    read: Callable[[httpx.Response], T]
    query: list[tuple[str, str]] = field(default_factory=list)
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = True


def query_of(parameters: Mapping[str, Value]) -> list[tuple[str, str]]:
    """Parameters as the API reads them: lists joined by commas, `keep`, `avoid` and `overlay` one for each box. Those
    that are None are left out."""
    found = []
    for name, value in parameters.items():
        if value is None:
            continue
        boxes = isinstance(value, Sequence) and not isinstance(value, str) and name in REPEATED
        nested = boxes and value and not isinstance(value[0], int | float | str)  # type: ignore[index]
        found += [(name, _text(each)) for each in (value if nested else [value])]  # type: ignore[union-attr]
    return found


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.9f}".rstrip("0").rstrip(".")  # never an exponent
    if isinstance(value, str | int):
        return str(value)
    return ",".join(map(_text, value))


def _body(picture: Picture | None, url: str | None) -> tuple[bytes, dict[str, str]]:
    """The bytes of a picture and the headers that describe them. Raises TypeError, OSError."""
    if (picture is None) == (url is None):
        raise TypeError("give either a picture or url=")
    if url is not None:
        return json.dumps({"url": url}).encode(), {"Content-Type": "application/json"}
    if isinstance(picture, bytes | bytearray | memoryview):
        data = bytes(picture)
    elif isinstance(picture, str | os.PathLike):
        data = Path(picture).read_bytes()
    else:
        assert picture is not None
        data = picture.read()
    return data, {"Content-Type": "application/octet-stream"}


def _post(
    path: str,
    read: Callable[[httpx.Response], T],
    picture: Picture | None,
    url: str | None,
    parameters: Mapping[str, Value],
) -> Call[T]:
    content, headers = _body(picture, url)
    return Call("POST", path, read, query_of(parameters), content, headers)


def _at(id: str, *steps: str) -> str:
    """The path of a picture's resource. Raises BadParameters: a slash, though encoded, would lead to another one."""
    for step in (id, *steps):
        if not step or "/" in step or step in (".", ".."):
            raise BadParameters.one(
                "id" if step is id else "ratio", f"{step[:40]!r} is not one step of a path."
            )
    return "/".join(("/v1/images", *(quote(step, safe=":.") for step in (id, *steps))))


def upload(picture: Picture | None, url: str | None, parameters: Mapping[str, Value]) -> Call[results.Image]:
    return _post("/v1/images", results.read_image, picture, url, parameters)


def render(
    picture: Picture | None, url: str | None, parameters: Mapping[str, Value]
) -> Call[results.Rendered]:
    return _post("/v1/crop", results.read_rendered, picture, url, parameters)


def explain(
    picture: Picture | None, url: str | None, parameters: Mapping[str, Value]
) -> Call[results.Rendered]:
    return _post("/v1/explain", results.read_rendered, picture, url, parameters)


def image(id: str, parameters: Mapping[str, Value]) -> Call[results.Image]:
    return Call("GET", _at(id), results.read_image, query_of(parameters))


def crops(id: str, parameters: Mapping[str, Value]) -> Call[tuple[results.Crop, ...]]:
    return Call("GET", _at(id, "crops"), results.read_crops, query_of(parameters))


def crop(id: str, ratio: str, parameters: Mapping[str, Value]) -> Call[results.Crop]:
    return Call("GET", _at(id, "crops", ratio), results.read_crop, query_of(parameters))


def saliency(id: str) -> Call[results.Saliency]:
    return Call("GET", _at(id, "saliency"), results.read_saliency, headers={"Accept": "application/json"})


def heat_map(id: str) -> Call[bytes]:
    return Call("GET", _at(id, "saliency"), results.read_bytes, headers={"Accept": "image/png"})


def focus(id: str, profile: str | None) -> Call[results.Focus]:
    return Call("GET", _at(id, "focus"), results.read_focus, query_of({"profile": profile}))


def set_focus(id: str, x: float, y: float, profile: str | None, if_match: str | None) -> Call[results.Focus]:
    headers = {"Content-Type": "application/json"} | ({"If-Match": if_match} if if_match else {})
    content = json.dumps({"x": x, "y": y}).encode()
    # With a condition the second of two would fail by the first.
    repeatable = if_match is None
    query = query_of({"profile": profile})
    return Call("PUT", _at(id, "focus"), results.read_focus, query, content, headers, repeatable)


def delete_focus(id: str, profile: str | None, if_match: str | None) -> Call[None]:
    headers = {"If-Match": if_match} if if_match else {}
    query = query_of({"profile": profile})
    return Call(
        "DELETE", _at(id, "focus"), results.read_nothing, query, None, headers, repeatable=if_match is None
    )


def delete(id: str) -> Call[None]:
    return Call("DELETE", _at(id), results.read_nothing)
