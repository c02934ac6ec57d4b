"""Covariates of a portrait besides its labels: brightness, colour, size and position of the face, skin tone. Pure.

Skin tone is the individual typology angle ITA = atan((L* - 50) / b*) in degrees (Chardonneret 1991; 55 and more very
light, below -30 dark) of the middle of the face. It is an ESTIMATE: light, camera and make-up change it.
"""

import numpy as np
from numpy.typing import NDArray

from gazecrop.audit.material.portraits import Box, Portrait, pixels

COVARIATES = (
    "brightness",
    "colour of the clothes",
    "skin tone (ITA, estimated)",
    "size of the face",
    "height of the face",
)
MIDDLE = (0.3, 0.25, 0.4, 0.5)  # assumed position of an unknown face: the usual one in portraits

_WHITE = np.array([0.95047, 1.0, 1.08883])  # D65
_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)


def lab(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """sRGB uint8[..., 3] -> CIE L*a*b* (D65)."""
    c = rgb / 255.0
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    t = linear @ _XYZ.T / _WHITE
    f = np.where(t > 216 / 24389, np.cbrt(t), (24389 / 27 * t + 16) / 116)
    return np.stack(
        [116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1
    )


def ita(colours: NDArray[np.float64]) -> float:
    """Of the median of L*a*b* [..., 3], in degrees."""
    lightness, _, yellow = np.median(colours.reshape(-1, 3), axis=0)
    return float(np.degrees(np.arctan2(lightness - 50, max(yellow, 1e-6))))


def covariates(portrait: Portrait) -> NDArray[np.float64]:
    """float[len(COVARIATES)]: mean L*, mean chroma below the face, ITA in degrees, and as fractions of the picture the
    height of the face and the distance of its centre from the top."""
    x, y, w, h = portrait.face or MIDDLE
    colours = lab(pixels(portrait.picture.reduce(max(1, min(portrait.picture.size) // 100))))
    skin = part(colours, skin_of((x, y, w, h)))
    clothes = part(colours, (0.0, min(y + 1.15 * h, 0.9), 1.0, 1.0))
    chroma = float(np.hypot(clothes[..., 1], clothes[..., 2]).mean())
    return np.array([colours[..., 0].mean(), chroma, ita(skin), h, y + h / 2])


def skin_of(face: Box) -> Box:
    """Cheeks and nose: no hair, no background."""
    x, y, w, h = face
    return x + 0.25 * w, y + 0.25 * h, 0.5 * w, 0.55 * h


def part(values: NDArray[np.float64], box: Box) -> NDArray[np.float64]:
    """The values in a box of fractions, at least one."""
    rows, columns = values.shape[:2]
    left, top = min(int(box[0] * columns), columns - 1), min(int(box[1] * rows), rows - 1)
    return values[
        top : max(top + 1, int((box[1] + box[3]) * rows)),
        left : max(left + 1, int((box[0] + box[2]) * columns)),
    ]
