"""Directories of tags of TIFF 6.0, BigTIFF and EXIF, and the orientation in them."""

import struct
from typing import NamedTuple

EXIF = b"Exif\0\0"
_MAX_ENTRIES = 2_048  # of a directory, read in 2 ms; real ones have under 100
_MAX_VALUES = 200_000  # of one tag, read in 2 ms
_UNITS = {
    1: "B",
    3: "H",
    4: "I",
    6: "b",
    7: "B",
    13: "I",
    16: "Q",
    18: "Q",
}  # types of integers: TIFF 6.0, section 2


class Tag(NamedTuple):
    """`values`: how many, of the type `kind`; `raw`: the value field of the entry, an offset where they do not fit."""

    number: int
    kind: int
    values: int
    raw: bytes


class Directory(NamedTuple):
    """The tags, the first of several of one number, and where the next directory is, 0 if there is none."""

    data: bytes
    order: str
    tags: dict[int, Tag]
    next: int

    def integers(self, number: int, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """The values of a tag. Raises struct.error where they lie outside of the file, ValueError for too many."""
        tag = self.tags.get(number)
        unit = None if tag is None else _UNITS.get(tag.kind)
        if tag is None or unit is None or not tag.values:
            return default
        if tag.values > _MAX_VALUES:
            raise ValueError(f"{tag.values} values of tag {number}")
        form = f"{self.order}{tag.values}{unit}"
        if struct.calcsize(form) <= len(tag.raw):
            return struct.unpack_from(form, tag.raw)
        return struct.unpack_from(form, self.data, self.offset(tag))

    def integer(self, number: int, default: int = 0) -> int:
        """The first value of a tag."""
        return self.integers(number, (default,))[0]

    def count(self, number: int) -> int:
        """How many values a tag has; 0 if it is absent."""
        return self.tags[number].values if number in self.tags else 0

    def text(self, number: int) -> bytes:
        """The start of a tag of ASCII."""
        tag = self.tags.get(number)
        if tag is None or tag.kind != 2:
            return b""
        at = self.offset(tag)
        return tag.raw if tag.values <= len(tag.raw) else self.data[at : at + min(tag.values, 64)]

    def offset(self, tag: Tag) -> int:
        return int.from_bytes(tag.raw, "little" if self.order == "<" else "big")


def orientation_of(exif: bytes) -> int:
    """Tag 0x0112 of the first IFD (EXIF 3.0, 4.6.5): 1 to 8. A broken or out-of-range value counts as 1."""
    while exif.startswith(EXIF):
        exif = exif[len(EXIF) :]
    return orientation_of_tiff(exif)


def orientation_of_tiff(data: bytes) -> int:
    """As `orientation_of`, of EXIF without its prefix."""
    try:
        value = directory(data).integer(0x0112, 1)
    except (struct.error, ValueError):
        return 1
    return value if 1 <= value <= 8 else 1


def directory(data: bytes, at: int | None = None) -> Directory:
    """The first directory, or the one at `at`. Raises ValueError, struct.error."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        raise ValueError("no byte order")
    (version,) = struct.unpack_from(order + "H", data, 2)
    if version == 43:
        where, number, entry = "Q", "Q", struct.Struct(order + "HHQ8s")
    elif version == 42:
        where, number, entry = "I", "H", struct.Struct(order + "HHI4s")
    else:
        raise ValueError(f"version {version}")
    if at is None:
        (at,) = struct.unpack_from(order + where, data, 8 if version == 43 else 4)
    (count,) = struct.unpack_from(order + number, data, at)
    at += struct.calcsize(number)
    whole = max(0, min(count, _MAX_ENTRIES, (len(data) - at) // entry.size))
    tags: dict[int, Tag] = {}
    for fields in entry.iter_unpack(data[at : at + whole * entry.size]):
        tags.setdefault(fields[0], Tag(*fields))
    after = data[at + count * entry.size :][: struct.calcsize(where)] if count == whole else b""
    return Directory(data, order, tags, int.from_bytes(after, "little" if order == "<" else "big"))
