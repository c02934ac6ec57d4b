"""A detector for thumbor 7: `smart` in its addresses cuts where Gazecrop does. In thumbor.conf:

    DETECTORS = ["gazecrop.integrations.thumbor"]
    GAZECROP_URL = "http://127.0.0.1:8000"  # of the service; without it the network runs in thumbor's own process

thumbor centres its box at the centre of mass of its focal points, as far as the picture allows. For an address with a
width and a height the detector gives one point, the middle of Gazecrop's crop of that ratio, so that thumbor's box is
that crop. For one without (`/meta/smart/`) it gives the salient points, weighted by their scores.

Where Gazecrop fails, the next detector of the list decides, and the log has a warning. As after other failed detections
thumbor then neither stores the result nor lets it be cached.
"""

import json
from collections import OrderedDict
from hashlib import blake2b
from io import BytesIO
from threading import Lock
from typing import Any, NamedTuple
from urllib.parse import urlencode

from PIL import Image
from thumbor.config import Config
from thumbor.detectors import BaseDetector
from thumbor.point import FocalPoint
from thumbor.utils import logger
from tornado.httpclient import AsyncHTTPClient, HTTPClientError

GROUP = "Gazecrop"
Config.define("GAZECROP_URL", None, "Gazecrop's address; None: the network runs in this process.", GROUP)
Config.define("GAZECROP_API_KEY", None, "One of the service's GAZECROP_API_KEYS.", GROUP)
Config.define("GAZECROP_TIMEOUT", 5.0, "Seconds until the next detector is used instead.", GROUP)

WIDEST = 20  # Gazecrop's ratios are from 1:20 to 20:1
PIXELS = 1024  # the longer side of a picture that is encoded for Gazecrop; the network's input is smaller
REFUSED = (413, 415, 422)  # the service does not read this picture
KEPT = 1024  # maps of the last pictures in this process, about 10 kB each


class Refused(Exception):
    """Gazecrop does not read this picture: another attempt would fail, too."""


class Seen(NamedTuple):
    """`size`: of the upright picture. `points`: x, y, width, height and weight, in pixels of it."""

    size: tuple[int, int]
    points: list[tuple[float, float, float, float, float]]


