"""A writer of TIFF files of every layout of samples, which Pillow does not write."""

import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[Any]


def write(
    samples: Samples,
    bits: int,
    photometric: int,
    *,
    extra: tuple[int, ...] = (),
    planar: bool = False,
    deflate: bool = False,
    predictor: int = 1,
    order: str = "<",
    kind: int = 1,
    rows: int = 0,
    tile: int = 0,
    tags: dict[int, tuple[int, list[int]]] | None = None,
) -> bytes:
    """`samples`: [rows, columns, samples], integers below 2^bits, or floats with kind=3. `rows` of a strip; `tile`:
    its side, a multiple of 16. `extra`: ExtraSamples. `tags`: further ones, number -> (type, values)."""
    height, width, count = samples.shape
    pack = _packer(bits, order, kind, predictor)
    planes = [samples[..., i : i + 1] for i in range(count)] if planar else [samples]
    pieces: list[bytes] = []
    step = rows or height
    for plane in planes:
        if tile:
            for top in range(0, height, tile):
                for left in range(0, width, tile):
                    part = plane[top : top + tile, left : left + tile]
                    missing = ((0, tile - part.shape[0]), (0, tile - part.shape[1]), (0, 0))
                    pieces.append(pack(np.pad(part, missing)))
        else:
            pieces += [pack(plane[top : top + step]) for top in range(0, height, step)]
    if deflate:
        pieces = [zlib.compress(piece) for piece in pieces]
    offsets, at = [], 8
    for piece in pieces:
        offsets.append(at)
        at += len(piece) + len(piece) % 2
    entries: dict[int, tuple[int, list[int]]] = {
        256: (4, [width]),
        257: (4, [height]),
        258: (3, [bits] * count),
        259: (3, [8 if deflate else 1]),
        262: (3, [photometric]),
        277: (3, [count]),
        284: (3, [2 if planar else 1]),
    }
    where = {
        322: (4, [tile]),
        323: (4, [tile]),
        324: (4, offsets),
        325: (4, [len(piece) for piece in pieces]),
    }
    strips = {273: (4, offsets), 278: (4, [step]), 279: (4, [len(piece) for piece in pieces])}
    entries |= where if tile else strips
    if predictor != 1:
        entries[317] = (3, [predictor])
    if kind != 1:
        entries[339] = (3, [kind] * count)
    if extra:
        entries[338] = (3, list(extra))
    entries |= tags or {}
    body = b"".join(piece + bytes(len(piece) % 2) for piece in pieces)
    return _file(order, body, entries)


def _file(order: str, body: bytes, entries: dict[int, tuple[int, list[int]]]) -> bytes:
    first = 8 + len(body)
    beyond = first + 2 + 12 * len(entries) + 4
    directory, values = struct.pack(order + "H", len(entries)), b""
    for number, (kind, content) in sorted(entries.items()):
        packed = struct.pack(f"{order}{len(content)}{ {1: 'B', 3: 'H', 4: 'I', 7: 'B'}[kind] }", *content)
        directory += struct.pack(order + "HHI", number, kind, len(content))
        if len(packed) <= 4:
            directory += packed.ljust(4, b"\0")
        else:
            directory += struct.pack(order + "I", beyond + len(values))
            values += packed + bytes(len(packed) % 2)
    magic = b"II*\0" if order == "<" else b"MM\0*"
    return magic + struct.pack(order + "I", first) + body + directory + bytes(4) + values


def _packer(bits: int, order: str, kind: int, predictor: int) -> Callable[[Samples], bytes]:
    def pack(part: Samples) -> bytes:
        if predictor == 2:
            part = part.copy()
            part[:, 1:] = (part[:, 1:] - part[:, :-1]) % (1 << bits)
        rows = part.reshape(len(part), -1)
        if kind == 3:
            floats = rows.astype(f"{order}f{bits // 8}")
            return floats.tobytes()
        if bits in (8, 16, 32):
            return rows.astype(f"{order}u{bits // 8}").tobytes()
        shifts = np.arange(bits - 1, -1, -1, dtype=np.uint64)
        digits = (rows[..., None].astype(np.uint64) >> shifts & np.uint64(1)).astype(np.uint8)
        return np.packbits(digits.reshape(len(rows), -1), axis=1).tobytes()

    return pack
