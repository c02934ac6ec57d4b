"""AVIF and HEIC (ISO/IEC 14496-12 and 23008-12): the colours of the primary item, the samples of a sequence."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from gazecrop.picture import cicp
from gazecrop.picture.containers.walk import MOST_FRAMES, Colours

_MAX_BOXES = 1_500  # of one level


def colours_of(data: bytes) -> Colours:
    """The ICC profile or else the nclx code points in the `colr` properties. Nothing where the boxes are broken."""
    try:
        return _colours(data)
    except (struct.error, IndexError):
        return Colours()


def _colours(data: bytes) -> Colours:
    meta = _first(data, 0, len(data), b"meta")
    if meta is None:
        return Colours()
    start, end = meta[0] + 4, meta[1]  # after version and flags
    container = _first(data, start, end, b"iprp")
    properties = container and _first(data, *container, b"ipco")
    if container is None or properties is None:
        return Colours()
    boxes = list(_boxes(data, *properties))
    primary = _first(data, start, end, b"pitm")
    wanted = _associated(data, container, _item(data, primary)) if primary else set()
    declared = [(at, stop) for i, (kind, at, stop) in enumerate(boxes, 1) if kind == b"colr" and i in wanted]
    if not declared:  # a grid may leave it to its tiles
        declared = [(at, stop) for kind, at, stop in boxes if kind == b"colr"]
    found = Colours(grey_as_rgb=True)
    for at, stop in declared:
        if data[at : at + 4] in (b"prof", b"rICC") and not found.profile:
            found.profile = [slice(at + 4, stop)]
        elif data[at : at + 4] == b"nclx" and found.code_points is None:
            primaries, transfer = struct.unpack_from(">HH", data, at + 4)
            found.code_points = (
                1 if primaries == cicp.UNSPECIFIED else primaries,
                # browsers draw the camera curves of video as sRGB
                13 if transfer in (cicp.UNSPECIFIED, *cicp.CAMERA_CURVES) else transfer,
            )
    if found.profile:
        found.code_points = None  # which then only define the matrix from YCbCr to RGB
    return found


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of the content of each box."""
    for _ in range(_MAX_BOXES):
        if at + 8 > end:
            return
        size, kind = struct.unpack_from(">I4s", data, at)
        body = at + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, body)
            body += 8
        stop = end if size == 0 else min(at + size, end)
        if stop < body:
            return
        yield kind, body, stop
        at = stop


def _first(data: bytes, at: int, end: int, kind: bytes) -> tuple[int, int] | None:
    return next(((start, stop) for found, start, stop in _boxes(data, at, end) if found == kind), None)


def _item(data: bytes, primary: tuple[int, int]) -> int:
    at = primary[0]
    wide = data[at] > 0
    (number,) = struct.unpack_from(">I" if wide else ">H", data, at + 4)
    return int(number)


def _associated(data: bytes, container: tuple[int, int], item: int) -> set[int]:
    """The numbers, from 1, of the item's properties (8.11.14 of 14496-12)."""
    found: set[int] = set()
    for kind, at, end in _boxes(data, *container):
        if kind != b"ipma":
            continue
        version, long_index = data[at], data[at + 3] & 1
        (count,) = struct.unpack_from(">I", data, at + 4)
        at += 8
        for _ in range(min(count, 65_536)):
            if at + 3 > end:
                break
            (number,) = struct.unpack_from(">H" if version < 1 else ">I", data, at)
            at += 2 if version < 1 else 4
            associations = data[at]
            at += 1
            width = 2 if long_index else 1
            if number == item:
                indexes = (data[at + i * width : at + (i + 1) * width] for i in range(associations))
                found |= {int.from_bytes(index) & (0x7FFF if long_index else 0x7F) for index in indexes}
            at += associations * width
    return found


@dataclass(frozen=True, slots=True)
class Samples:
    """Of the first `MOST_FRAMES` frames the milliseconds and whether each is a key frame. `plays`: 0 for ever."""

    delays: tuple[float, ...]
    keys: tuple[bool, ...]
    plays: int


def samples_of(data: bytes, count: int) -> Samples:
    """Of a sequence of `count` frames. Where the boxes are broken: no delays, the first frame is the only key frame."""
    count = min(count, MOST_FRAMES)
    try:
        return _samples(data, count)
    except (struct.error, IndexError, ZeroDivisionError):
        return Samples((0.0,) * count, (True, *[False] * (count - 1)), 0)


def _samples(data: bytes, count: int) -> Samples:
    for track in _tracks(data):
        media = _inner(data, track, b"mdia")
        handler, header = _inner(data, media, b"hdlr"), _inner(data, media, b"mdhd")
        if data[handler[0] + 8 : handler[0] + 12] == b"pict":
            break
    else:
        raise IndexError("no track of pictures")
    at = header[0]
    (scale,) = struct.unpack_from(">I", data, at + (20 if data[at] else 12))
    table = _inner(data, _inner(data, media, b"minf"), b"stbl")
    delays: list[float] = []
    at = _inner(data, table, b"stts")[0]
    (entries,) = struct.unpack_from(">I", data, at + 4)
    for i in range(min(entries, count)):
        repeated, delta = struct.unpack_from(">II", data, at + 8 + 8 * i)
        delays += [1000 * delta / scale] * min(repeated, count - len(delays))
    delays += [0.0] * (count - len(delays))
    keys = {1}
    sync = _first(data, *table, b"stss")
    if sync is None:  # without the box every sample is one (8.6.2)
        keys = set(range(1, count + 1))
    else:
        (entries,) = struct.unpack_from(">I", data, sync[0] + 4)
        keys |= set(struct.unpack_from(f">{min(entries, count)}I", data, sync[0] + 8))
    return Samples(tuple(delays), tuple(i in keys for i in range(1, count + 1)), _plays(data, track))


def _plays(data: bytes, track: tuple[int, int]) -> int:
    """8.6.6, edit list, as AVIF uses it: with flag 1 its one segment is repeated until the track's duration ends."""
    edit = _first(data, *track, b"edts")
    edits = edit and _first(data, *edit, b"elst")
    if edits is None:
        return 0
    at, head = edits[0], _inner(data, track, b"tkhd")[0]
    if not data[at + 3] & 1:
        return 1
    (segment,) = struct.unpack_from(">Q" if data[at] else ">I", data, at + 8)
    wide = data[head]
    (whole,) = struct.unpack_from(">Q" if wide else ">I", data, head + (28 if wide else 20))
    forever = whole == (2**64 - 1 if wide else 2**32 - 1)
    return 0 if forever else max(1, round(whole / segment))


def _tracks(data: bytes) -> Iterator[tuple[int, int]]:
    movie = _inner(data, (0, len(data)), b"moov")
    return ((at, end) for kind, at, end in _boxes(data, *movie) if kind == b"trak")


def _inner(data: bytes, within: tuple[int, int], kind: bytes) -> tuple[int, int]:
    found = _first(data, *within, kind)
    if found is None:
        raise IndexError(f"no {kind!r}")
    return found
