"""One scene in every way that a file can declare its colours, and Chromium's drawing of a file in sRGB."""

import base64
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms
from playwright.sync_api import Page

from gazecrop.picture.icc import SRGB_CURVE, SRGB_PRIMARIES, matrix_profile, power
from tests.helpers.pictures import encode
from tests.helpers.samples import scene

P3 = (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290)
P3_PROFILE = matrix_profile(P3, SRGB_CURVE)
LINEAR_PROFILE = matrix_profile(SRGB_PRIMARIES, power(1))
GAMMA_18_PROFILE = matrix_profile(SRGB_PRIMARIES, power(1.8))
SRGB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

_DRAW = """async ([data, type]) => {
  const file = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
  const image = new Image();
  image.src = URL.createObjectURL(new Blob([file], {type}));
  await image.decode();
  URL.revokeObjectURL(image.src);
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  const context = canvas.getContext("2d", {colorSpace: "srgb"});
  context.drawImage(image, 0, 0);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
  let text = "";
  for (let at = 0; at < pixels.length; at += 8192)
    text += String.fromCharCode.apply(null, pixels.subarray(at, at + 8192));
  return [canvas.height, canvas.width, btoa(text)];
}"""


def drawn(page: Page, data: bytes, kind: str) -> NDArray[np.uint8]:
    """uint8[rows, columns, 4]: RGBA in sRGB, as Chromium draws the file. `kind`: the subtype of its media type."""
    height, width, pixels = page.evaluate(_DRAW, [base64.b64encode(data).decode(), f"image/{kind}"])
    return np.frombuffer(base64.b64decode(pixels), np.uint8).reshape(height, width, 4)


