"""Conversions of pixel modes and colour spaces that Pillow leaves to the caller. Pure."""

from typing import cast

import numpy as np
from PIL import Image, ImageChops, ImageCms

FAINT = 240  # lighter colours can hardly be seen on white
MID_GREY = 128  # replaces transparent pixels: neither bright nor dark, so that it is not salient


def reducible(picture: Image.Image) -> Image.Image:
    """A mode of 8 bits whose values can be averaged: L, LA, RGB, RGBA, CMYK, YCbCr or LAB."""
    mode = picture.mode
    if mode == "CMYK" and picture.format == "JPEG" and "adobe" not in picture.info:
        # Pillow inverts every CMYK JPEG, but only Adobe's are stored inverted
        return ImageChops.invert(picture)
    if mode.startswith("I;16"):
        # Pillow's own conversion clips at 255: nearly all 16-bit values would become white
        samples = np.asarray(picture)
        grey = Image.fromarray((samples >> 8).astype(np.uint8))
        key = picture.info.get("transparency")
        if isinstance(key, int):  # the value of PNG that is transparent
            return Image.merge("LA", [grey, Image.fromarray((samples != key).astype(np.uint8) * 255)])
        return grey
    if mode in ("I", "F"):
        return _stretched(picture)
    if mode in ("P", "PA") or "transparency" in picture.info:
        return picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    if mode == "1":
        return picture.convert("L")
    if mode in ("La", "RGBa", "RGBX", "HSV"):
        return picture.convert({"La": "LA", "RGBa": "RGBA"}.get(mode, "RGB"))
    return picture


def _stretched(picture: Image.Image) -> Image.Image:
    """32-bit integers and floats have no defined white: maps the lowest finite value to black, the highest to white."""
    values = np.array(picture, dtype=np.float32)
    values *= np.float32(0.25)  # exact; keeps high - low finite for the widest possible range
    finite = np.isfinite(values)
    low = float(values.min(where=finite, initial=np.inf))
    high = float(values.max(where=finite, initial=-np.inf))
    if not low < high:
        return Image.new("L", picture.size, MID_GREY)
    np.nan_to_num(values, copy=False, nan=low, posinf=high, neginf=low)
    values -= low
    values *= 255 / (high - low)
    return Image.fromarray(values.astype(np.uint8))


def lab_to_rgb(picture: Image.Image) -> Image.Image:
    """CIE L*a*b* -> sRGB."""
    transform = ImageCms.buildTransform(
        ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB"
    )
    converted = ImageCms.applyTransform(picture, transform)
    assert converted is not None  # only in place is None
    return converted


def on_white(picture: Image.Image) -> Image.Image:
    """LA or RGBA -> RGB, composited on white; on mid-grey where white would show nothing, as of a white logo."""
    picture = picture.convert("RGBA")
    alpha = picture.getchannel("A")
    ground = Image.new("RGB", picture.size, "white")
    ground.paste(picture, mask=alpha)
    bands = cast(tuple[tuple[int, int], ...], ground.getextrema())
    if min(low for low, _ in bands) >= FAINT and alpha.getbbox():
        ground.paste((MID_GREY,) * 3, (0, 0, *picture.size))
        ground.paste(picture, mask=alpha)
    return ground
