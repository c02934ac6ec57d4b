"""WebP (RFC 9649): size and orientation."""

import struct

from gazecrop.picture.containers.ifd import orientation_of
from gazecrop.picture.containers.walk import MAX_PARTS, Frame, Walk, too_many


def walk_webp(data: bytes, most: int = MAX_PARTS) -> Walk:
    """RFC 9649, 2.7; sizes in the bitstreams: RFC 6386, 9.1, and RFC 9649, 3.4."""
    walk = Walk()
    at, frames = 12, 0
    for _ in range(most):
        if at + 8 > len(data):
            break
        kind, length = struct.unpack_from("<4sI", data, at)
        body = at + 8
        if kind == b"ICCP" and not walk.colours.profile:
            walk.colours.profile = [slice(body, body + length)]
        if kind == b"EXIF":
            walk.orientation = orientation_of(data[body : body + length])
        if kind == b"ANMF" and not frames:
            frames += 1
            walk.frame = _frame(data, body, min(body + length, len(data)), walk)
        if not walk.width:
            if kind == b"VP8X":
                walk.width = 1 + int.from_bytes(data[body + 4 : body + 7], "little")
                walk.height = 1 + int.from_bytes(data[body + 7 : body + 10], "little")
            elif kind == b"VP8L":
                bits = int.from_bytes(data[body + 1 : body + 5], "little")
                walk.width, walk.height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
            elif kind == b"VP8 ":
                width, height = struct.unpack_from("<HH", data, body + 6)
                walk.width, walk.height = width & 0x3FFF, height & 0x3FFF
        at = body + length + (length & 1)
    else:
        raise too_many(most)
    return walk


def _frame(data: bytes, start: int, end: int, walk: Walk) -> Frame | None:
    """2.7.1.1, ANMF: None if it fills the canvas. Raises ValueError if it reaches beyond it."""
    x, y, width, height = (int.from_bytes(data[at : at + 3], "little") for at in range(start, start + 12, 3))
    x, y, width, height = 2 * x, 2 * y, width + 1, height + 1
    if x + width > walk.width or y + height > walk.height:
        raise ValueError("a frame beyond the canvas")
    if (width, height) == (walk.width, walk.height):
        return None
    parts = []
    at = start + 16
    for _ in range(8):  # alpha, the bitstream, and unknown ones
        if at + 8 > end:
            break
        kind, length = struct.unpack_from("<4sI", data, at)
        after = at + 8 + length + (length & 1)
        if kind in (b"ALPH", b"VP8 ", b"VP8L"):
            parts.append(slice(at, after))
        at = after
    return Frame(x, y, width, height, parts)
