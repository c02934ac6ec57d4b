"""The colour space that a file declares, and the conversion from it to sRGB. Pure.

Order of precedence (PNG, third edition, 4.3; AVIF, 2.2): cICP, ICC profile, sRGB, gAMA with cHRM; of AVIF and HEIC the
ICC profile, then nclx. A declaration that is broken or unknown is skipped. Nothing declared is sRGB. What is declared
other than by ICC is turned into a profile, except PQ and HLG, which `hdr` converts.
"""

from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import Final

import numpy as np
from PIL import Image, ImageCms

from gazecrop.picture import cicp
from gazecrop.picture.containers.png import profile_of_chunk
from gazecrop.picture.containers.walk import Colours
from gazecrop.picture.hdr import hdr_to_srgb
from gazecrop.picture.icc import SRGB_PRIMARIES, Primaries, matrix_profile, power, usable

_MAX_PROFILE = 16 << 20  # bytes that are read; real ones have 0.5 kB to 3 MB, a JPEG has room for 16.7 MB
_MAX_CACHED = 1 << 16  # bytes of a profile whose transform is cached: building one takes 3 to 6 ms
_PERCEPTUAL_GAMMA = 1.8  # from here on 8 bits encode a picture without banding
_SAME = 2  # levels: a profile whose colours differ less from sRGB needs no conversion


@dataclass(frozen=True, slots=True)
class Space:
    """`profile`: a usable ICC profile of RGB, grey or CMYK; empty: sRGB. `keep`: RGB pixels may be stored as they are,
    with the profile. `hdr`: the primaries of PQ, or with `hlg` of HLG, instead of a profile. `grey`: the decoder makes
    RGB of grey pictures too (AVIF), so that a profile of grey applies to RGB."""

    profile: bytes = b""
    keep: bool = True
    hdr: Primaries | None = None
    hlg: bool = False
    grey: bool = False

    @property
    def of(self) -> bytes:
        """The colour model of the profile's pixels: b"RGB ", b"GRAY", b"CMYK" or b""."""
        return self.profile[16:20]


SRGB: Final = Space()


def space_of(data: bytes, colours: Colours) -> Space:
    """The space that a container declares. Never raises."""
    if colours.code_points:
        space = _of_code_points(*colours.code_points)
        if space is not None:
            return space
    profile = _embedded(data, colours)
    if usable(profile):
        return Space(profile[: int.from_bytes(profile[:4])], grey=colours.grey_as_rgb)
    return _of_gamma(colours)


def space_of_image(picture: Image.Image) -> Space:
    """The space of a PIL image, by the ICC profile, gAMA and cHRM in its `info`, which lacks code points."""
    info = picture.info
    profile = info.get("icc_profile")
    if isinstance(profile, bytes) and usable(profile):
        return Space(profile, grey=picture.format in ("AVIF", "HEIF"))
    colours = Colours(srgb="srgb" in info)
    gamma, primaries = info.get("gamma"), info.get("chromaticity")
    if isinstance(gamma, float):
        colours.gamma = gamma
    if isinstance(primaries, tuple) and len(primaries) == 8 and all(primaries):
        colours.primaries = (*primaries[2:], *primaries[:2])
    return _of_gamma(colours)


def to_srgb(picture: Image.Image, space: Space) -> Image.Image:
    """L, LA, RGB, RGBA or CMYK -> the same in sRGB, CMYK as RGB. What the profile does not fit stays as it is: browsers
    apply a profile of RGB to grey pixels too, of grey to grey only, of CMYK to CMYK only. Here black ink goes through
    the profile of CMYK, whereas Chromium 156 mixes it into the other inks first and shows it as dark grey."""
    grey, model = picture.mode in ("L", "LA"), space.of
    if space.hdr is not None:
        if picture.mode not in ("RGB", "RGBA"):
            picture = picture.convert("RGBA" if picture.mode == "LA" else "RGB")
        return hdr_to_srgb(picture, space.hdr, hlg=space.hlg)
    if picture.mode == "CMYK":
        return _applied(picture, space.profile if model == b"CMYK" else b"").convert("RGB")
    if grey and model in (b"RGB ", b"GRAY") or space.grey and model == b"GRAY":
        tables = [list(range(256)) if band == "A" else _curve(space.profile) for band in picture.getbands()]
        return picture.point([level for table in tables for level in table])
    return _applied(picture, space.profile if model == b"RGB " and not grey else b"")


def _of_code_points(primaries: int, transfer: int) -> Space | None:
    """None: unknown or unspecified."""
    if primaries not in cicp.PRIMARIES:
        return None
    if (primaries, transfer) == cicp.SRGB:
        return SRGB
    chromaticities = cicp.PRIMARIES[primaries]
    if transfer in (cicp.PQ, cicp.HLG):
        return Space(hdr=chromaticities, hlg=transfer == cicp.HLG)
    curve = cicp.CURVES.get(transfer)
    return (
        None
        if curve is None
        else Space(matrix_profile(chromaticities, curve), keep=curve[0] >= _PERCEPTUAL_GAMMA)
    )


def _of_gamma(colours: Colours) -> Space:
    """The space of the chunks gAMA and cHRM, which sRGB overrides."""
    if colours.srgb or colours.gamma <= 0:
        return SRGB
    if (
        not colours.primaries and abs(colours.gamma * 2.2 - 1) <= 0.05
    ):  # libpng's threshold: taken for sRGB's own
        return SRGB
    gamma = 1 / colours.gamma
    try:
        profile = matrix_profile(colours.primaries or SRGB_PRIMARIES, power(gamma))
    except ValueError:
        return SRGB
    return Space(profile, keep=gamma >= _PERCEPTUAL_GAMMA)


def _embedded(data: bytes, colours: Colours) -> bytes:
    """The ICC profile; empty if there is none, if it is broken or too large."""
    view = memoryview(data)
    profile = b"".join(view[part] for part in colours.profile)
    if colours.in_chunk:
        return profile_of_chunk(profile, _MAX_PROFILE)
    return profile if len(profile) <= _MAX_PROFILE else b""


def _applied(picture: Image.Image, profile: bytes) -> Image.Image:
    if not profile:
        return picture
    find = _transform if len(profile) <= _MAX_CACHED else _transform.__wrapped__
    transform = find(profile, picture.mode)
    converted = None if transform is None else ImageCms.applyTransform(picture, transform)
    return picture if converted is None else converted


@lru_cache(maxsize=32)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From `mode` in the profile's space to sRGB, by the perceptual intent, as browsers do. None: the colours are those
    of sRGB, or the profile lacks what a transform needs."""
    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB" if mode in ("CMYK", "L") else mode,
            ImageCms.Intent.PERCEPTUAL,
            ImageCms.Flags.NOCACHE,  # the cache of one pixel is not shared by threads
        )
        if mode in ("CMYK", "L"):
            return transform
        steps = np.linspace(0, 255, 9).astype(np.uint8)
        sample = np.stack(np.meshgrid(*[steps] * len(mode), indexing="ij"), -1).reshape(9, -1, len(mode))
        converted = ImageCms.applyTransform(Image.fromarray(sample), transform)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
    moved = np.abs(np.asarray(converted, dtype=np.int16) - sample).max()
    return transform if moved > _SAME else None


def _curve(profile: bytes) -> list[int]:
    """The level in sRGB of each of 256 levels of grey in the profile's space."""
    levels = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    ramp = levels if profile[16:20] == b"GRAY" else levels.convert("RGB")
    return list(_applied(ramp, profile).convert("RGB").getchannel("G").tobytes())
