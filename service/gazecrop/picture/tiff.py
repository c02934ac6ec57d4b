"""TIFF pixels in the layouts that Pillow misreads: separate planes, 10 to 14 bits, inverted, with alpha. Pure.

libtiff, by way of Pillow, only decompresses: each plane is presented to it as a grey picture of 8 bits whose rows are
the bytes of the samples. The samples are taken out of the bytes here, with 8 bits left of each.
"""

import struct
from collections.abc import Iterator
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from gazecrop.picture.containers.layout import CMYK, COLOURS, ICC_LAB, LAB, WHITE_IS_ZERO, Layout

_BAND = 1 << 20  # samples converted at once


def read_tiff(data: bytes, size: tuple[int, int], layout: Layout) -> Image.Image:
    """The picture as stored, `size` = (width, height): L, LA, RGB, RGBA, CMYK or LAB. Raises what Pillow raises."""
    width, height = size
    planes = layout.count if layout.planar else 1
    together = 1 if layout.planar else layout.count
    wanted = [*range(COLOURS[layout.photometric]), *([layout.alpha] if layout.alpha >= 0 else [])]
    pixels = np.empty((height, width, len(wanted)), np.float32 if layout.stretches else np.uint8)
    for plane in range(planes):
        if layout.planar and plane not in wanted:
            continue
        raw = _bytes_of_plane(data, size, layout, plane, planes, together)
        for top, samples in _bands(raw, size, layout, together):
            part = samples if layout.planar else samples[..., wanted]
            here = [wanted.index(plane)] if layout.planar else list(range(len(wanted)))
            pixels[top : top + len(part), :, here] = part
        del raw
    return _picture(
        _to_8_bits(pixels, layout) if layout.stretches else pixels.astype(np.uint8, copy=False), layout
    )


def _bytes_of_plane(
    data: bytes, size: tuple[int, int], layout: Layout, plane: int, planes: int, together: int
) -> Image.Image:
    """L, a pixel for each byte of a row; the bytes of all tiles across follow each other."""
    height = size[1]
    across, row = _row(size, layout, together)
    pieces = len(layout.offsets) // planes
    part = slice(plane * pieces, (plane + 1) * pieces)
    tags: dict[int, list[int]] = {
        256: [row * across],
        257: [height],
        258: [8],
        259: [layout.compression],
        262: [1],
    }
    tags |= {277: [1]}
    offsets, lengths = list(layout.offsets[part]), list(layout.lengths[part])
    if layout.tile:
        tags |= {322: [row], 323: [layout.tile[1]], 324: offsets, 325: lengths}
    else:
        tags |= {273: offsets, 278: [min(layout.rows, height)], 279: lengths}
    picture = TiffImageFile(BytesIO(_grey_file(data, tags)))
    picture.load()
    return picture


def _grey_file(data: bytes, tags: dict[int, list[int]]) -> bytes:
    """The file with another directory, little-endian, behind it; offsets stay what they are."""
    first = len(data) + len(data) % 2
    beyond = first + 2 + 12 * len(tags) + 4
    directory, values = struct.pack("<H", len(tags)), b""
    for number, content in sorted(tags.items()):
        packed = struct.pack(f"<{len(content)}I", *content)
        where = packed if len(packed) == 4 else struct.pack("<I", beyond + len(values))
        values += packed if len(packed) > 4 else b""
        directory += struct.pack("<HHI", number, 4, len(content)) + where
    return (
        b"II*\0" + struct.pack("<I", first) + data[8:] + bytes(len(data) % 2) + directory + bytes(4) + values
    )


