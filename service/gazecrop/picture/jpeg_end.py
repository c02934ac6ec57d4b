"""JPEG files that end without a marker: is the picture whole, or are pixels missing? Pure.

Some cameras write no EOI (panoramas of Samsung put a trailer there), and some transfers lose the last two bytes.
libjpeg does not detect it: it pads what is missing with zeros. So such a file is decoded twice with different bytes
behind its end. Where the pixels depend on these bytes, data is missing. The line: a file is whole if every block has
its mean (its DC coefficient); of a progressive one every scan must be there, and luma must be exact.
"""

import struct
from collections.abc import Iterator
from io import BytesIO

from blake3 import blake3
from PIL.JpegImagePlugin import JpegImageFile

from gazecrop.picture.containers.jpeg import next_marker
from gazecrop.picture.containers.walk import Walk

_EOI = b"\xff\xd9"
# Bits that no code of a valid file is made of in both cases, enough for several blocks; no 0xFF, which starts markers
_FILLERS = (b"\x00" * 512, b"\xaa\x55\x9c" * 170)
_IN_SCANS = {0xC4, 0xDA, 0xDB, 0xDC, 0xDD, 0xFE, *range(0xE0, 0xF0)}  # may follow a scan (ITU T.81, B.2)


def with_end(data: bytes, walk: Walk) -> bytes | None:
    """The file's pixel data with EOI, if only that was missing; None if it is truncated, or arithmetic-coded."""
    if walk.arithmetic:
        return None
    start = walk.parts[-1].start
    head = b"".join(data[part] for part in walk.parts[:-1])
    scans = list(_segments(data, start)) if walk.buffered else [(0xDA, start, _end_of_scan(data, start))]
    if walk.progressive and not _refined(data, scans, walk.components):
        return None
    body = data[start : scans[-1][2]].rstrip(b"\xff")  # an 0xFF of coded data would be followed by 0
    if len({_digest(head + body + filler + _EOI, walk) for filler in _FILLERS}) > 1:
        return None
    return head + body + _EOI


def _end_of_scan(data: bytes, start: int) -> int:
    found = next_marker(data, start + 2 + int.from_bytes(data[start + 2 : start + 4]))
    return len(data) if found is None else found


def _segments(data: bytes, start: int) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of the scans and of the tables between them; a scan ends with its entropy-coded data."""
    while start < len(data) - 4 and data[start] == 0xFF and data[start + 1] in _IN_SCANS:
        end = _end_of_scan(data, start)
        yield data[start + 1], start, end
        start = end


def _refined(data: bytes, scans: list[tuple[int, int, int]], components: int) -> bool:
    """Whether every coefficient of every component has got its last bit (G.1.1.1): else scans are missing."""
    exact = set()
    for marker, start, _ in scans:
        if marker == 0xDA:
            count = data[start + 4]
            first, last, bits = struct.unpack_from("BBB", data, start + 5 + 2 * count)
            if bits & 15 == 0:
                names = data[start + 5 : start + 5 + 2 * count : 2]
                exact |= {(name, k) for name in names for k in range(first, min(last, 63) + 1)}
    return len(exact) >= 64 * components


def _digest(data: bytes, walk: Walk) -> bytes:
    """Of the pixels, in no more memory than decoding was counted with: of a buffered file luma, else at 1/8."""
    picture = JpegImageFile(BytesIO(data))
    if walk.buffered:
        picture.draft("L", picture.size)
    else:
        picture.draft(None, (max(1, walk.width // 8), max(1, walk.height // 8)))
    picture.load()
    return blake3(picture.tobytes()).digest()
