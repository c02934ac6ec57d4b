"""GIF89a: size of the first image and the blocks that it depends on."""

import struct

from gazecrop.picture.containers.walk import MAX_PARTS, Frame, Walk, too_many


def walk_gif(data: bytes, most: int = MAX_PARTS) -> Walk:
    """GIF89a, 18 to 23: up to the first image, which may exceed the logical screen."""
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    walk = Walk(parts=[slice(0, at)])
    blocks = 0
    while data[at] == 0x21:  # extensions
        start, control = at, data[at + 1] == 0xF9
        at += 2
        blocks += 1
        while length := data[at]:
            at += 1 + length
            blocks += 1
            if blocks > most:
                raise too_many(most)
        at += 1
        if control:  # its transparent colour applies to the image that follows
            walk.parts.append(slice(start, at))
    if data[at] == 0x2C:
        x, y, columns, rows = struct.unpack_from("<HHHH", data, at + 1)
        walk.width, walk.height = max(width, x + columns), max(height, y + rows)
        walk.parts.append(slice(at, None))
        if (columns, rows) != (walk.width, walk.height):
            walk.frame = Frame(x, y, columns, rows, [])
        return walk
    raise ValueError("no picture")
