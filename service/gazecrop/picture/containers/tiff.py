"""TIFF 6.0, BigTIFF and EXIF: the first directory of tags, and the size and orientation in it."""

import struct
from typing import NamedTuple

from gazecrop.picture.containers.walk import MAX_PARTS, Walk

EXIF = b"Exif\0\0"
_MAX_STRIPS = 65_536  # one per row, or tiles of 22x22 in 30 MP; Pillow takes 6 µs for each
_MAX_ENTRIES = 2_048  # of a directory, read in 2 ms; real ones have under 100
_UNITS = {1: "B", 2: "B", 3: "H", 4: "I", 5: "II", 7: "B", 13: "I", 16: "Q", 18: "Q"}  # TIFF 6.0, section 2


class Tag(NamedTuple):
    """`values`: how many. `first`: the first one, if it is an integer stored inside the entry, else 0. `kind`: their
    type. `raw`: the bytes of the entry's value field, which is an offset where the values do not fit."""

    values: int
    first: int
    kind: int = 0
    raw: bytes = b""


_ABSENT, _ONE = Tag(0, 0), Tag(1, 1)


def orientation_of(exif: bytes) -> int:
    """Tag 0x0112 of the first IFD (EXIF 3.0, 4.6.5): 1 to 8. A broken or out-of-range value counts as 1."""
    while exif.startswith(EXIF):
        exif = exif[len(EXIF) :]
    return orientation_of_tiff(exif)


def orientation_of_tiff(data: bytes) -> int:
    """The same of EXIF without the prefix `Exif\\0\\0`."""
    try:
        return _orientation(directory(data))
    except (struct.error, ValueError):
        return 1


def _orientation(tags: dict[int, Tag]) -> int:
    value = tags.get(0x0112, _ONE).first
    return value if 1 <= value <= 8 else 1


def walk_tiff(data: bytes, most: int = MAX_PARTS) -> Walk:
    """The first directory. `most` is not used: the number of entries read is bounded."""
    tags = directory(data)
    walk = Walk(width=tags[256].first, height=tags[257].first, orientation=_orientation(tags))
    if max(tags.get(tag, _ABSENT).values for tag in (273, 279, 324, 325)) > _MAX_STRIPS:
        raise ValueError("too many strips")
    profile = tags.get(34675)
    if profile is not None and profile.values > 8:
        at = int.from_bytes(profile.raw, "little" if data[:2] == b"II" else "big")
        walk.colours.profile = [slice(at, at + profile.values)]
    tile = tags.get(322, _ONE).first * tags.get(323, _ONE).first
    if tile > max(1 << 20, 4 * walk.width * walk.height):  # one tile is allocated whole
        raise ValueError("a tile far larger than the picture")
    return walk


def directory(data: bytes) -> dict[int, Tag]:
    """The tags of the first directory, the first of several of one number. Raises ValueError, struct.error."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        raise ValueError("no byte order")
    (version,) = struct.unpack_from(order + "H", data, 2)
    if version == 43:
        (at,) = struct.unpack_from(order + "Q", data, 8)
        (count,) = struct.unpack_from(order + "Q", data, at)
        at, entry = at + 8, struct.Struct(order + "HHQ8s")
    elif version == 42:
        (at,) = struct.unpack_from(order + "I", data, 4)
        (count,) = struct.unpack_from(order + "H", data, at)
        at, entry = at + 2, struct.Struct(order + "HHI4s")
    else:
        raise ValueError(f"version {version}")
    whole = min(count, _MAX_ENTRIES, (len(data) - at) // entry.size)
    tags: dict[int, Tag] = {}
    for number, kind, values, raw in entry.iter_unpack(data[at : at + max(whole, 0) * entry.size]):
        if number not in tags:
            unit = _UNITS.get(kind)
            fits = unit is not None and kind != 5 and 0 < values * struct.calcsize(order + unit) <= len(raw)
            value = struct.unpack_from(order + unit, raw)[0] if unit is not None and fits else 0
            tags[number] = Tag(values, value, kind, raw)
    return tags
