"""bytes + box + size -> an encoded crop that is animated if the picture is. Pure.

All frames are cut at one box. Delays and the number of plays are kept, metadata is not. One frame is decoded, cut and
encoded after the other, so that memory does not grow with their number.
"""

from collections.abc import Callable

from PIL import Image

from gazecrop.errors import TooManyPixels
from gazecrop.picture import render
from gazecrop.picture.animation import composed, space_of_canvas
from gazecrop.picture.colour import reducible
from gazecrop.picture.decode import Limits
from gazecrop.picture.load import SIDEWAYS, turn_of
from gazecrop.picture.probe import Header, unreadable_on_error
from gazecrop.picture.render import (
    LONGEST_SIDE,
    MEDIA_TYPES,
    Cut,
    Rectangle,
    for_output,
    options_of,
    stored_box,
)
from gazecrop.picture.space import Space, to_srgb
from gazecrop.picture.writers import GifWriter, PngWriter, WebPWriter, Writer

TYPES = MEDIA_TYPES | {"gif": "image/gif"}  # of outputs
ANIMATED = ("webp", "gif", "png")  # formats that are written with frames
PLAIN = ("webp", "gif")  # those that stay animated where it is not asked for: of PNG a still is expected
# Share of the input's limit that the frames of an output may have together. A megapixel takes 22 ms as WebP, 20 as GIF,
# up to 280 as PNG, which thus has the same limit as a still.
SHARE = {"webp": 1.0, "gif": 1.0, "png": 0.12}
_WRITERS: dict[str, Callable[..., Writer]] = {"webp": WebPWriter, "gif": GifWriter, "png": PngWriter}


def crop(
    data: bytes,
    box: Rectangle,
    *,
    animated: bool | None = None,
    width: int | None = None,
    height: int | None = None,
    format: str = "jpeg",
    quality: int | None = None,
    enlarge: bool = False,
    longest_side: int = LONGEST_SIDE,
    max_pixels: int | None = None,
    limits: Limits | None = None,
    between: Callable[[], object] = lambda: None,
) -> bytes:
    """`render.crop` that also writes GIF, and keeps an animation animated: with `animated` in every format of ANIMATED;
    with None in those of PLAIN, and within `limits`; else the first frame is written. The frames together have at
    most SHARE of `limits.pixels_animated`, so that a long one is scaled down. `between` is called before each frame
    is decoded, and may raise.

    Raises as `render.crop`; with `animated` also `TooManyPixels` for an animation above the limits.
    """
    limits = limits or Limits()
    header = render.checked(data, box, limits)
    moving = is_kept(header, format, animated, limits)
    if not moving and format != "gif":
        return render.crop(
            data,
            box,
            width=width,
            height=height,
            format=format,
            quality=quality,
            enlarge=enlarge,
            longest_side=longest_side,
            max_pixels=max_pixels,
            limits=limits,
        )
    if moving:
        most = int(limits.pixels_animated * SHARE[format] / header.frames)
        max_pixels = min(max_pixels or most, most)
    size = render.output_size(
        box.width,
        box.height,
        width,
        height,
        enlarge=enlarge,
        longest_side=longest_side,
        max_pixels=max_pixels,
    )
    ltwh = box.x, box.y, box.width, box.height
    if moving:
        return _animation(data, header, ltwh, size, format, quality, between)
    return _still_gif(render.cut(data, header, ltwh, size))


def is_kept(header: Header, format: str, animated: bool | None, limits: Limits) -> bool:
    """Whether the output has the frames of the picture. Raises TooManyPixels as `crop`."""
    if header.frames == 1 or animated is False or format not in (ANIMATED if animated else PLAIN):
        return False
    try:
        limits.check_animation(header)
    except TooManyPixels:
        if animated:
            raise
        return False
    return True


def _animation(
    data: bytes,
    header: Header,
    box: tuple[int, int, int, int],
    size: tuple[int, int],
    format: str,
    quality: int | None,
    between: Callable[[], object],
) -> bytes:
    walk, turn, space = header.walk, turn_of(header), space_of_canvas(data, header)
    edges = stored_box(turn, box, (walk.width, walk.height))
    stored = (size[1], size[0]) if turn in SIDEWAYS else size
    writer: Writer | None = None
    for canvas in composed(data, header, range(len(walk.frames)), between):
        with unreadable_on_error(header.format):
            frame = _cut(canvas.picture, edges, stored, turn, space, keep=format != "gif")
            if writer is None:
                writer = _WRITERS[format](size, walk.plays, frame.profile, options_of(format, quality))
            writer.add(frame.picture, walk.frames[canvas.index].delay)
    assert writer is not None  # `composed` raises where there is no frame
    return writer.finish()


def _cut(
    canvas: Image.Image,
    edges: tuple[int, int, int, int],
    size: tuple[int, int],
    turn: Image.Transpose | None,
    space: Space,
    *,
    keep: bool,
) -> Cut:
    """One frame, RGBA. `edges` and `size`: in the stored frame."""
    part = reducible(canvas.crop(edges))
    if part.mode in ("LA", "RGBA") and part.getextrema()[-1] == (255, 255):
        part = part.convert(part.mode[:-1])  # to be resized at twice the speed
    if part.size != size:
        part = part.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    part, profile = for_output(part, space, keep=keep)
    if turn is not None:
        part = part.transpose(turn)
    return Cut(part.convert("RGBA"), profile)


def _still_gif(result: Cut) -> bytes:
    picture = result.picture
    if result.profile:  # which GIF has no place for
        picture = to_srgb(picture, Space(result.profile))
    writer = GifWriter(picture.size, 1, b"", {})
    writer.add(picture.convert("RGBA"), 0)
    return writer.finish()
