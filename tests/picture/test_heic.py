"""HEIC, the format of phones. libheif applies the orientation itself; the EXIF tag must not be applied again."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from gazecrop.crop.placing import Box
from gazecrop.errors import PictureUnreadable
from gazecrop.picture.decode import Limits, decode
from gazecrop.picture.render import crop
from tests.helpers.samples import STORED, difference, exif, scene

pytestmark = pytest.mark.long  # the only tests that need the extra [heic]
EXPECTED = np.asarray(scene().resize((320, 240), Image.Resampling.BOX))


def heic(orientation: int) -> bytes:
    turn = STORED[orientation]
    pillow_heif = pytest.importorskip("pillow_heif")
    file = BytesIO()
    stored = scene() if turn is None else scene().transpose(turn)
    pillow_heif.from_pillow(stored).save(file, quality=90, exif=exif(orientation))
    return file.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_family_gives_one_thumbnail_and_one_crop(orientation: int) -> None:
    data = heic(orientation)
    thumbnail = decode(data, Limits(), [(240, 320)])
    assert (thumbnail.width, thumbnail.height, thumbnail.format) == (640, 480, "heic")
    assert difference(thumbnail.pixels, EXPECTED) < 2
    result = Image.open(BytesIO(crop(data, Box(0, 0, 640, 480), width=320, format="png")))
    assert difference(np.asarray(result), EXPECTED) < 2 and not result.getexif()


def test_truncated() -> None:
    data = heic(1)
    for length in range(20, len(data), len(data) // 20):
        with pytest.raises(PictureUnreadable):
            decode(data[:length], Limits(), [(240, 320)])
