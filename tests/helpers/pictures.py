"""Pictures drawn by code: a bright disc at a given place on a textured background."""

import io
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter


def draw(
    width: int = 640,
    height: int = 480,
    disc: tuple[float, float] | None = (0.3, 0.4),
    radius: float = 0.1,
    seed: int = 0,
) -> Image.Image:
    """An RGB picture. disc: its centre as fractions (None: no disc); radius: as a fraction of the shorter side."""
    rng = np.random.default_rng(seed)
    # Grey-green clouds with fine grain: a flat background would count as `flat`, pure noise is all edges.
    clouds = Image.fromarray(rng.integers(70, 130, (9, 12), dtype=np.uint8)).resize((width, height), 3)
    grain = rng.integers(-6, 7, (height, width), dtype=np.int16)
    grey = np.clip(np.asarray(clouds, dtype=np.int16) + grain, 0, 255).astype(np.uint8)
    picture = Image.merge("RGB", [Image.fromarray(grey // 10 * part) for part in (8, 10, 7)])
    if disc is not None:
        r = radius * min(width, height)
        x, y = disc[0] * width, disc[1] * height
        mask = Image.new("L", (width, height), 0)
        ImageDraw.Draw(mask).ellipse((x - r, y - r, x + r, y + r), fill=255)
        picture.paste((250, 210, 60), mask=mask.filter(ImageFilter.GaussianBlur(max(1, r / 12))))
    return picture


def encode(picture: Image.Image, format: str = "JPEG", **options: Any) -> bytes:
    """The picture as a file's bytes; options are Pillow's (quality, exif, progressive, ...)."""
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def jpeg(width: int = 640, height: int = 480, seed: int = 0) -> bytes:
    """A JPEG; another seed gives another picture and another id."""
    return encode(draw(width, height, seed=seed), quality=85)
