"""Parsers of the containers of JPEG, PNG, WebP, GIF and TIFF: size, orientation, byte ranges of the pixel data.

Pillow would parse them while opening, but before any limit can be applied it allocates a canvas (WebP), inflates
text (PNG), creates an object for each of a million strips (TIFF), and parses EXIF in 0.3 ms with warnings about
what is broken. A walk costs 10 to 100 µs and its loops are bounded.

Every function raises ValueError, IndexError or struct.error for malformed bytes; `probe` maps these.
"""

import re
import struct
from dataclasses import dataclass, field

# Entropy-coded data ends at the first 0xFF that is neither stuffed (FF 00), a restart (FF D0..D7) nor a fill
# byte (FF FF): ITU T.81, B.1.1.5. The search runs in C, about 1 ms for 3 MB.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_MAX_PARTS = 100_000  # in any walk; real files have under 3,000 (20 MB in IDAT chunks of 8 kB)
_MAX_SCANS = 1_000  # counting stops here
_MAX_STRIPS = 65_536  # one per row, or tiles of 22x22 in 30 MP; Pillow takes 6 µs for each

_EXIF, _ICC = b"Exif\0\0", b"ICC_PROFILE\0"


@dataclass(slots=True)
class Walk:
    """`width` and `height` as stored. `parts`: byte ranges that the pixels depend on (JPEG, PNG and GIF; of other
    formats the whole file is read). `profile`: byte ranges of the colour profile, which follows the first part."""

    width: int = 0
    height: int = 0
    orientation: int = 1
    buffered: bool = False  # JPEG: several scans, so that the decoder keeps all coefficients in memory
    scans: int = 1
    parts: list[slice] = field(default_factory=list)
    profile: list[slice] = field(default_factory=list)
    coarse: list[slice] = field(default_factory=list)  # progressive JPEG: enough for 1/8 of its sides


def orientation_of(exif: bytes) -> int:
    """Tag 0x0112 of the first IFD (EXIF 3.0, 4.6.5): 1 to 8. A broken or out-of-range value counts as 1."""
    while exif.startswith(_EXIF):
        exif = exif[len(_EXIF) :]
    try:
        _, value = _directory(exif).get(0x0112, (1, 1))
    except (struct.error, ValueError):
        return 1
    return value if 1 <= value <= 8 else 1


def jpeg(data: bytes) -> Walk:
    """ITU T.81, annex B."""
    walk = Walk(parts=[slice(0, 2)])
    at, components, exif = 2, 0, False
    for _ in range(_MAX_PARTS):
        start = data.index(b"\xff", at)
        while data[start + 1] == 0xFF:  # fill bytes
            start += 1
        marker, at = data[start + 1], start + 2
        if marker <= 0x01 or 0xD0 <= marker <= 0xD7:  # no parameters
            continue
        end = at + _u16(data, at)
        body = at + 2
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            walk.height, walk.width, components = struct.unpack_from(">HHB", data, body + 1)
            walk.buffered = marker in (0xC2, 0xC6, 0xCA, 0xCE)
        elif marker == 0xE1 and data.startswith(_EXIF, body) and not exif:
            walk.orientation, exif = orientation_of(data[body:end]), True
        elif marker == 0xE2 and data.startswith(_ICC, body):
            walk.profile.append(slice(start, end))
        if marker == 0xDA:
            walk.buffered |= data[body] < components  # not interleaved
            if walk.buffered:
                _scans(data, start, walk)
            walk.parts.append(slice(start, None))
            return walk
        # APP0 (JFIF) and APP14 (Adobe) define the colour space; other APPn and comments are dropped
        if marker in (0xE0, 0xEE) or not (0xE0 <= marker <= 0xEF or marker == 0xFE):
            walk.parts.append(slice(start, end))
        if marker == 0xD9:
            break
        at = end
    raise ValueError("no scan")


