"""PQ and HLG (ITU-R BT.2100) to sRGB, as browsers draw them on a display without HDR. Pure.

Tone map: the reference white operator of SMPTE ST 2094-50, annex C, for content that peaks at 1,000 cd/m2 (the
default of browsers; a file's own peak is not read) on a display whose peak is reference white, 203 cd/m2. The largest
of the linear BT.2020 components is halved up to reference white; from there a quadratic Bezier curve leads the peak to
white. All three components are scaled alike, which keeps the hue.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gazecrop.picture.icc import SRGB_PRIMARIES, Primaries, to_xyz

BT2020: Primaries = (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.3290)
_WHITE, _PEAK = 203.0, 1000.0  # cd/m2: reference white (BT.2408) and the content's peak
_BAND = 1 << 16  # pixels converted at once: 40 bytes of temporary arrays for each

Floats = NDArray[np.float32]


def hdr_to_srgb(picture: Image.Image, primaries: Primaries, *, hlg: bool) -> Image.Image:
    """RGB or RGBA of PQ or HLG code values with these primaries -> sRGB, the same alpha. About 60 ms a megapixel."""
    own, wide = to_xyz(primaries), to_xyz(BT2020)
    to_wide = (np.linalg.inv(wide) @ own).astype(np.float32)
    from_wide = (np.linalg.inv(to_xyz(SRGB_PRIMARIES)) @ wide).astype(np.float32)
    codes = np.linspace(0, 1, 256)
    light_of = (hlg_to_scene(codes) if hlg else pq_to_light(codes)).astype(np.float32)
    result = Image.new(picture.mode, picture.size)
    rows = max(1, _BAND // picture.width)
    for top in range(0, picture.height, rows):
        part = np.array(picture.crop((0, top, picture.width, min(top + rows, picture.height))))
        band = part.reshape(-1, part.shape[-1])
        light = light_of[band[:, :3].T]
        if hlg:
            light = scene_to_light(light, own[1].astype(np.float32))
        linear = _mixed(from_wide, tone_mapped(_mixed(to_wide, light)))
        band[:, :3] = _ENCODED[(linear.clip(0, 1) * 65535 + np.float32(0.5)).astype(np.uint16)].T
        result.paste(Image.fromarray(part), (0, top))
    return result


def _mixed(matrix: Floats, planes: Floats) -> Floats:
    """matrix @ planes for float32[3, n], without the threads of BLAS."""
    red, green, blue = planes
    return np.stack([row[0] * red + row[1] * green + row[2] * blue for row in matrix])


def pq_to_light(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """SMPTE ST 2084: code values 0 to 1 -> luminance in cd/m2."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    root = signal ** (1 / m2)
    return np.asarray(10_000 * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1))


def hlg_to_scene(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """BT.2100, the inverse OETF of HLG: code values 0 to 1 -> linear scene light 0 to 1."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)


def scene_to_light(scene: Floats, luminance: Floats) -> Floats:
    """BT.2100, the OOTF of HLG on a display of 1,000 cd/m2 (system gamma 1.2): scene light, float32[3, n] -> cd/m2.
    `luminance`: the weights of the three components."""
    bright = luminance[0] * scene[0] + luminance[1] * scene[1] + luminance[2] * scene[2]
    return np.asarray(scene * (np.float32(_PEAK) * bright ** np.float32(0.2)))


def tone_mapped(light: Floats) -> Floats:
    """cd/m2 of BT.2020 components, float32[3, n] -> linear, 1 being the display's white."""
    relative = light * np.float32(1 / _WHITE)
    top = np.maximum(np.maximum(relative[0], relative[1]), relative[2])
    # Bezier of (1, 0.5), (1.65, 0.825) and (peak, 1), at the parameter t where x is `top`
    peak = np.float32(_PEAK / _WHITE)
    square, linear = peak - np.float32(2.3), np.float32(1.3)
    t = (np.sqrt(linear**2 + 4 * square * (top - 1).clip(0, peak - 1)) - linear) / (2 * square)
    shoulder = np.float32(0.5) * (1 - t) ** 2 + np.float32(1.65) * t * (1 - t) + t**2
    return np.asarray(relative * np.where(top <= 1, np.float32(0.5), shoulder / np.maximum(top, 1)))


def _encoded() -> NDArray[np.uint8]:
    """uint8[65536]: linear 0 to 65535 -> sRGB (IEC 61966-2-1)."""
    linear = np.linspace(0, 1, 65_536)
    return (
        np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055) * 255 + 0.5
    ).astype(np.uint8)


_ENCODED = _encoded()