def chunk(kind: bytes, body: bytes) -> bytes:
    """A PNG chunk with its CRC."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def iccp(profile: bytes) -> bytes:
    return chunk(b"iCCP", b"name\0\0" + zlib.compress(profile))


def cicp(primaries: int, transfer: int) -> bytes:
    return chunk(b"cICP", bytes([primaries, transfer, 0, 1]))


def gama(value: float) -> bytes:
    return chunk(b"gAMA", struct.pack(">I", round(value * 100_000)))


def chrm(*values: float) -> bytes:
    """x and y of white, red, green, blue."""
    return chunk(b"cHRM", struct.pack(">8I", *(round(value * 100_000) for value in values)))


CHRM_P3 = chrm(0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)


def png(*chunks: bytes, mode: str = "RGB") -> bytes:
    """The scene as a PNG with these chunks after its header."""
    data = encode(colourful().convert(mode), "PNG")
    return data[:33] + b"".join(chunks) + data[33:]


def avif(primaries: int, transfer: int, mode: str = "RGB") -> bytes:
    """The scene as an AVIF whose nclx declares these code points."""
    data = encode(
        colourful().convert(mode), "AVIF", quality=100, subsampling="4:4:4" if mode == "RGB" else "4:0:0"
    )
    at = data.index(b"colrnclx") + 8
    return data[:at] + struct.pack(">HH", primaries, transfer) + data[at + 4 :]


def grey_profile(gamma: float) -> bytes:
    """ICC.1:2001 display profile of grey: white point and one curve."""
    bodies = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"made\0" + bytes(79),
        b"wtpt": b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061),
        b"kTRC": b"curv\0\0\0\0" + struct.pack(">IHxx", 1, round(gamma * 256)),
    }
    table, blocks, first = b"", b"", 132 + 12 * len(bodies)
    for signature, body in bodies.items():
        table += struct.pack(">4sII", signature, first + len(blocks), len(body))
        blocks += body
    header = struct.pack(
        ">I4xI4s4s4s12x4s28x", first + len(blocks), 0x02400000, b"mntr", b"GRAY", b"XYZ ", b"acsp"
    )
    header += struct.pack(">3i", 63190, 65536, 54061)
    return header + bytes(128 - len(header)) + struct.pack(">I", len(bodies)) + table + blocks


def cmyk_profile() -> bytes:
    """ICC.1:2001 output profile: A2B0 as lut8 of 2 points an axis from CMYK to Lab, all inks linear in lightness."""

    def tag(signature: bytes, body: bytes) -> bytes:
        return signature + b"\0\0\0\0" + body

    identity = struct.pack(">9I", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    ramp = bytes(range(256))
    corners = b"".join(
        bytes([round(255 * (1 - min(1.0, (c + m + y) / 3 * 0.5 + k))), 128, 128])
        for c in (0, 1)
        for m in (0, 1)
        for y in (0, 1)
        for k in (0, 1)
    )
    lut = tag(b"mft1", bytes([4, 3, 2, 0]) + identity + ramp * 4 + corners + ramp * 3)
    text = tag(b"text", b"none\0\0\0\0")
    white = tag(b"XYZ ", struct.pack(">3i", 63190, 65536, 54061))
    description = tag(b"desc", struct.pack(">I", 5) + b"made\0" + bytes(78)) + b"\0"
    bodies = {b"desc": description, b"cprt": text, b"wtpt": white, b"A2B0": lut}
    at, table, blocks = 128 + 4 + 12 * len(bodies), b"", b""
    for signature, body in bodies.items():
        body += bytes(-len(body) % 4)
        table += signature + struct.pack(">II", at + len(blocks), len(body))
        blocks += body
    size = at + len(blocks)
    header = struct.pack(">I4sI4s4s4s", size, b"none", 0x02400000, b"prtr", b"CMYK", b"Lab ")
    header += struct.pack(">6H4s4s", 2026, 1, 1, 0, 0, 0, b"acsp", b"none") + bytes(20)
    header += bytes(4) + struct.pack(">3i", 63190, 65536, 54061)
    return header + bytes(128 - len(header)) + struct.pack(">I", len(bodies)) + table + blocks


def padded(profile: bytes, size: int) -> bytes:
    """The profile with unused bytes at its end, counted in its size field."""
    return struct.pack(">I", size) + profile[4:] + bytes(size - len(profile))


def colourful() -> Image.Image:
    """320x180 pixels."""
    return scene(320, 180)


def _bmp(profile: bytes) -> bytes:
    """BITMAPV5HEADER with an embedded profile, behind the pixels."""
    picture = colourful()
    pixels = np.asarray(picture)[::-1, :, ::-1].tobytes()
    header = struct.pack("<IiiHHIIiiII", 124, *picture.size, 1, 24, 0, len(pixels), 2835, 2835, 0, 0) + bytes(
        16
    )
    header += b"DEBM" + bytes(48) + struct.pack("<4I", 4, 124 + len(pixels), len(profile), 0)
    file = b"BM" + struct.pack("<IHHI", 14 + 124 + len(pixels) + len(profile), 0, 0, 14 + 124)
    return file + header + pixels + profile


def _saved(format: str, mode: str, profile: bytes | None, **options: object) -> Callable[[], bytes]:
    def make() -> bytes:
        return encode(colourful().convert(mode), format, icc_profile=profile, **options)

    return make


def _grey_of_16_bits() -> bytes:
    levels = np.asarray(colourful().convert("L")).astype(np.uint16) * 257
    return encode(Image.fromarray(levels), "PNG", icc_profile=grey_profile(1.8))


_FINE: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 98, "subsampling": 0},
    "AVIF": {"quality": 100, "subsampling": "4:4:4"},
    "WEBP": {"lossless": True},
    "PNG": {},
}
_RGB = {"P3": P3_PROFILE, "linear": LINEAR_PROFILE, "gamma 1.8": GAMMA_18_PROFILE, "sRGB": SRGB_PROFILE}
_LARGE = {"1.5 MB": padded(P3_PROFILE, 3 << 19), "4 MB": padded(LINEAR_PROFILE, 4 << 20)}

# What the table of the test has as its rows: name -> (subtype of the media type, the file)
KINDS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "PNG without a profile": ("png", png),
    **{
        f"{format} ICC {name}": (format.lower(), _saved(format, "RGB", profile, **options))
        for format, options in _FINE.items()
        for name, profile in (_RGB | _LARGE).items()
        if not (format == "AVIF" and name in _LARGE)
    },
    **{
        f"{format} {mode} ICC grey {gamma}": (format.lower(), _saved(format, mode, grey_profile(gamma), quality=100))
        for format, modes in {"JPEG": ["L"], "PNG": ["L", "LA"], "AVIF": ["L"], "WEBP": ["L"]}.items()
        for mode in modes
        for gamma in (1.0, 1.8)
    },
    "PNG I;16 ICC grey 1.8": ("png", _grey_of_16_bits),
    **{
        f"{format} L ICC of RGB": (format.lower(), _saved(format, "L", GAMMA_18_PROFILE, **_FINE[format]))
        for format in _FINE
    },
    "PNG RGB ICC of grey": ("png", _saved("PNG", "RGB", grey_profile(1.0))),
    "JPEG RGB ICC of CMYK": ("jpeg", _saved("JPEG", "RGB", cmyk_profile(), **_FINE["JPEG"])),
    "JPEG CMYK": ("jpeg", _saved("JPEG", "CMYK", None, quality=98)),
    "JPEG CMYK ICC of CMYK": ("jpeg", _saved("JPEG", "CMYK", cmyk_profile(), quality=98)),
    "JPEG CMYK ICC of RGB": ("jpeg", _saved("JPEG", "CMYK", LINEAR_PROFILE, quality=98)),
    "BMP V5 ICC linear": ("bmp", lambda: _bmp(LINEAR_PROFILE)),
    "PNG P ICC P3": ("png", lambda: encode(colourful().quantize(64), "PNG", icc_profile=P3_PROFILE)),
    "PNG RGBA ICC linear": ("png", lambda: encode(colourful().convert("RGBA"), "PNG", icc_profile=LINEAR_PROFILE)),
    "PNG iCCP wrong CRC": ("png", lambda: png(iccp(LINEAR_PROFILE)[:-1] + b"\1")),
    "PNG iCCP unknown method": ("png", lambda: png(chunk(b"iCCP", b"x\0\1" + zlib.compress(LINEAR_PROFILE)))),
    "PNG iCCP empty": ("png", lambda: png(chunk(b"iCCP", b""))),
    "PNG iCCP only a name": ("png", lambda: png(chunk(b"iCCP", b"x"))),
    "PNG iCCP truncated stream": ("png", lambda: png(chunk(b"iCCP", b"x\0\0" + zlib.compress(LINEAR_PROFILE)[:-8]))),
    "PNG iCCP truncated profile": ("png", lambda: png(iccp(LINEAR_PROFILE[:-40]))),
    "PNG iCCP padded": ("png", lambda: png(iccp(LINEAR_PROFILE + bytes(40)))),
    "PNG iCCP broken, gAMA 1": ("png", lambda: png(gama(1), chunk(b"iCCP", b"x"))),
    "PNG iCCP, sRGB": ("png", lambda: png(chunk(b"sRGB", b"\0"), iccp(LINEAR_PROFILE))),
    "PNG iCCP, cICP": ("png", lambda: png(iccp(LINEAR_PROFILE), cicp(12, 13))),
    "PNG iCCP, cICP unspecified": ("png", lambda: png(iccp(LINEAR_PROFILE), cicp(2, 2))),
    "PNG iCCP twice": ("png", lambda: png(iccp(P3_PROFILE), iccp(LINEAR_PROFILE))),
    **{
        f"PNG cICP {primaries}/{transfer}": ("png", lambda p=primaries, t=transfer: png(cicp(p, t)))  # type: ignore[misc]
        for primaries, transfer in [
            *((primaries, 13) for primaries in (1, 4, 5, 6, 8, 9, 10, 11, 12, 22)),
            *((1, transfer) for transfer in (1, 4, 5, 7, 8, 11, 14, 17)),
            *[(9, 1), (9, 8), (9, 14), (1, 16), (9, 16), (12, 16), (1, 18), (9, 18), (1, 9), (2, 13), (3, 13)],
        ]
    },
    "PNG cICP narrow range": ("png", lambda: png(chunk(b"cICP", bytes([1, 8, 0, 0])))),
    "PNG L cICP 9/16": ("png", lambda: png(cicp(9, 16), mode="L")),
    "PNG RGBA cICP 9/18": ("png", lambda: png(cicp(9, 18), mode="RGBA")),
    **{
        f"PNG gAMA {value}": ("png", lambda v=value: png(gama(v)))  # type: ignore[misc]
        for value in (1.0, 0.55556, 0.5, 0.47, 0.45455, 0.44, 0.43, 0.3)
    },
    "PNG L gAMA 1": ("png", lambda: png(gama(1), mode="L")),
    "PNG LA gAMA 1": ("png", lambda: png(gama(1), mode="LA")),
    "PNG gAMA 1, sRGB": ("png", lambda: png(gama(1), chunk(b"sRGB", b"\0"))),
    "PNG gAMA 1, sRGB broken": ("png", lambda: png(gama(1), chunk(b"sRGB", b"\x09"))),
    "PNG gAMA 0.45455, cHRM P3": ("png", lambda: png(gama(0.45455), CHRM_P3)),
    "PNG gAMA 1, cHRM P3": ("png", lambda: png(gama(1), CHRM_P3)),
    "PNG gAMA 0.45455, cHRM of zeros": ("png", lambda: png(gama(0.45455), chrm(*[0.0] * 8))),
    "PNG cHRM alone": ("png", lambda: png(CHRM_P3)),
    **{
        f"AVIF nclx {primaries}/{transfer}": ("avif", lambda p=primaries, t=transfer: avif(p, t))  # type: ignore[misc]
        for primaries, transfer in [
            *((primaries, 13) for primaries in (1, 2, 5, 6, 9, 11, 12, 22)),
            *((1, transfer) for transfer in (1, 2, 4, 5, 6, 8, 14, 16, 17, 18)),
            *[(2, 8), (9, 1), (9, 8), (9, 14), (9, 16), (12, 16), (9, 18)],
        ]
    },
    "AVIF L nclx 1/8": ("avif", lambda: avif(1, 8, mode="L")),
}  # fmt: skip


def shown(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """RGBA -> RGB on white."""
    alpha = pixels[..., 3:] / 255.0
    return np.asarray(pixels[..., :3] * alpha + 255 * (1 - alpha))