class Detector(BaseDetector):
    async def detect(self) -> None:
        modules, request = self.context.modules, self.context.request
        modules.storage = WithoutFocalPoints(modules.storage)
        try:
            request.focal_points += await self._focal_points()
            return
        except Refused as error:
            logger.warning("[gazecrop] %s: %s; the next detector is used", request.image_url, error)
        except Exception as error:
            logger.warning("[gazecrop] %s: %r; the next detector is used", request.image_url, error)
            request.prevent_result_storage = request.detection_error = True
        await self.next()

    async def _focal_points(self) -> list[FocalPoint]:
        engine, area = self.context.request.engine, self._area()
        size = tuple(engine.size) if area is None else (area[2] - area[0], area[3] - area[1])
        ratio = self._ratio(size)
        seen = None
        # The file itself, so that it has the id of an upload, and a person's focal point. Where thumbor shows a turned
        # picture as it is stored, or has trimmed, scaled or cut it, its pixels are analysed.
        if area is None and engine.get_orientation() in (None, 0, 1) and (data := await self._file()):
            try:
                seen = await self._look(data, ratio)
            except Refused:
                seen = None
        if seen is None or seen.size != size:
            seen = await self._look(encoded(engine.image, area), ratio)
        across, down = size[0] / seen.size[0], size[1] / seen.size[1]
        left, top = area[:2] if area else (0, 0)
        return [
            FocalPoint(
                left + x * across, top + y * down, height * down, width * across, weight, origin="gazecrop"
            )
            for x, y, width, height, weight in seen.points
        ]

    def _area(self) -> tuple[int, int, int, int] | None:
        """The part of the picture that the address cuts out before `smart` applies."""
        request, (width, height) = self.context.request, self.context.request.engine.size
        if not request.should_crop:
            return None
        crop = request.crop
        left, right = (min(max(int(crop[side]), 0), width) for side in ("left", "right"))
        top, bottom = (min(max(int(crop[side]), 0), height) for side in ("top", "bottom"))
        return (left, top, right, bottom) if left < right and top < bottom else None

    def _ratio(self, size: tuple[int, int]) -> str | None:
        """`600:400`; None where the address does not state both sides, or nothing is cut."""
        request = self.context.request
        wanted = zip((request.width, request.height), size, strict=True)
        width, height = (side if asked == "orig" else int(asked or 0) for asked, side in wanted)
        if not width or not height or request.fit_in:
            return None
        width = min(max(width, -(-height // WIDEST)), height * WIDEST)
        return f"{width}:{min(height, width * WIDEST)}"

    async def _file(self) -> bytes | None:
        """The picture's file: of an image whose pixels are not decoded yet, else from thumbor's storage."""
        opened = getattr(self.context.request.engine.image, "fp", None)
        if isinstance(opened, BytesIO):
            return opened.getvalue()
        stored = await self.context.modules.storage.get(self.context.request.image_url)
        return stored if isinstance(stored, bytes) else None

    async def _look(self, data: bytes, ratio: str | None) -> Seen:
        config = self.context.config
        if config.GAZECROP_URL:
            return await ask(
                data, ratio, config.GAZECROP_URL, config.GAZECROP_API_KEY, float(config.GAZECROP_TIMEOUT)
            )
        seen: Seen = await self.context.thread_pool.queue(look, data, ratio)
        return seen


class WithoutFocalPoints:
    """The storage of one request that keeps no focal points: thumbor keeps them by the picture's address alone, and
    these are of one ratio, or of a detector that was used instead."""

    def __init__(self, storage: Any) -> None:
        self._storage = storage

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    async def put_detector_data(self, path: str, _data: Any) -> str:
        return path


def encoded(image: Image.Image, area: tuple[int, int, int, int] | None) -> bytes:
    """A file of the image, or of an area of it, of at most PIXELS x PIXELS. The image is not changed."""
    small = image.copy() if area is None else image.crop(area)
    opaque = small.mode != "P" and "A" not in small.mode
    small = small.convert("RGB" if opaque else "RGBA")
    small.thumbnail((PIXELS, PIXELS))
    buffer = BytesIO()
    small.save(buffer, "JPEG" if opaque else "PNG", **({"quality": 90} if opaque else {"compress_level": 1}))
    return buffer.getvalue()


async def ask(data: bytes, ratio: str | None, url: str, key: str | None, timeout: float) -> Seen:
    """From the service. Raises Refused; OSError and HTTPClientError where it does not answer."""
    headers = {"Content-Type": "application/octet-stream"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    query = urlencode({"ratios": ratio or "1:1"})
    try:
        answer = await AsyncHTTPClient().fetch(
            f"{url.rstrip('/')}/v1/images?{query}",
            method="POST",
            body=data,
            headers=headers,
            connect_timeout=timeout,
            request_timeout=timeout,
            follow_redirects=False,
        )
    except HTTPClientError as error:
        if error.code in REFUSED and error.response is not None:
            raise Refused(error.response.body.decode(errors="replace")[:200]) from None
        raise
    document = json.loads(answer.body)
    image = document["image"]
    if ratio is None:
        points = [(point["x"], point["y"], point["score"]) for point in document["points"]]
        return scattered(image["width"], image["height"], points)
    box = document["crops"][0]["box"]
    return boxed(image["width"], image["height"], box["x"], box["y"], box["width"], box["height"])


_maps: OrderedDict[bytes, Any] = OrderedDict()
_lock = Lock()


def look(data: bytes, ratio: str | None) -> Seen:
    """In this process. A picture that is asked for in several sizes is analysed once. Raises Refused."""
    import gazecrop

    digest = blake2b(data, digest_size=16).digest()
    with _lock:
        picture = _maps.pop(digest, None)
    if picture is None:
        try:
            picture = gazecrop.look(data)
        except gazecrop.PictureError as error:
            raise Refused(str(error)) from None
    with _lock:
        _maps[digest] = picture
        if len(_maps) > KEPT:
            _maps.popitem(last=False)
    if ratio is None:
        points = [(point.x, point.y, point.score) for point in picture.points]
        return scattered(picture.width, picture.height, points)
    return boxed(picture.width, picture.height, *picture.crop(ratio).box)


def boxed(wide: int, high: int, x: int, y: int, width: int, height: int) -> Seen:
    # thumbor rounds the point down
    return Seen((wide, high), [(x + width / 2, y + height / 2, width, height, 1.0)])


def scattered(wide: int, high: int, points: list[tuple[float, float, float]]) -> Seen:
    """The points in fractions, with scores from 0 to 1; thumbor keeps weights as whole numbers."""
    return Seen((wide, high), [(x * wide, y * high, 1, 1, round(100 * score)) for x, y, score in points])
