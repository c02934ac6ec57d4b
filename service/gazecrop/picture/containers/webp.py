"""WebP (RFC 9649): size, orientation, and the frames of an animation."""

import struct

from gazecrop.picture.containers.ifd import orientation_of
from gazecrop.picture.containers.walk import (
    MAX_PARTS,
    MOST_FRAMES,
    QUICK_FRAMES,
    Disposal,
    Frame,
    Lengthy,
    Walk,
    too_many,
)


def walk_webp(data: bytes, most: int = MAX_PARTS) -> Walk:
    """RFC 9649, 2.7; sizes in the bitstreams: RFC 6386, 9.1, and RFC 9649, 3.4."""
    walk = Walk(mode="RGB")
    at, count, ended = 12, 0, False
    frames: list[Frame] = []
    for _ in range(most):
        if at + 8 > len(data):
            break
        kind, length = struct.unpack_from("<4sI", data, at)
        body = at + 8
        if kind == b"ICCP" and not walk.colours.profile:
            walk.colours.profile = [slice(body, body + length)]
        if kind == b"EXIF":
            walk.orientation = orientation_of(data[body : body + length])
        if kind == b"ANIM":
            walk.plays = int.from_bytes(data[body + 4 : body + 6], "little")
        if kind == b"ANMF" and not ended:
            count += 1
            if count == 1:
                walk.frame = _first(data, body, min(body + length, len(data)), walk)
            if count > QUICK_FRAMES and most < MAX_PARTS:
                raise Lengthy
            if count <= MOST_FRAMES:
                frame = _frame(data, body, body + length) if body + length <= len(data) else None
                ended = frame is None or not _inside(frame, walk)
                if frame is not None and not ended:
                    frames.append(frame)
        if not walk.width:
            if kind == b"VP8X":
                walk.mode = "RGBA" if data[body] & 0x10 else "RGB"
                walk.width = 1 + int.from_bytes(data[body + 4 : body + 7], "little")
                walk.height = 1 + int.from_bytes(data[body + 7 : body + 10], "little")
            elif kind == b"VP8L":
                bits = int.from_bytes(data[body + 1 : body + 5], "little")
                walk.width, walk.height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
                walk.mode = "RGBA" if bits >> 28 & 1 else "RGB"
            elif kind == b"VP8 ":
                width, height = struct.unpack_from("<HH", data, body + 6)
                walk.width, walk.height = width & 0x3FFF, height & 0x3FFF
        at = body + length + (length & 1)
    else:
        raise too_many(most)
    if len(frames) > 1:
        walk.frames, walk.count = frames, len(frames) if ended else count
    return walk


def _first(data: bytes, start: int, end: int, walk: Walk) -> Frame | None:
    """None if it fills the canvas. Raises ValueError if it reaches beyond it."""
    frame = _frame(data, start, end)
    if not _inside(frame, walk):
        raise ValueError("a frame beyond the canvas")
    return None if (frame.width, frame.height) == (walk.width, walk.height) else frame


def _inside(frame: Frame, walk: Walk) -> bool:
    return frame.x + frame.width <= walk.width and frame.y + frame.height <= walk.height


def _frame(data: bytes, start: int, end: int) -> Frame:
    """2.7.1.1, ANMF."""
    x, y, width, height, delay = (
        int.from_bytes(data[at : at + 3], "little") for at in range(start, start + 15, 3)
    )
    flags = data[start + 15] if start + 15 < end else 0
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
    disposal = Disposal.CLEAR if flags & 1 else Disposal.KEEP
    return Frame(2 * x, 2 * y, width + 1, height + 1, parts, float(delay), disposal, blend=not flags & 2)
