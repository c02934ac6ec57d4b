"""WebP (RFC 9649): size and orientation."""

import struct

from gazecrop.picture.containers.tiff import orientation_of
from gazecrop.picture.containers.walk import MAX_PARTS, Walk, too_many


def walk_webp(data: bytes, most: int = MAX_PARTS) -> Walk:
    """RFC 9649, 2.7; sizes in the bitstreams: RFC 6386, 9.1, and RFC 9649, 3.4."""
    walk = Walk()
    at = 12
    for _ in range(most):
        if at + 8 > len(data):
            break
        kind, length = struct.unpack_from("<4sI", data, at)
        body = at + 8
        if kind == b"ICCP" and not walk.colours.profile:
            walk.colours.profile = [slice(body, body + length)]
        if kind == b"EXIF":
            walk.orientation = orientation_of(data[body : body + length])
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
