"""TIFF 6.0 and BigTIFF: the first picture, and whether the file is a camera's raw data."""

import struct

from gazecrop.errors import NotAPicture
from gazecrop.picture.containers.ifd import Directory, directory
from gazecrop.picture.containers.layout import layout_of
from gazecrop.picture.containers.walk import MAX_PARTS, Walk

_MAX_STRIPS = 65_536  # one per row, or tiles of 22x22 in 30 MP; Pillow takes 6 µs for each
_MAX_DIRECTORIES = 16  # that are searched for raw data
_RAW_PHOTOMETRIC = {32803, 34892}  # colour filter array, LinearRaw
_RAW_COMPRESSION = {32767, 32769, 32770, 34713, 65000, 65535}  # Sony, Epson, Samsung, Nikon, Kodak, Pentax


def walk_tiff(data: bytes, most: int = MAX_PARTS) -> Walk:
    """The first directory. `most` is not used: all loops here are bounded. Raises NotAPicture for raw data."""
    first = directory(data)
    if _is_raw(data, first):
        raise NotAPicture(
            "This is a camera raw file (such as DNG, NEF, CR2, ARW): its only finished picture is a thumbnail.",
            fix="Send a JPEG, TIFF or PNG that was developed from it.",
        )
    orientation = first.integer(274, 1)
    walk = Walk(first.integer(256), first.integer(257), orientation if 1 <= orientation <= 8 else 1)
    if max(first.count(tag) for tag in (273, 279, 324, 325)) > _MAX_STRIPS:
        raise ValueError("too many strips")
    if not first.count(273) and not first.count(324):
        raise ValueError("neither strips nor tiles")  # libtiff would report it on stderr
    profile = first.tags.get(34675)
    if profile is not None and profile.values > 8:
        at = first.offset(profile)
        walk.colours.profile = [slice(at, at + profile.values)]
    tile = first.integer(322, 1) * first.integer(323, 1)
    if tile > max(1 << 20, 4 * walk.width * walk.height):  # one tile is allocated whole
        raise ValueError("a tile far larger than the picture")
    walk.layout = layout_of(first)
    walk.mode = _mode(first)
    return walk


def _mode(first: Directory) -> str:
    """Pillow's, of a TIFF without a layout."""
    photometric, bits = first.integer(262, 1), first.integers(258, (1,))[0]
    if photometric in (0, 1):
        return {1: "1", 2: "L", 4: "L", 8: "L", 16: "I;16"}.get(bits, "F")
    return {3: "P", 5: "CMYK", 8: "LAB"}.get(photometric, "RGBA" if first.integer(277, 1) > 3 else "RGB")


def _is_raw(data: bytes, first: Directory) -> bool:
    """By DNGVersion, the mark of CR2, or a photometric or a compression of sensor data in any directory."""
    version = first.tags.get(50706)
    if (version and (version.kind, version.values) == (1, 4)) or data[8:10] == b"CR":
        return True
    found = [first]
    try:
        if first.next:
            found.append(directory(data, first.next))
        found += [directory(data, at) for at in first.integers(330)[:_MAX_DIRECTORIES]]
    except (struct.error, ValueError):
        pass  # a broken directory behind a picture does not make it unreadable
    return any(
        each.integer(262) in _RAW_PHOTOMETRIC or each.integer(259) in _RAW_COMPRESSION for each in found
    )
