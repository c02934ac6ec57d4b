"""Pixel modes and colour spaces, as far as Pillow leaves them to its users. Pure."""

from io import BytesIO

import numpy as np
from PIL import Image, ImageChops, ImageCms

MID_GREY = 128  # what transparent pixels show: neither bright nor dark, so that it attracts no gaze


def reducible(picture: Image.Image) -> Image.Image:
    """A mode of 8 bits whose values can be averaged: L, LA, RGB, RGBA, CMYK, YCbCr or LAB."""
    mode = picture.mode
    if mode == "CMYK" and picture.format == "JPEG" and "adobe" not in picture.info:
        # Pillow takes every CMYK JPEG for one of Adobe's, which are inverted
        return ImageChops.invert(picture)
    if mode.startswith("I;16"):
        # Pillow's own conversion clips at 255: a ramp of 16 bits would be white
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
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
    """Integers of 32 bits and floats have no agreed white: the lowest finite value is black, the highest white."""
    values = np.array(picture, dtype=np.float32)
    values *= np.float32(0.25)  # exact, and the widest range there is fits into 32 bits
    seen = np.isfinite(values)
    low = float(values.min(where=seen, initial=np.inf))
    high = float(values.max(where=seen, initial=-np.inf))
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


def cmyk_to_srgb(picture: Image.Image, profile: bytes) -> Image.Image:
    """Through the ICC profile of CMYK; naively where there is none (empty) or it is broken."""
    if profile:
        try:
            converted = ImageCms.profileToProfile(
                picture,
                ImageCms.ImageCmsProfile(BytesIO(profile)),
                ImageCms.createProfile("sRGB"),
                renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
                outputMode="RGB",
                flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
            )
        except (ImageCms.PyCMSError, OSError):
            converted = None  # a broken profile is as good as none
        if converted is not None:
            return converted
    return picture.convert("RGB")


def on_white(picture: Image.Image) -> Image.Image:
    """LA or RGBA -> RGB."""
    picture = picture.convert("RGBA")
    ground = Image.new("RGB", picture.size, "white")
    ground.paste(picture, mask=picture.getchannel("A"))
    return ground
