"""The pictures of the corpus: drawn by code, the same bytes wherever one Pillow drew them."""

import io
import struct
import zlib
from functools import cache
from typing import Any

from PIL import Image, ImageDraw, ImageFilter

ORIENTATION = 0x0112  # EXIF


def scene(width: int = 640, height: int = 480, seed: int = 0) -> Image.Image:
    """A ground with a gradient and stripes, two discs and a bar on it; another one for each seed."""
    shade = Image.linear_gradient("L").resize((width, height))
    picture = Image.merge("RGB", [shade.point(lambda v, k=k: v * k // 10 + 40) for k in (5, 6, 4)])
    draw = ImageDraw.Draw(picture)
    for at in range(0, width, 24 + seed % 7):
        draw.line((at, height, at + 30, height * 0.6), fill=(70, 80 + seed % 40, 60), width=2)
    short = min(width, height)
    for x, y, radius, colour in (
        ((0.3 + 0.11 * seed) % 0.8 + 0.1, (0.4 + 0.07 * seed) % 0.6 + 0.2, 0.11, (250, 210, 60)),
        ((0.72 + 0.05 * seed) % 0.8 + 0.1, (0.65 + 0.13 * seed) % 0.6 + 0.2, 0.06, (220, 60, 50)),
    ):
        box = [x * width - radius * short, y * height - radius * short]
        draw.ellipse((*box, box[0] + 2 * radius * short, box[1] + 2 * radius * short), fill=colour)
    draw.rectangle((width * 0.05, height * 0.05, width * 0.2, height * 0.1), fill=(240, 240, 250))
    return picture.filter(ImageFilter.GaussianBlur(1))


def encode(picture: Image.Image, format: str = "JPEG", **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()


def oriented(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return encode(scene(320, 240, 3), exif=exif, quality=85)


@cache
def files() -> dict[str, bytes]:
    """By name: every format and mode that is read."""
    wide, tall, small = scene(900, 600, 1), scene(400, 700, 2), scene(240, 180, 4)
    alpha = small.convert("RGBA")
    alpha.putalpha(Image.linear_gradient("L").resize(small.size))
    found = {
        "wide.jpg": encode(wide, quality=88),
        "tall.jpg": encode(tall, quality=80),
        "panorama.jpg": encode(scene(1500, 200, 5)),
        "progressive.jpg": encode(wide, progressive=True),
        "grey.jpg": encode(small.convert("L")),
        "cmyk.jpg": encode(small.convert("CMYK")),
        "large.jpg": encode(scene(3000, 2000, 6)),
        "rgb.png": encode(small, "PNG"),
        "rgba.png": encode(alpha, "PNG"),
        "la.png": encode(alpha.convert("LA"), "PNG"),
        "palette.png": encode(small.convert("P", palette=Image.Palette.ADAPTIVE), "PNG"),
        "bits.png": encode(small.convert("1"), "PNG"),
        "deep.png": encode(small.convert("I;16"), "PNG"),
        "picture.webp": encode(small, "WEBP"),
        "lossless.webp": encode(alpha, "WEBP", lossless=True),
        "picture.avif": encode(small, "AVIF"),
        "picture.gif": encode(small, "GIF"),
        "moving.gif": encode(
            small, "GIF", save_all=True, append_images=[scene(240, 180, k) for k in (7, 8)], duration=50
        ),
        "picture.bmp": encode(small, "BMP"),
        "picture.tif": encode(small, "TIFF"),
        "packed.tif": encode(small.convert("L"), "TIFF", compression="tiff_lzw"),
        "flat.png": encode(Image.new("RGB", (300, 200), (90, 120, 150)), "PNG"),
        "dot.png": encode(Image.new("RGB", (1, 1), (9, 9, 9)), "PNG"),
        "sliver.png": encode(scene(900, 3, 9), "PNG"),
        "symmetric.png": encode(symmetric(), "PNG"),
    }
    return found | {f"exif{n}.jpg": oriented(n) for n in range(1, 9)}


def symmetric() -> Image.Image:
    """Mirrored about its middle."""
    half = scene(200, 300, 10)
    whole = Image.new("RGB", (400, 300))
    whole.paste(half, (0, 0))
    whole.paste(half.transpose(Image.Transpose.FLIP_LEFT_RIGHT), (200, 0))
    return whole


def broken() -> dict[str, bytes]:
    """By name: what must be refused."""
    whole = encode(scene(240, 180, 11))
    png = encode(scene(240, 180, 11), "PNG")
    return {
        "text": b"This is no picture.",
        "html": b"<!doctype html><title>x</title>",
        "svg": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        "pdf": b"%PDF-1.4\n",
        "heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
        "cut.jpg": whole[: len(whole) // 3],
        "head.jpg": whole[:20],
        "cut.png": png[: len(png) // 2],
        "cut.webp": encode(scene(240, 180, 11), "WEBP")[:400],
        "cut.gif": encode(scene(240, 180, 11), "GIF")[:60],
        "cut.avif": encode(scene(240, 180, 11), "AVIF")[:300],
        "zeros.bmp": b"BM" + bytes(60),
        "zeros.tif": b"II*\0" + bytes(60),
        "huge.png": png_head(30_000, 30_000),
        "none.png": png_head(0, 10),
    }


def png_head(width: int, height: int) -> bytes:
    """A PNG whose header has this size, without pixels."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    return b"\x89PNG\r\n\x1a\n" + chunk + b"\0\0\0\0IEND\xaeB`\x82"
