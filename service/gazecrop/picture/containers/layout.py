"""How a TIFF stores its samples, and which layouts Pillow misreads (version 13, tried one by one)."""

from dataclasses import dataclass

from gazecrop.picture.containers.ifd import Directory

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, CMYK, LAB, ICC_LAB = 0, 1, 2, 5, 8, 9
COLOURS = {
    WHITE_IS_ZERO: 1,
    BLACK_IS_ZERO: 1,
    RGB: 3,
    CMYK: 4,
    LAB: 3,
    ICC_LAB: 3,
}  # samples, without extra ones
_BYTES = {
    1,
    5,
    8,
    32773,
    32946,
    34925,
    50000,
}  # compressions of plain bytes: LZW, Deflate, PackBits, LZMA, Zstandard
_ASSOCIATED, _UNASSOCIATED = 1, 2  # values of ExtraSamples


@dataclass(frozen=True, slots=True)
class Layout:
    """`count` samples of `bits` a pixel, floats or unsigned integers; `alpha`: the number of the sample that is alpha,
    or -1. `tile`: width and height, or None for strips of `rows`."""

    photometric: int
    bits: int
    count: int
    planar: bool
    floats: bool
    alpha: int
    associated: bool
    compression: int
    predictor: int
    order: str
    rows: int
    tile: tuple[int, int] | None
    offsets: tuple[int, ...]
    lengths: tuple[int, ...]

    @property
    def stretches(self) -> bool:
        """Floats and integers of 32 bits have no defined white: the range of the values is shown."""
        return self.floats or self.bits == 32


def layout_of(tags: Directory) -> Layout | None:
    """None: Pillow reads it rightly, or refuses it. Raises ValueError for what nothing here reads rightly."""
    photometric, compression = tags.integer(262, -1), tags.integer(259, 1)
    planar = tags.integer(284, 1) == 2
    if photometric not in COLOURS or compression not in _BYTES:
        if planar and tags.integer(277, 1) > 1:
            raise ValueError("separate planes of this kind")
        return None
    count = tags.integer(277, 1)
    widths, formats = set(tags.integers(258, (1,))), set(tags.integers(339, (1,)))
    if len(widths) > 1 or len(formats) > 1:
        raise ValueError("samples of several kinds")
    bits, form = widths.pop(), formats.pop()
    extra = tags.integers(338)
    if not planar and _pillow_reads(photometric, bits, form, count, extra, tags.order):
        return None
    if form not in (1, 3) or tags.integer(266, 1) != 1:
        raise ValueError(f"sample format {form}, fill order {tags.integer(266, 1)}")
    if not (1 <= bits <= 16 or bits in (24, 32)) if form == 1 else bits not in (16, 32, 64):
        raise ValueError(f"{bits} bits")
    colours = COLOURS[photometric]
    if not colours <= count <= colours + 8:
        raise ValueError(f"{count} samples")
    if photometric in (LAB, ICC_LAB) and (form, bits) not in ((1, 8), (1, 16)):
        raise ValueError(f"Lab of {bits} bits")
    kinds = extra if extra or photometric != RGB else (_UNASSOCIATED,) * (count - colours)  # often left out
    alpha = next((i for i, kind in enumerate(kinds) if kind in (_ASSOCIATED, _UNASSOCIATED)), -1)
    if colours + alpha >= count:
        alpha = -1
    associated = alpha >= 0 and kinds[alpha] == _ASSOCIATED
    if photometric in (LAB, ICC_LAB) and alpha >= 0:
        raise ValueError("Lab with alpha")
    if (form == 3 or bits == 32) and (photometric not in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB) or associated):
        raise ValueError(f"{bits} bits of this kind")
    tiled = 322 in tags.tags
    return Layout(
        photometric=photometric,
        bits=bits,
        count=count,
        planar=planar,
        floats=form == 3,
        alpha=colours + alpha if alpha >= 0 else -1,
        associated=associated,
        compression=compression,
        predictor=tags.integer(317, 1),
        order=tags.order,
        rows=tags.integer(278, 2**31),
        tile=(tags.integer(322), tags.integer(323)) if tiled else None,
        offsets=tags.integers(324 if tiled else 273),
        lengths=tags.integers(325 if tiled else 279),
    )


def _pillow_reads(
    photometric: int, bits: int, form: int, count: int, extra: tuple[int, ...], order: str
) -> bool:
    """Of samples that are not in separate planes: rightly, or as integers or floats without a defined white."""
    if form != 1:
        return photometric == BLACK_IS_ZERO and form == 2
    alone = count == COLOURS[photometric] and not extra
    if bits == 8:
        grey_alpha = photometric == BLACK_IS_ZERO and count == 2 and len(extra) == 1
        rgb = photometric == RGB and count - 3 in (len(extra), len(extra) + 1) and count <= 6
        return (alone and photometric != ICC_LAB) or grey_alpha or rgb
    if bits == 16:
        rgb = photometric == RGB and count in (3, 4)
        return rgb or alone and photometric in (BLACK_IS_ZERO, CMYK)
    return bits in (1, 2, 4) and alone and photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO)
