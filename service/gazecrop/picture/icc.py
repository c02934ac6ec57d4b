"""ICC profiles (ICC.1:2022): which embedded ones are usable, and profiles of RGB written from primaries. Pure."""

import struct
from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import ImageCms

# x and y of red, green, blue and white
Primaries = tuple[float, float, float, float, float, float, float, float]
# g, a, b, c, d, e, f of the parametric curve of type 4 (10.18): (aX + b)^g + e from X = d on, cX + f below
Curve = tuple[float, float, float, float, float, float, float]

SRGB_PRIMARIES: Final = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)
SRGB_CURVE: Final = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045, 0.0, 0.0)
_D50 = np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_SPACES = (b"RGB ", b"GRAY", b"CMYK")


def power(gamma: float) -> Curve:
    """X^gamma."""
    return (gamma, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def usable(profile: bytes) -> bool:
    """Whether it is a whole profile of RGB, grey or CMYK (7.2 and 7.3: size, signature, tags) that LittleCMS reads."""
    if len(profile) < 132 or profile[36:40] != b"acsp" or profile[16:20] not in _SPACES:
        return False
    size, count = int.from_bytes(profile[:4]), int.from_bytes(profile[128:132])
    if not (132 <= size <= len(profile) and 0 < count <= 100 and 132 + 12 * count <= size):
        return False
    for at in range(132, 132 + 12 * count, 12):
        offset, length = struct.unpack_from(">II", profile, at + 4)
        if offset + length > size:
            return False
    try:
        ImageCms.ImageCmsProfile(BytesIO(profile))
    except (ImageCms.PyCMSError, OSError):
        return False
    return True


def to_xyz(primaries: Primaries) -> NDArray[np.float64]:
    """float64[3, 3]: linear RGB -> XYZ, white at Y = 1 (SMPTE RP 177). Raises ValueError for impossible primaries."""
    x, y = np.array(primaries).reshape(4, 2).T
    columns = np.stack([x, y, 1 - x - y])
    if not y[3] > 0 or abs(np.linalg.det(columns[:, :3])) < 1e-4:
        raise ValueError(f"primaries {primaries}")
    return np.asarray(columns[:, :3] * np.linalg.solve(columns[:, :3], columns[:, 3] / y[3]))


def matrix_profile(primaries: Primaries, curve: Curve) -> bytes:
    """A display profile (version 4.3, 0.5 kB) of one matrix and one curve; white adapted to D50 by Bradford. Raises
    ValueError for impossible primaries."""
    matrix = to_xyz(primaries)
    cones = _BRADFORD @ matrix.sum(axis=1)
    if not (cones > 0).all():
        raise ValueError(f"primaries {primaries}")
    adaptation = np.linalg.solve(_BRADFORD, np.diag(_BRADFORD @ _D50 / cones) @ _BRADFORD)
    red, green, blue = (adaptation @ matrix).T
    text = b"mluc" + struct.pack(">4xII2s2sII", 1, 12, b"en", b"US", 14, 28) + "matrix ".encode("utf-16-be")
    transfer = b"para" + struct.pack(">4xHxx", 4) + _fixed(*curve)
    tags = {
        b"desc": text,
        b"cprt": text,
        b"wtpt": b"XYZ " + bytes(4) + _fixed(*_D50),
        b"chad": b"sf32" + bytes(4) + _fixed(*adaptation.ravel()),
        b"rXYZ": b"XYZ " + bytes(4) + _fixed(*red),
        b"gXYZ": b"XYZ " + bytes(4) + _fixed(*green),
        b"bXYZ": b"XYZ " + bytes(4) + _fixed(*blue),
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), transfer),
    }
    table, blocks, first = b"", b"", 132 + 12 * len(tags)
    for signature, body in tags.items():
        table += struct.pack(">4sII", signature, first + len(blocks), len(body))
        blocks += body + bytes(-len(body) % 4)
    size = first + len(blocks)
    header = struct.pack(">I4xI4s4s4s12x4s28x", size, 0x04300000, b"mntr", b"RGB ", b"XYZ ", b"acsp")
    header += _fixed(*_D50)
    return header + bytes(128 - len(header)) + struct.pack(">I", len(tags)) + table + blocks


def _fixed(*values: float) -> bytes:
    """s15Fixed16Number (4.6)."""
    limit = 0x7FFFFFFF
    return struct.pack(f">{len(values)}i", *(max(-limit, min(limit, round(v * 65536))) for v in values))
