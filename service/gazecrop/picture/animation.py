"""The frames of an animation: which of them the map is made from, and the canvas as each one leaves it. Pure.

The canvas is composed here, not by Pillow's `seek`: so only the frames that are needed are decoded, each costs its own
size and not the canvas', the cost follows from the container before any pixel is decoded, and the result is that of
browsers, which start with a transparent canvas and clear it to transparency.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO

from PIL import Image
from PIL.AvifImagePlugin import AvifImageFile

from gazecrop.picture.colour import reducible
from gazecrop.picture.containers.walk import Disposal, Frame
from gazecrop.picture.load import load_frame
from gazecrop.picture.probe import Header, unreadable_on_error
from gazecrop.picture.space import SRGB, Space, space_of, to_srgb


@dataclass(frozen=True, slots=True)
class Canvas:
    """`picture`: the canvas in the stored frame, RGBA, or as AVIF is decoded; the next frame changes it."""

    index: int  # of the frame
    picture: Image.Image


def space_of_canvas(data: bytes, header: Header) -> Space:
    """The colour space of the composed canvas. A profile of grey is applied to the frames of an APNG before, because
    the canvas has colour."""
    space = space_of(data, header.walk.colours)
    return SRGB if space.of == b"GRAY" and header.format == "png" else space


def composed(
    data: bytes, header: Header, order: Sequence[int], between: Callable[[], object] = lambda: None
) -> Iterator[Canvas]:
    """The canvas after each frame of `order`, ascending. A frame whose predecessor is not in it starts on an empty
    canvas. `between` is called before each frame is decoded, and may raise.

    Ends early at a frame that cannot be decoded, as browsers do. Raises `PictureUnreadable` if it is the first one.
    """
    frames = _avif(data) if header.format == "avif" else _drawn(data, header)
    for place, index in enumerate(order):
        between()
        try:
            with unreadable_on_error(header.format):
                picture = frames(index)
        except Exception:
            if place == 0:
                raise
            return
        yield Canvas(index, picture)


def _avif(data: bytes) -> Callable[[int], Image.Image]:
    """libavif decodes what lies between the last key frame and the wanted one by itself."""
    file = AvifImageFile(BytesIO(data))

    def draw(index: int) -> Image.Image:
        file.seek(index)
        file.load()
        return file

    return draw


def _drawn(data: bytes, header: Header) -> Callable[[int], Image.Image]:
    walk = header.walk
    space = space_of(data, walk.colours)
    canvas = Image.new("RGBA", (walk.width, walk.height))
    last = -1
    undo: Callable[[], object] = _nothing

    def draw(index: int) -> Image.Image:
        nonlocal last, undo
        frame = walk.frames[index]
        picture = reducible(load_frame(data, header, frame))
        if space.of == b"GRAY" and picture.mode in ("L", "LA"):
            picture = to_srgb(picture, space)
        if index == last + 1:
            undo()
        else:
            canvas.paste((0, 0, 0, 0), (0, 0, *canvas.size))
        undo = _undo(canvas, frame)
        _put(canvas, picture.convert("RGBA"), frame)
        last = index
        return canvas

    return draw


def _put(canvas: Image.Image, picture: Image.Image, frame: Frame) -> None:
    if picture.size != (frame.width, frame.height):
        raise ValueError(f"a frame of {picture.size} pixels instead of {frame.width}x{frame.height}")
    place = frame.x, frame.y
    if not frame.blend:
        canvas.paste(picture, place)
        return
    alpha = picture.getchannel("A")
    if sum(alpha.histogram()[1:255]):
        canvas.alpha_composite(picture, place)
    else:  # GIF and most others: `paste` takes 1.3 ms for 0.5 MP, and may reach beyond the canvas
        canvas.paste(picture, place, alpha)


def _undo(canvas: Image.Image, frame: Frame) -> Callable[[], object]:
    """What is done to the canvas before the next frame."""
    area = (
        frame.x,
        frame.y,
        min(frame.x + frame.width, canvas.width),
        min(frame.y + frame.height, canvas.height),
    )
    if frame.disposal == Disposal.KEEP or area[0] >= area[2] or area[1] >= area[3]:
        return _nothing
    if frame.disposal == Disposal.CLEAR:
        return lambda: canvas.paste((0, 0, 0, 0), area)
    before = canvas.crop(area)
    return lambda: canvas.paste(before, area)


def _nothing() -> None:
    pass
