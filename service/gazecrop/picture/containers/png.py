"""PNG, third edition: size, orientation and the chunks that the pixels depend on."""

import struct

from gazecrop.picture.containers.tiff import orientation_of
from gazecrop.picture.containers.walk import MAX_PARTS, Walk, too_many


def walk_png(data: bytes, most: int = MAX_PARTS) -> Walk:
    """PNG, third edition, 5 (chunks) and 11.3.3.6 (eXIf, which may follow the pixels)."""
    walk = Walk(parts=[slice(0, 8)])
    at = 8
    for _ in range(most):
        if at + 8 > len(data):
            break
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if kind == b"IHDR" and not walk.width:  # Pillow would use the last of several
            walk.width, walk.height = struct.unpack_from(">II", data, at + 8)
            walk.parts.append(slice(at, end))
        elif kind in (b"PLTE", b"tRNS", b"IDAT", b"IEND"):
            walk.parts.append(slice(at, end))
        elif kind == b"iCCP":
            walk.profile = [slice(at, end)]
        elif kind == b"eXIf":
            walk.orientation = orientation_of(data[at + 8 : end - 4])
        if kind == b"IEND":
            break
        at = end
    else:
        raise too_many(most)
    return walk
