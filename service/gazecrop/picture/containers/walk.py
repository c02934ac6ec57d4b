"""The result of parsing a container, and the bound of its work.

Pillow would parse the containers while opening, but before any limit can be applied it allocates a canvas (WebP),
inflates text (PNG), creates an object for each of a million strips (TIFF), and parses EXIF in 0.3 ms with warnings
about what is broken. A walk costs 10 to 100 µs and its loops are bounded: `most` parts, up to 0.2 s for hostile
files with MAX_PARTS, about 2 ms with QUICK.

Every parser raises ValueError, IndexError or struct.error for malformed bytes, which `probe` maps, and `Lengthy`.
"""

from dataclasses import dataclass, field
from enum import IntEnum

from gazecrop.picture.containers.layout import Layout

MAX_PARTS = 100_000  # in any walk; real files have under 3,000 (20 MB in IDAT chunks of 8 kB)
QUICK = 1_500  # parts that take at most 2 ms
QUICK_FRAMES = 300  # of WebP, whose frames take 4 µs each
# Frames of an animation that are listed; later ones are only counted. Each costs 20 µs (GIF) to 0.4 ms (WebP) to open,
# whatever its size. Real animations have 2 to 300.
MOST_FRAMES = 1_000


class Lengthy(Exception):
    """The container has more parts than a quick walk may parse."""


@dataclass(slots=True)
class Colours:
    """The declarations of colour, not yet validated. `profile`: byte ranges that together are the ICC profile, or one
    whole iCCP chunk if `in_chunk`. `code_points`: colour primaries and transfer characteristics of H.273. `srgb`,
    `gamma` and `primaries` (x and y of red, green, blue, white): of the PNG chunks; 0 and None where absent."""

    profile: list[slice] = field(default_factory=list)
    in_chunk: bool = False
    code_points: tuple[int, int] | None = None
    srgb: bool = False
    gamma: float = 0.0
    primaries: tuple[float, float, float, float, float, float, float, float] | None = None
    grey_as_rgb: bool = False  # the decoder makes RGB of grey pictures too


class Disposal(IntEnum):
    """What happens to the frame's part of the canvas before the next frame is drawn."""

    KEEP = 0
    CLEAR = 1  # it becomes transparent
    RESTORE = 2  # it becomes what it was before this frame


@dataclass(frozen=True, slots=True)
class Frame:
    """A part of the canvas, in pixels, and the byte ranges of its data (WebP: chunks; PNG: contents of IDAT or fdAT;
    GIF: graphic control extensions, then the image). `delay`: milliseconds, as the file has it. `blend`: it is drawn
    over what the canvas shows, False: it replaces that."""

    x: int
    y: int
    width: int
    height: int
    parts: list[slice]
    delay: float = 0.0
    disposal: Disposal = Disposal.KEEP
    blend: bool = True

    @property
    def pixels(self) -> int:
        return self.width * self.height


@dataclass(slots=True)
class Walk:
    """`width` and `height` as stored. `parts`: byte ranges that the pixels depend on (JPEG, PNG and GIF; of other
    formats the whole file is read)."""

    width: int = 0
    height: int = 0
    orientation: int = 1
    buffered: bool = False  # JPEG: several scans, so that the decoder keeps all coefficients in memory
    scans: int = 1
    progressive: bool = False
    arithmetic: bool = False
    components: int = 0  # of a JPEG
    coefficients: int = 0  # of a JPEG, of all its components
    parts: list[slice] = field(default_factory=list)
    layout: Layout | None = None  # of a TIFF that Pillow misreads
    mode: str = ""  # Pillow's, of what the file is decoded to; "+" behind it: with a transparent colour
    frame: Frame | None = None  # the first one, where it is not simply the whole canvas
    frames: list[Frame] = field(
        default_factory=list
    )  # of an animation: the first MOST_FRAMES; of a still none
    count: int = 1  # frames
    plays: int = 0  # how often an animation is shown; 0: for ever
    partial: bool = False  # a GIF of too many parts, whose later frames are not counted
    colours: Colours = field(default_factory=Colours)
    coarse: list[slice] = field(default_factory=list)  # progressive JPEG: enough for 1/8 of its sides


def too_many(most: int) -> Exception:
    """What a walk raises after `most` parts."""
    return ValueError("too many parts") if most >= MAX_PARTS else Lengthy()
