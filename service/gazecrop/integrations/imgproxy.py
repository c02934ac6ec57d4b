"""Addresses of imgproxy (3 and 4) that cut a picture where Gazecrop does, signed.

    from gazecrop.integrations.imgproxy import Imgproxy

    imgproxy = Imgproxy("https://img.example.com", key="736563726574", salt="68656C6C6F")
    imgproxy.url("s3://photos/cat.jpg", crop, width=800, format="webp")

`crop` is a crop of the HTTP API's JSON, or `gazecrop.Crop`. imgproxy turns a picture by its EXIF before it cuts, so
boxes are in the same frame. Sources: https://docs.imgproxy.net/usage/processing and /usage/signing_url.
"""

import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any, Literal

_NAME = re.compile(r"[a-z0-9]{1,8}")
LARGEST = 65535  # pixels a side


class Imgproxy:
    """`base`: imgproxy's address. `key`, `salt`: hexadecimal, as IMGPROXY_KEY and IMGPROXY_SALT; without them the
    addresses are unsigned. `signature_size`: bytes, as IMGPROXY_SIGNATURE_SIZE. Raises ValueError."""

    def __init__(self, base: str, *, key: str = "", salt: str = "", signature_size: int = 32) -> None:
        if bool(key) != bool(salt):
            raise ValueError("imgproxy signs with a key and a salt: give both or none")
        if not 1 <= signature_size <= 32:
            raise ValueError(f"a signature has 1 to 32 bytes, not {signature_size}")
        self._base = base.rstrip("/")
        self._key, self._salt = bytes.fromhex(key), bytes.fromhex(salt)
        self._size = signature_size

    def sign(self, path: str) -> str:
        """The signature of a path that begins with a slash: URL-safe Base64 of HMAC-SHA256 over salt and path."""
        if not self._key:
            return "unsafe"
        digest = hmac.new(self._key, self._salt + path.encode(), sha256).digest()
        return _base64(digest[: self._size])

    def url(
        self,
        source: str,
        crop: Any,
        *,
        width: int = 0,
        height: int = 0,
        by: Literal["box", "point"] = "box",
        format: str = "",
        options: Iterable[str] = (),
    ) -> str:
        """The address of the crop of `source`, the picture's address as imgproxy reads it.

        `width`, `height`: of the output in pixels; one of them scales the box, both fill that size from it; none gives
        the box's own size. Nothing is enlarged. `by`: "box" cuts exactly the box. "point" gives imgproxy the box's
        middle and the output's size, both of which are needed: for a source that is replaced by one of another
        resolution. `format`: the output's extension. `options`: further processing options, such as "q:80".
        Raises ValueError.
        """
        for name, side in (("width", width), ("height", height)):
            if not 0 <= side <= LARGEST:
                raise ValueError(f"{name} is 0 to {LARGEST}, not {side}")
        if format and not _NAME.fullmatch(format):
            raise ValueError(f"{format!r:.40} is not an extension such as webp")
        steps = _point_steps(crop, width, height) if by == "point" else _box_steps(crop, width, height)
        path = "/" + "/".join([*steps, *options, _base64(source.encode())]) + (f".{format}" if format else "")
        return f"{self._base}/{self.sign(path)}{path}"

    def srcset(self, source: str, crop: Any, widths: Iterable[int], **how: Any) -> str:
        """The value of `srcset` for these widths, without those that are wider than the box. `how`: as of `url`."""
        widest = _box(crop)[2]
        sizes = sorted({min(width, widest) for width in widths})
        return ", ".join(f"{self.url(source, crop, width=width, **how)} {width}w" for width in sizes)


def _box_steps(crop: Any, width: int, height: int) -> list[str]:
    x, y, wide, high = _box(crop)
    cut = f"c:{wide}:{high}:nowe:{x}:{y}"
    if not width and not height:
        return [cut]
    return [cut, f"rs:{'fill' if width and height else 'fit'}:{width}:{height}"]


def _point_steps(crop: Any, width: int, height: int) -> list[str]:
    if not width or not height:
        raise ValueError('by="point" needs the width and the height of the output')
    x, y, wide, high = _normalized(crop)
    return [f"rs:fill:{width}:{height}", f"g:fp:{x + wide / 2:.6g}:{y + high / 2:.6g}"]


def _box(crop: Any) -> tuple[int, int, int, int]:
    """x, y, width, height in pixels."""
    box = crop["box"] if isinstance(crop, Mapping) else crop.box
    if isinstance(box, Mapping):
        return int(box["x"]), int(box["y"]), int(box["width"]), int(box["height"])
    return int(box.x), int(box.y), int(box.width), int(box.height)


def _normalized(crop: Any) -> tuple[float, float, float, float]:
    """The same in fractions of the picture."""
    part = crop["normalized"] if isinstance(crop, Mapping) else crop.normalized
    if isinstance(part, Mapping):
        return float(part["x"]), float(part["y"]), float(part["width"]), float(part["height"])
    return float(part.x), float(part.y), float(part.width), float(part.height)


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
