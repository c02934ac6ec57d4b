"""Coding-independent code points (ITU-T H.273), by which PNG (cICP), AVIF and HEIC (nclx) declare colours. Pure.

The curves are those of browsers: BT.1886 (gamma 2.4) for the camera curves of BT.709 and its kin in a PNG.
"""

from typing import Final

from gazecrop.picture.icc import SRGB_CURVE, SRGB_PRIMARIES, Curve, Primaries, power

UNSPECIFIED: Final = 2
SRGB: Final = (1, 13)
PQ, HLG = 16, 18  # of the transfer characteristics
CAMERA_CURVES = (1, 6, 14, 15)  # BT.709, BT.601, BT.2020 of 10 and of 12 bits

# Table 2, ColourPrimaries
PRIMARIES: dict[int, Primaries] = {
    1: SRGB_PRIMARIES,
    4: (0.67, 0.33, 0.21, 0.71, 0.14, 0.08, 0.310, 0.316),
    5: (0.64, 0.33, 0.29, 0.60, 0.15, 0.06, 0.3127, 0.3290),
    6: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, 0.3127, 0.3290),
    7: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, 0.3127, 0.3290),
    8: (0.681, 0.319, 0.243, 0.692, 0.145, 0.049, 0.310, 0.316),
    9: (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.3290),
    10: (1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1 / 3, 1 / 3),
    11: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.314, 0.351),
    12: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290),
    22: (0.630, 0.340, 0.295, 0.605, 0.155, 0.077, 0.3127, 0.3290),
}

# Table 3, TransferCharacteristics, without PQ and HLG
CURVES: dict[int, Curve] = {
    **dict.fromkeys((*CAMERA_CURVES, 11), power(2.4)),
    4: power(2.2),
    5: power(2.8),
    7: (1 / 0.45, 1 / 1.1115, 0.1115 / 1.1115, 1 / 4, 0.0913, 0.0, 0.0),
    8: power(1.0),
    13: SRGB_CURVE,
    17: (2.6, (52.37 / 48) ** (1 / 2.6), 0.0, 0.0, 0.0, 0.0, 0.0),
}
