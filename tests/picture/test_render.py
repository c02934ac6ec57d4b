from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from gazecrop.crop.placing import Box
from gazecrop.errors import NotAPicture, PictureUnreadable, TooManyPixels
from gazecrop.picture.decode import Limits
from gazecrop.picture.probe import inspect, scale_for_crop
from gazecrop.picture.render import MEDIA_TYPES, crop, output_size
from tests.helpers.colours import cmyk_profile
from tests.helpers.pictures import encode
from tests.helpers.samples import FORMATS, SAMPLES, STORED, difference, exif, scene

RGB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
BOX = Box(64, 60, 320, 240)  # contains a part of both boxes of scene()


def opened(data: bytes) -> Image.Image:
    picture = Image.open(BytesIO(data))
    picture.load()
    return picture


def array(picture: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(picture.convert("RGB"))


def part(box: Box, size: tuple[int, int] | None = None, of: Image.Image | None = None) -> NDArray[np.uint8]:
    cut = (of or scene()).crop((box.x, box.y, box.x + box.width, box.y + box.height))
    return array(cut if size is None else cut.resize(size, Image.Resampling.LANCZOS))


@pytest.mark.parametrize("format", MEDIA_TYPES)
def test_format(format: str) -> None:
    result = opened(crop(encode(scene(), "PNG"), BOX, format=format))
    assert (result.format or "").lower() == format and result.size == (320, 240)
    assert difference(array(result), part(BOX)) < (0.01 if format == "png" else 4)


@pytest.mark.parametrize("source", FORMATS)
def test_source(source: str) -> None:
    result = opened(crop(encode(scene(), source), BOX, width=160, format="png"))
    assert difference(array(result), part(BOX, (160, 120))) < (9 if source == "GIF" else 4)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("source", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("width", [None, 100])
def test_box_is_upright(source: str, orientation: int, width: int | None) -> None:
    turn = STORED[orientation]
    stored = scene(1280, 960) if turn is None else scene(1280, 960).transpose(turn)
    data = encode(stored, source, exif=exif(orientation), **({"quality": 95} if source == "JPEG" else {}))
    box = Box(90, 100, 1000, 500)
    result = opened(crop(data, box, width=width, format="png"))
    expected = part(box, None if width is None else (100, 50), scene(1280, 960))
    assert result.size == ((1000, 500) if width is None else (100, 50))
    assert difference(array(result), expected) < 2.5
    assert result.getexif().get(0x0112, 1) == 1


@pytest.mark.parametrize("width", [1200, 700, 400, 90])
def test_scaled_decoding_loses_nothing(width: int) -> None:
    """Compared with a full decode: a fine checkerboard, whose edges a second reduction would blur."""
    x, y = np.meshgrid(np.arange(3000), np.arange(2000))
    lines = np.where((x // 40 + y // 40) % 2, 220, 30).astype(np.uint8)
    data = encode(Image.fromarray(lines).convert("RGB"), "JPEG", quality=95, subsampling=0)
    box = Box(200, 100, 2400, 1600)
    full = (
        opened(data)
        .crop((200, 100, 2600, 1700))
        .resize((width, round(width * 2 / 3)), Image.Resampling.LANCZOS)
    )
    result = opened(crop(data, box, width=width, format="png"))
    assert difference(array(result), array(full)) < 3


def test_the_scale_of_decoding_leaves_room_for_the_output() -> None:
    header = inspect(encode(Image.new("L", (4000, 3000)), "JPEG"))

    def scale(width: int, height: int, box: tuple[int, int] = (4000, 3000)) -> int:
        return scale_for_crop(header, box, (width, height))

    assert [scale(*size) for size in ((333, 250), (334, 250), (800, 600), (801, 600))] == [8, 4, 4, 2]
    assert [scale(*size) for size in ((2000, 1500), (2000, 1501), (4000, 3000))] == [2, 1, 1]
    assert (
        scale(100, 100, (1000, 150)) == 1
        and scale(100, 75, (150, 150)) == 1
        and scale(10, 7, (150, 150)) == 8
    )
    assert scale_for_crop(inspect(encode(scene(), "PNG")), (640, 480), (16, 12)) == 1


@pytest.mark.parametrize("width", [160, 200, 240, 300, 480, 600, 900, 1200])
@pytest.mark.parametrize("progressive", [False, True])
def test_scaled_decoding_costs_less_than_encoding(width: int, progressive: bool) -> None:
    """Detail of all sizes, as photographs have it: the error is below a half of what JPEG of quality 82 makes."""
    rng = np.random.default_rng(3)
    spectrum = np.hypot(np.fft.fftfreq(1800)[:, None], np.fft.fftfreq(2400))
    spectrum[0, 0] = 1
    noise = np.real(np.fft.ifft2(np.fft.fft2(rng.normal(size=(1800, 2400))) / spectrum**1.2))
    grey = np.clip(128 + 40 * noise / noise.std(), 0, 255).astype(np.uint8)
    data = encode(Image.fromarray(grey).convert("RGB"), "JPEG", quality=92, progressive=progressive)
    size = (width, width * 3 // 4)
    full = opened(data).resize(size, Image.Resampling.LANCZOS)
    result = opened(crop(data, Box(0, 0, 2400, 1800), width=width, format="png"))
    assert result.size == size

    def error(other: Image.Image) -> float:
        return float(np.square(array(full).astype(float) - array(other)).mean())

    assert error(result) < error(opened(encode(full, "JPEG", quality=82))) / 2


def test_sizes() -> None:
    assert output_size(800, 600, None, None) == (800, 600)
    assert output_size(800, 600, 400, None) == (400, 300)
    assert output_size(800, 600, None, 150) == (200, 150)
    assert output_size(800, 600, 100, 100) == (100, 100)
    assert output_size(800, 600, 1600, None) == (800, 600)
    assert output_size(800, 600, 1600, 800) == (800, 400), "the requested ratio is kept"
    assert output_size(800, 600, 1600, None, enlarge=True) == (1600, 1200)
    assert output_size(800, 600, 99_999, None, enlarge=True) == (8192, 6144)
    assert output_size(30_000, 2, None, None) == (8192, 1)
    assert output_size(30_000, 2, 10, None) == (10, 1)
    assert output_size(800, 600, None, None, max_pixels=120_000) == (400, 300)
    assert output_size(800, 600, 2000, None, enlarge=True, max_pixels=1_920_000) == (1600, 1200)
    assert output_size(800, 600, 400, None, max_pixels=120_000) == (400, 300)


sides = st.integers(1, 65_535)


@given(
    box=st.tuples(sides, sides),
    width=st.none() | sides,
    height=st.none() | sides,
    longest=st.integers(1, 9000),
)
def test_never_larger_than_the_box_and_the_limit(
    box: tuple[int, int], width: int | None, height: int | None, longest: int
) -> None:
    size = output_size(*box, width, height, longest_side=longest)
    assert 1 <= size[0] <= min(box[0], longest, width or 65_535)
    assert 1 <= size[1] <= min(box[1], longest, height or 65_535)
    assert max(output_size(*box, width, height, enlarge=True, longest_side=longest)) <= longest
    wide, high = output_size(*box, width, height, enlarge=True, longest_side=9000, max_pixels=100_000)
    assert (wide - 0.5) * (high - 0.5) <= 100_000


def test_enlarge() -> None:
    data = encode(scene(), "PNG")
    assert opened(crop(data, BOX, width=640)).size == (320, 240)
    assert opened(crop(data, BOX, width=640, enlarge=True)).size == (640, 480)


def test_a_box_of_too_many_pixels_is_scaled_down() -> None:
    assert opened(crop(encode(scene(), "PNG"), BOX, max_pixels=19_200)).size == (160, 120)


@pytest.mark.parametrize("size", [(1, 1), (1, 260), (30_000, 2), (7, 5)])
def test_strips(size: tuple[int, int]) -> None:
    box = Box(0, 0, *size)
    assert opened(crop(encode(Image.new("RGB", size), "PNG"), box)).size == output_size(*size, None, None)


@pytest.mark.parametrize("box", [Box(-1, 0, 9, 9), Box(0, 0, 641, 9), Box(0, 0, 0, 9), Box(9, 479, 9, 2)])
def test_box_outside_of_the_picture(box: Box) -> None:
    with pytest.raises(ValueError, match="not inside"):
        crop(encode(scene(), "PNG"), box)


# Colour


@pytest.mark.parametrize("format", MEDIA_TYPES)
@pytest.mark.parametrize("source", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_profile_of_rgb_is_kept(source: str, format: str) -> None:
    data = encode(scene(), source, icc_profile=RGB_PROFILE)
    assert opened(crop(data, BOX, width=50, format=format)).info["icc_profile"] == RGB_PROFILE


@pytest.mark.parametrize(
    "profile", [b"no profile", RGB_PROFILE[:36] + b"xxxx" + RGB_PROFILE[40:], RGB_PROFILE[:130]]
)
def test_broken_profiles_are_ignored(profile: bytes) -> None:
    for picture in (scene(), scene().convert("L"), scene().convert("CMYK")):
        data = encode(picture, "JPEG", icc_profile=profile)
        assert opened(crop(data, BOX, width=50)).size == (50, 38)


def test_profile_of_another_space_is_dropped() -> None:
    grey = encode(scene().convert("L"), "PNG", icc_profile=RGB_PROFILE)
    assert "icc_profile" not in opened(crop(grey, BOX, format="png")).info


def test_cmyk_without_profile() -> None:
    data = encode(scene().convert("CMYK"), "JPEG", quality=95)
    assert difference(array(opened(crop(data, BOX, format="png"))), part(BOX)) < 3


def test_cmyk_is_converted_by_its_profile() -> None:
    """With a CMYK profile made here: ink i gives the grey 255 - i, by tables."""
    profile = cmyk_profile()
    picture = Image.merge("CMYK", [Image.linear_gradient("L")] * 3 + [Image.new("L", (256, 256), 0)])
    data = encode(picture, "TIFF", icc_profile=profile)
    converted = array(opened(crop(data, Box(0, 0, 256, 256), format="png"))).astype(int)
    expected = ImageCms.profileToProfile(
        picture,
        ImageCms.ImageCmsProfile(BytesIO(profile)),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    assert expected is not None
    assert np.abs(converted - array(expected)).max() <= 1
    assert np.abs(converted - array(picture.convert("RGB"))).mean() > 10, (
        "the profile differs from the plain formula"
    )


def test_sixteen_bits() -> None:
    ramp = np.tile(np.linspace(0, 65535, 320).astype(np.uint16), (240, 1))
    result = array(opened(crop(encode(Image.fromarray(ramp), "PNG"), Box(0, 0, 320, 240), format="png")))
    assert abs(result.mean() - 127) < 2


@pytest.mark.parametrize("format", ["png", "webp", "avif"])
@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_alpha_is_kept(format: str, mode: str) -> None:
    result = opened(crop(_half_transparent(mode), Box(0, 0, 64, 48), format=format, width=32))
    alpha = np.asarray(result.convert("RGBA").getchannel("A"))
    assert alpha[:, :14].max() < 8 and alpha[:, 18:].min() > 247


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_is_white_in_jpeg(mode: str) -> None:
    result = opened(crop(_half_transparent(mode), Box(0, 0, 64, 48)))
    assert result.mode == "RGB"
    assert array(result)[:, :24].min() > 247 and array(result)[:, 40:].max() < 130


def _half_transparent(mode: str) -> bytes:
    picture = Image.new("RGBA", (64, 48), (255, 0, 255, 0))
    picture.paste((10, 90, 60, 255), (32, 0, 64, 48))
    if mode == "P":
        palette = Image.new("P", (64, 48), 0)
        palette.putpalette([255, 0, 255, 10, 90, 60])
        palette.paste(1, (32, 0, 64, 48))
        return encode(palette, "PNG", transparency=0)
    return encode(picture.convert(mode), "PNG")


def test_opaque_alpha_is_dropped() -> None:
    assert opened(crop(encode(scene().convert("RGBA"), "PNG"), BOX, format="png")).mode == "RGB"


@pytest.mark.parametrize("format", MEDIA_TYPES)
def test_odd_modes_are_encoded(format: str) -> None:
    for mode in ("1", "L", "LA", "P", "CMYK", "YCbCr", "I;16", "I", "F"):
        source = scene().convert("L").convert(mode) if mode in ("I;16", "I", "F") else scene().convert(mode)
        assert opened(crop(encode(source, "TIFF"), BOX, width=40, format=format)).size == (40, 30)


# Metadata


@pytest.mark.parametrize("format", MEDIA_TYPES)
@pytest.mark.parametrize("source", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_metadata_is_stripped(source: str, format: str) -> None:
    tags = Image.Exif()
    tags[0x010F] = "secret maker"
    tags[0x0112] = 3
    tags.get_ifd(0x8825)[1] = "N"
    options: dict[str, Any] = {"exif": tags.tobytes()}
    if source in ("JPEG", "WEBP"):
        options["xmp"] = b"<x:xmpmeta>secret xmp</x:xmpmeta>"
    if source == "JPEG":
        options["comment"] = b"secret comment"
    if source == "PNG":
        text = PngInfo()
        text.add_text("Author", "secret author")
        options["pnginfo"] = text
    data = encode(scene(), source, **options)
    assert b"secret" in data
    for width in (None, 50):
        result = crop(data, BOX, width=width, format=format)
        assert b"secret" not in result and b"Exif" not in result and b"xmpmeta" not in result
        picture = opened(result)
        assert not picture.getexif() and not {"comment", "xmp", "exif", "Author"} & picture.info.keys()


# Errors


def test_errors() -> None:
    with pytest.raises(NotAPicture):
        crop(b"no picture", BOX)
    with pytest.raises(TooManyPixels):
        crop(encode(scene(), "PNG"), BOX, limits=Limits(pixels=1000))
    with pytest.raises(PictureUnreadable):
        crop(encode(scene(), "PNG")[:500], BOX)


@pytest.mark.parametrize("name", SAMPLES)
def test_truncated(name: str) -> None:
    for share in (0.3, 0.6, 0.9):
        data = SAMPLES[name][: int(len(SAMPLES[name]) * share)]
        try:
            assert opened(crop(data, Box(0, 0, 40, 30), width=20)).size == (20, 15)
        except (NotAPicture, PictureUnreadable):
            continue


def test_quality() -> None:
    data = encode(scene(), "PNG")
    for format in ("jpeg", "webp", "avif"):
        small, large = (len(crop(data, BOX, format=format, quality=quality)) for quality in (20, 95))
        assert small < large