def _row(size: tuple[int, int], layout: Layout, together: int) -> tuple[int, int]:
    """How many tiles are across, 1 for strips, and the bytes of the row of one."""
    width = layout.tile[0] if layout.tile else size[0]
    return -(-size[0] // width), (width * together * layout.bits + 7) // 8


def _bands(
    raw: Image.Image, size: tuple[int, int], layout: Layout, together: int
) -> Iterator[tuple[int, NDArray[np.uint8] | NDArray[np.float32]]]:
    """The first row and the samples [rows, width, together] of each band."""
    width, height = size
    across, row = _row(size, layout, together)
    columns = layout.tile[0] if layout.tile else width
    step = max(1, _BAND // (across * row))
    for top in range(0, height, step):
        part = np.asarray(raw.crop((0, top, raw.width, min(top + step, height))))
        samples = _samples(part.reshape(-1, row), columns, layout, together)
        rows = samples.reshape(len(part), across * columns, together)
        yield top, rows[:, :width]


def _samples(
    rows: NDArray[np.uint8], columns: int, layout: Layout, together: int
) -> NDArray[np.uint8] | NDArray[np.float32]:
    """Bytes of rows -> [rows, columns, together]: the upper 8 bits, smaller values scaled to 8; else float32."""
    bits = layout.bits
    if layout.floats and layout.predictor == 3:
        return _floats(_unpredicted_floats(rows, bits // 8, together), ">", layout, columns, together)
    if layout.floats:
        return _floats(rows, layout.order, layout, columns, together)
    if bits in (8, 16, 32):
        values = rows.view(np.dtype(f"{layout.order}u{bits // 8}")).reshape(len(rows), columns, together)
        if layout.predictor == 2:
            values = np.cumsum(values, axis=1, dtype=values.dtype.newbyteorder("="))
        if bits == 32:
            return values.astype(np.float32)
        return (values >> (bits - 8)).astype(np.uint8)
    if layout.predictor != 1:
        raise ValueError(f"predictor {layout.predictor} of {bits} bits")
    digits = np.unpackbits(rows, axis=1, count=columns * together * bits)
    upper = digits.reshape(len(rows), columns, together, bits)[..., : min(bits, 8)]
    values = np.packbits(upper, axis=-1)[..., 0]
    if bits >= 8:
        return values
    return ((values >> (8 - bits)).astype(np.uint16) * 255 // ((1 << bits) - 1)).astype(np.uint8)


def _floats(
    rows: NDArray[np.uint8], order: str, layout: Layout, columns: int, together: int
) -> NDArray[np.float32]:
    values = np.ascontiguousarray(rows).view(np.dtype(f"{order}f{layout.bits // 8}"))
    with np.errstate(over="ignore"):  # 64 bits may exceed the range
        return values.reshape(len(rows), columns, together).astype(np.float32)


def _unpredicted_floats(rows: NDArray[np.uint8], size: int, together: int) -> NDArray[np.uint8]:
    """TIFF Technical Note 3: differences of bytes, the most significant bytes of a row first."""
    count = rows.shape[1] // together
    bytes_ = np.cumsum(rows.reshape(len(rows), count, together), axis=1, dtype=np.uint8)
    return bytes_.reshape(len(rows), size, -1).transpose(0, 2, 1).reshape(len(rows), -1)


def _to_8_bits(values: NDArray[np.float32], layout: Layout) -> NDArray[np.uint8]:
    """The lowest finite value of any colour is 0, the highest 255; alpha is a fraction of 1 or of 2^32 - 1."""
    pixels = np.empty(values.shape, np.uint8)
    colours = COLOURS[layout.photometric]
    shown = values[..., :colours]
    shown *= np.float32(0.25)  # keeps the difference finite for the widest possible range
    finite = np.isfinite(shown)
    low = float(shown.min(where=finite, initial=np.inf))
    high = float(shown.max(where=finite, initial=-np.inf))
    if low < high:
        np.nan_to_num(shown, copy=False, nan=low, posinf=high, neginf=low)
        for colour in range(colours):
            pixels[..., colour] = (shown[..., colour] - np.float32(low)) * np.float32(255 / (high - low))
    else:
        pixels[..., :colours] = 128
    if values.shape[-1] > colours:
        opaque = np.float32(255 if layout.floats else 255 / 0xFFFFFFFF)
        pixels[..., colours:] = np.nan_to_num(values[..., colours:] * opaque).clip(0, 255)
    return pixels


def _picture(pixels: NDArray[np.uint8], layout: Layout) -> Image.Image:
    colours = COLOURS[layout.photometric]
    if layout.photometric == WHITE_IS_ZERO:
        pixels[..., 0] = 255 - pixels[..., 0]
    if layout.photometric == ICC_LAB:
        pixels[..., 1:3] ^= (
            0x80  # here a* and b* are offset by 128; in Lab, as in Pillow's bytes, they are signed
        )
    if layout.photometric in (LAB, ICC_LAB):
        return _frombytes("LAB", pixels[..., :3])
    if layout.photometric == CMYK:
        if (
            layout.alpha >= 0 and not layout.associated
        ):  # no mode has both: on paper, less ink is more transparent
            ink = pixels[..., :4].astype(np.uint16) * pixels[..., 4:]
            pixels = (ink // 255).astype(np.uint8)
        return _frombytes("CMYK", pixels[..., :4])
    if layout.alpha < 0:
        return _frombytes("L" if colours == 1 else "RGB", pixels)
    if layout.associated:
        return _frombytes("La" if colours == 1 else "RGBa", pixels).convert("LA" if colours == 1 else "RGBA")
    return _frombytes("LA" if colours == 1 else "RGBA", pixels)


def _frombytes(mode: str, pixels: NDArray[np.uint8]) -> Image.Image:
    height, width = pixels.shape[:2]
    return Image.frombytes(mode, (width, height), np.ascontiguousarray(pixels).tobytes())