def _scans(data: bytes, start: int, walk: Walk) -> None:
    """Counts the scans and omits from `coarse` those that refine AC coefficients (Ss > 0 and Ah > 0, G.1.1.1): at
    1/8 of the sides they change the mean by 0 to 0.4 levels, for a third to two thirds of the decoding time.
    """
    coarse = list(walk.parts)
    walk.scans = 0
    for _ in range(_MAX_PARTS):
        kind, at = data[start + 1], start + 2
        if kind == 0xD9:
            walk.coarse = [*coarse, slice(start, at)]
            return
        body = at + 2
        if kind != 0x01:
            at += _u16(data, at)
        found = _MARKER.search(data, at)
        if (
            found is None or walk.scans > _MAX_SCANS
        ):  # truncated: keep every part, so that the decoder reports it
            return
        if kind == 0xDA:
            walk.scans += 1
            spectral = body + 1 + 2 * data[body]  # Ss, Se, Ah and Al
            if data[spectral] == 0 or data[spectral + 2] >> 4 == 0:
                coarse.append(slice(start, found.start()))
        else:
            coarse.append(slice(start, found.start()))
        start = found.start()
    raise ValueError("too many segments")


def png(data: bytes) -> Walk:
    """PNG, third edition, 5 (chunks) and 11.3.3.6 (eXIf, which may follow the pixels)."""
    walk = Walk(parts=[slice(0, 8)])
    at = 8
    for _ in range(_MAX_PARTS):
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
    return walk


def webp(data: bytes) -> Walk:
    """RFC 9649, 2.7; sizes in the bitstreams: RFC 6386, 9.1, and RFC 9649, 3.4."""
    walk = Walk()
    at = 12
    for _ in range(_MAX_PARTS):
        if at + 8 > len(data):
            break
        kind, length = struct.unpack_from("<4sI", data, at)
        body = at + 8
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
    return walk


def gif(data: bytes) -> Walk:
    """GIF89a, 18 to 23: up to the first image, which may exceed the logical screen."""
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    walk = Walk(parts=[slice(0, at)])
    blocks = 0
    while data[at] == 0x21:  # extensions
        start, control = at, data[at + 1] == 0xF9
        at += 2
        while length := data[at]:
            at += 1 + length
            blocks += 1
            if blocks > _MAX_PARTS:
                raise ValueError("too many blocks")
        at += 1
        if control:  # its transparent colour applies to the image that follows
            walk.parts.append(slice(start, at))
    if data[at] == 0x2C:
        x, y, columns, rows = struct.unpack_from("<HHHH", data, at + 1)
        walk.width, walk.height = max(width, x + columns), max(height, y + rows)
        walk.parts.append(slice(at, None))
        return walk
    raise ValueError("no picture")


def tiff(data: bytes) -> Walk:
    """TIFF 6.0, section 2, and BigTIFF: the first directory."""
    tags = _directory(data)
    walk = Walk(width=tags[256][1], height=tags[257][1], orientation=orientation_of(data))
    if max(tags.get(tag, (0, 0))[0] for tag in (273, 279, 324, 325)) > _MAX_STRIPS:
        raise ValueError("too many strips")
    tile = tags.get(322, (1, 1))[1] * tags.get(323, (1, 1))[1]
    if tile > max(1 << 20, 4 * walk.width * walk.height):  # one tile is allocated whole
        raise ValueError("a tile far larger than the picture")
    return walk


def _directory(data: bytes) -> dict[int, tuple[int, int]]:
    """tag -> (count, first value if it is a BYTE, SHORT, LONG or LONG8 stored inside the entry, else 0)."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        raise ValueError("no byte order")
    (version,) = struct.unpack_from(order + "H", data, 2)
    if version == 43:
        (at,) = struct.unpack_from(order + "Q", data, 8)
        (count,) = struct.unpack_from(order + "Q", data, at)
        at, entry, size = at + 8, order + "HHQ", 20
    elif version == 42:
        (at,) = struct.unpack_from(order + "I", data, 4)
        (count,) = struct.unpack_from(order + "H", data, at)
        at, entry, size = at + 2, order + "HHI", 12
    else:
        raise ValueError(f"version {version}")
    tags: dict[int, tuple[int, int]] = {}
    room = 8 if version == 43 else 4
    for _ in range(min(count, 0xFFFF)):
        if at + size > len(data):
            break
        tag, kind, values = struct.unpack_from(entry, data, at)
        unit = {1: "B", 3: "H", 4: "I", 16: "Q"}.get(kind)
        value = 0
        if unit is not None and 0 < values * struct.calcsize(order + unit) <= room:
            (value,) = struct.unpack_from(order + unit, data, at + size - room)
        tags.setdefault(tag, (values, value))
        at += size
    return tags


def _u16(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2]) if at + 2 <= len(data) else len(data)
