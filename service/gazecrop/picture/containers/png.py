"""PNG, third edition: size, orientation, the chunks that the pixels depend on, and the frames of an animation."""

import struct
import zlib

from gazecrop.picture.containers.ifd import orientation_of
from gazecrop.picture.containers.walk import MAX_PARTS, MOST_FRAMES, Colours, Disposal, Frame, Walk, too_many

_COLOURS = (b"iCCP", b"cICP", b"sRGB", b"gAMA", b"cHRM")
_MODES = {0: "L", 2: "RGB", 3: "P", 4: "LA", 6: "RGBA"}  # by colour type (11.2.1)


def walk_png(data: bytes, most: int = MAX_PARTS) -> Walk:
    """PNG, third edition, 5 (chunks), 11.3.3.6 (eXIf, which may follow the pixels) and 11.3.6 (animations)."""
    walk = Walk(parts=[slice(0, 8)])
    at, pixels, animated = 8, False, False
    frames: list[Frame] = []
    for _ in range(most):
        if at + 8 > len(data):
            break
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if kind == b"IHDR" and not walk.width:  # Pillow would use the last of several
            walk.width, walk.height, bits, colour = struct.unpack_from(">IIBB", data, at + 8)
            walk.mode = _MODES.get(colour, "RGBA")
            if colour == 0 and bits in (1, 16):
                walk.mode = "1" if bits == 1 else "I;16"
            walk.parts.append(slice(at, end))
        elif kind in (b"PLTE", b"tRNS", b"IDAT", b"IEND"):
            walk.parts.append(slice(at, end))
            if kind == b"tRNS" and walk.mode and walk.mode[-1] != "+":
                walk.mode += "+"
            if kind == b"IDAT":
                pixels = True
                if len(frames) == 1 and end <= len(data):  # else the default image is not a frame
                    frames[0].parts.append(slice(at + 8, end - 4))
        elif kind in _COLOURS and not pixels and end <= len(data):
            _read_colours(walk.colours, data, at + 4, end)
        elif kind == b"acTL" and not pixels:
            animated = True
            walk.plays = int.from_bytes(data[at + 12 : at + 16])
        elif kind == b"fcTL" and animated and end <= len(data):
            if len(frames) > MOST_FRAMES:
                walk.count += 1
            else:
                frames.append(_frame(data, at + 12))
            if len(frames) == 1 and pixels:  # the default image is not a frame
                walk.frame = frames[0]
        elif kind == b"fdAT" and frames and end <= len(data):
            frames[-1].parts.append(slice(at + 12, end - 4))
        elif kind == b"eXIf":
            walk.orientation = orientation_of(data[at + 8 : end - 4])
        if kind == b"IEND":
            break
        at = end
    else:
        raise too_many(most)
    if walk.frame and not walk.frame.parts:
        walk.frame = None
    if walk.frame and not _inside(walk.frame, walk):
        raise ValueError("a frame beyond the canvas")
    _animate(walk, frames)
    return walk


def _animate(walk: Walk, frames: list[Frame]) -> None:
    """Sets the frames of an animation: up to the first one without data, or beyond the canvas."""
    good = next((i for i, each in enumerate(frames) if not (each.parts and _inside(each, walk))), len(frames))
    beyond = walk.count - 1 if good == len(frames) else 0
    if good > 1:
        walk.frames, walk.count = frames[:MOST_FRAMES][:good], good + beyond
    else:
        walk.count = 1


def _frame(data: bytes, at: int) -> Frame:
    """11.3.6.2, fcTL from its width on."""
    width, height, x, y, numerator, denominator, disposal, blend = struct.unpack_from(">4IHHBB", data, at)
    kept = Disposal(disposal) if disposal <= 2 else Disposal.KEEP
    return Frame(x, y, width, height, [], 1000 * numerator / (denominator or 100), kept, blend=blend == 1)


def _inside(frame: Frame, walk: Walk) -> bool:
    filled = frame.width > 0 and frame.height > 0
    return filled and frame.x + frame.width <= walk.width and frame.y + frame.height <= walk.height


def profile_of_chunk(chunk: bytes, most: int) -> bytes:
    """The ICC profile in an iCCP chunk (11.3.2.3), from its type to its CRC; empty if the CRC is wrong, the method is
    unknown, the stream is broken, or the profile has more than `most` bytes."""
    name = chunk.find(b"\0", 4, 84)
    if name < 5 or chunk[name + 1 : name + 2] != b"\0" or zlib.crc32(chunk[:-4]).to_bytes(4) != chunk[-4:]:
        return b""
    stream = zlib.decompressobj()
    try:
        profile = stream.decompress(chunk[name + 2 : -4], most)
    except zlib.error:
        return b""
    return profile if stream.eof else b""


def _read_colours(colours: Colours, data: bytes, start: int, end: int) -> None:
    """11.3.2, of a chunk from its type to its CRC. As in browsers the first valid chunk of a type counts."""
    kind, body = data[start : start + 4], data[start + 4 : min(end - 4, start + 40)]
    if kind == b"iCCP":
        if not colours.profile:
            colours.profile, colours.in_chunk = [slice(start, end)], True
    elif end - start > 40 or zlib.crc32(data[start : end - 4]).to_bytes(4) != data[end - 4 : end]:
        return
    elif kind == b"cICP" and len(body) == 4 and body[2:] == b"\0\1" and colours.code_points is None:
        colours.code_points = (body[0], body[1])  # RGB of full range: the only ones that PNG defines
    elif kind == b"sRGB" and len(body) == 1 and body[0] < 4:
        colours.srgb = True
    elif kind == b"gAMA" and len(body) == 4 and not colours.gamma:
        colours.gamma = int.from_bytes(body) / 100_000
    elif kind == b"cHRM" and len(body) == 32 and colours.primaries is None:
        values = [value / 100_000 for value in struct.unpack(">8I", body)]
        if all(values):
            white_x, white_y, red_x, red_y, green_x, green_y, blue_x, blue_y = values
            colours.primaries = (red_x, red_y, green_x, green_y, blue_x, blue_y, white_x, white_y)
