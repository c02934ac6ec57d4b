"""Single frames of GIF, WebP and APNG, made files of their own. Pure.

Pillow fills the canvas around a first frame with the first colour of the palette (GIF) or black (WebP), and shows the
default image of an APNG even if it is not a frame. So a frame is made a file of its own, decoded, and put on a
transparent canvas, as browsers do. The frames after the first one are decoded likewise (`animation`).
"""

import struct
import zlib

from PIL import Image

from gazecrop.picture.colour import reducible
from gazecrop.picture.containers.walk import Frame, Walk


def still(data: bytes, kind: str, walk: Walk, frame: Frame) -> bytes:
    """A file of the frame alone, in its own format."""
    return {"gif": _gif, "webp": _webp, "png": _png}[kind](data, walk, frame)


def on_canvas(picture: Image.Image, walk: Walk, frame: Frame) -> Image.Image:
    """The decoded frame at its place, RGBA; transparent around it."""
    canvas = Image.new("RGBA", (walk.width, walk.height))
    canvas.paste(reducible(picture).convert("RGBA"), (frame.x, frame.y))
    return canvas


def _gif(data: bytes, walk: Walk, frame: Frame) -> bytes:
    """The screen becomes as large as the frame, and the frame's place on it 0, 0 (GIF89a, 18 and 20)."""
    head = bytearray(b"".join(data[part] for part in (walk.parts[0], *frame.parts[:-1])))
    head[6:10] = struct.pack("<HH", frame.width, frame.height)
    image = memoryview(data)[frame.parts[-1]]
    return b"".join([head, image[:1], bytes(4), image[5:], b";"])


def _webp(data: bytes, walk: Walk, frame: Frame) -> bytes:
    """VP8X with alpha, so that the size of the bitstream is checked against it, and the frame's chunks (RFC 9649)."""
    sides = struct.pack("<II", frame.width - 1, frame.height - 1)
    extended = b"VP8X" + struct.pack("<II", 10, 0x10) + sides[:3] + sides[4:7]
    chunks = b"WEBP" + extended + b"".join(data[part] for part in frame.parts)
    return b"RIFF" + struct.pack("<I", len(chunks)) + chunks


def _png(data: bytes, walk: Walk, frame: Frame) -> bytes:
    """IHDR of the frame's size, the palette, and the frame's data as IDAT."""
    chunks = [data[part] for part in walk.parts[1:]]
    header = next(chunk for chunk in chunks if chunk[4:8] == b"IHDR")
    shared = [chunk for chunk in chunks if chunk[4:8] in (b"PLTE", b"tRNS")]
    return b"".join(
        [
            data[:8],
            png_chunk(b"IHDR", struct.pack(">II", frame.width, frame.height) + header[16:21]),
            *shared,
            *(png_chunk(b"IDAT", data[part]) for part in frame.parts),
            png_chunk(b"IEND", b""),
        ]
    )


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """With its length and CRC."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
