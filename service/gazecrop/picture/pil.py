"""A picture that a program has in memory as a PIL image, as the network's input. Pure.

A file and the PIL image of it should give the same map. So an image whose file can still be read is decoded from it.
Without the file only two kinds differ: a JPEG larger than the network's input, because a file of it is decoded at a
reduced size, and colours that are declared by code points (cICP, nclx), which Pillow does not keep.
"""

from collections.abc import Sequence
from contextlib import suppress
from io import BytesIO

from PIL import Image
from PIL.ImageFile import ImageFile

from gazecrop.errors import PictureError, PictureUnreadable
from gazecrop.picture.bars import inside, with_bars
from gazecrop.picture.containers.ifd import orientation_of
from gazecrop.picture.decode import Thumbnail, flat, upright
from gazecrop.picture.load import SIDEWAYS, TURNS
from gazecrop.picture.probe import inspect, nearest_shape, unreadable_on_error
from gazecrop.picture.space import space_of_image


def file_of(image: Image.Image, shapes: Sequence[tuple[int, int]]) -> bytes | None:
    """The bytes of the file that the image shows, None where decoding the pixels of `image` is as good or where the
    file is not available: it was closed, the image shows a later frame, or its pixels were changed."""
    if not isinstance(image, ImageFile) or image.tell():
        return None
    if image.tile and image.fp is not None and not image.fp.closed:  # opened, and no pixel decoded yet
        position = image.fp.tell()
        image.fp.seek(0)
        data: bytes = image.fp.read()
        image.fp.seek(position)  # Pillow continues to read there
        with suppress(PictureError):
            header = inspect(data)
            # Not so after `Image.draft`. Only of TIFF does Pillow give the upright size before it loads the pixels.
            if sorted((header.width, header.height)) == sorted(image.size):
                return data
        return None
    return _decoded_from(image, shapes)


def _decoded_from(image: ImageFile, shapes: Sequence[tuple[int, int]]) -> bytes | None:
    """The file of a loaded image, if decoding it gives the same pixels. Only where the network's input would differ
    without it: a JPEG that is decoded at a reduced size, and colours by code points, which Pillow does not keep."""
    if not image.filename:
        return None
    with suppress(OSError, PictureError):
        with open(image.filename, "rb") as file:
            data = file.read()
        header = inspect(data, shapes)
        if header.draft == 1 and header.walk.colours.code_points is None:
            return None
        with Image.open(BytesIO(data)) as again:
            if (again.size, again.mode) == (image.size, image.mode) and again.tobytes() == image.tobytes():
                return data
    return None


def thumbnail_of(image: Image.Image, shapes: Sequence[tuple[int, int]]) -> Thumbnail:
    """The network's input, from the pixels of the image, turned upright by its EXIF orientation. The image is not
    changed. Raises PictureUnreadable."""
    format = (image.format or "image").lower()
    if not all(image.size):
        raise PictureUnreadable("The image is empty.")
    with unreadable_on_error(format):
        image.load()
        orientation = orientation_of(image.info.get("exif", b"")) if image.format != "TIFF" else 1
        turn = TURNS.get(orientation)
        width, height = image.size[::-1] if turn in SIDEWAYS else image.size
        place = inside(width, height, nearest_shape(width, height, shapes))
        pixels = upright(image, (place.width, place.height), turn, None, space_of_image(image))
    frame = with_bars(pixels, place)
    return Thumbnail((frame,), width, height, format, orientation, flat(pixels), place)
