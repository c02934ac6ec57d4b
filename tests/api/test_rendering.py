"""POST /v1/crop and POST /v1/explain: bytes in, picture out."""

import io
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image, ImageCms

from tests.conftest import Server
from tests.helpers.contract import answer_of, client, metric, problem, until, uploads, wrong
from tests.helpers.inprocess import holdable
from tests.helpers.pictures import draw, encode, jpeg


def opened(answer: httpx.Response) -> Image.Image:
    assert answer.status_code == 200, answer.text[:300]
    picture = Image.open(io.BytesIO(answer.content))
    assert answer.headers["content-type"] == Image.MIME[picture.format or ""]
    picture.load()
    return picture


def crop(api: httpx.Client, data: bytes, query: str = "ratio=1:1", accept: str = "*/*") -> Image.Image:
    return opened(api.post(f"/v1/crop?{query}", content=data, headers={"accept": accept}))


def test_the_crop_is_the_box_of_the_document(api: httpx.Client) -> None:
    scene = draw(640, 480, disc=(0.8, 0.4))
    data = encode(scene, "PNG")
    document = api.post("/v1/images?ratios=1:1", content=data).json()
    box = document["crops"][0]["box"]
    answer = api.post("/v1/crop?ratio=1:1&format=png", content=data)
    assert answer.headers["x-gazecrop-box"] == ",".join(str(v) for v in box.values())
    assert answer.headers["x-gazecrop-id"] == document["id"]
    expected = scene.crop((box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"]))
    assert np.array_equal(np.asarray(opened(answer)), np.asarray(expected))


def test_what_the_box_does_not_meet_is_said(api: httpx.Client) -> None:
    data = encode(draw(640, 480, disc=(0.8, 0.4)), "PNG")
    answer = api.post("/v1/crop?ratio=1:1&keep=0,0,1,1&avoid=0,0,0.1,1&overlay=0,0,1,1", content=data)
    assert answer.headers["x-gazecrop-unmet"] == "keep=0,0,1,1 overlay=0,0,1,1"
    assert "x-gazecrop-unmet" not in api.post("/v1/crop?ratio=1:1&avoid=0,0,0.1,1", content=data).headers


@pytest.mark.parametrize(
    ("shade", "ground"), [((255, 255, 255), 128), ((245, 245, 250), 128), ((200, 30, 30), 255)]
)
def test_a_white_logo_can_be_seen_in_a_jpeg(
    api: httpx.Client, shade: tuple[int, int, int], ground: int
) -> None:
    logo = Image.new("RGBA", (480, 320), (0, 0, 0, 0))
    logo.paste((*shade, 255), (140, 100, 340, 220))
    found = np.asarray(crop(api, encode(logo, "PNG"), "ratio=3:2&format=jpeg")).astype(int)
    assert np.abs(found[160, 240] - shade).max() < 8 and np.abs(found[20, 20] - ground).max() < 8


@pytest.mark.parametrize(
    ("query", "size"),
    [
        ("ratio=1:1", (480, 480)), ("ratio=1:1&width=100", (100, 100)), ("ratio=16:9&width=320", (320, 180)),
        ("ratio=2:1&height=50", (100, 50)), ("width=200&height=300", (200, 300)), ("width=1&height=1", (1, 1)),
        ("ratio=1:1&width=2000", (480, 480)), ("ratio=1:1&width=2000&enlarge=false", (480, 480)),
        ("ratio=1:1&width=960&enlarge=true", (960, 960)), ("width=1280&height=640", (640, 320)),
        ("ratio=square&zoom=4", (120, 120)), ("ratio=20:1&width=10", (10, 1)),
    ],
)  # fmt: skip
def test_the_size_is_as_requested_and_never_enlarged(
    api: httpx.Client, picture: bytes, query: str, size: tuple[int, int]
) -> None:
    assert crop(api, picture, query).size == size


@pytest.mark.parametrize(
    ("query", "limits"),
    [
        ("ratio=1:1&width=8192", {"width": 4898}), ("ratio=1:1&width=4899", {"width": 4898}),
        ("ratio=16:9&height=3675", {"height": 3674}), ("width=8000&height=4000", {"width": 6928, "height": 3464}),
        ("ratio=1:1&width=3465&format=avif", {"width": 3464}), ("ratio=1:1&height=3465&format=png", {"height": 3464}),
        ("ratio=1:1&width=4899&format=webp&enlarge=true", {"width": 4898}),
    ],
)  # fmt: skip
def test_too_many_output_pixels_are_refused_before_the_body_is_read(
    api: httpx.Client, query: str, limits: dict[str, int]
) -> None:
    answer = api.post(f"/v1/crop?{query}", content=b"no picture")
    assert wrong(answer) == list(limits)
    assert {one["parameter"]: one["limit"] for one in answer.json()["errors"]} == limits


@pytest.mark.parametrize(
    "query", ["width=4898", "height=4898", "width=3464&format=avif", "width=8192&ratio=20:1"]
)
def test_the_most_output_pixels_may_be_requested(api: httpx.Client, picture: bytes, query: str) -> None:
    ratio = "" if "ratio" in query else "&ratio=1:1"
    assert max(crop(api, picture, query + ratio).size) == (640 if "20:1" in query else 480)


def test_a_box_with_more_pixels_than_allowed_is_scaled_down(
    start_server: Callable[..., Server], picture: bytes
) -> None:
    with client(start_server(GAZECROP_MAX_MEGAPIXELS_OUT="0.1").url) as small:
        assert crop(small, picture).size == (316, 316)
        assert crop(small, picture, "ratio=1:1&format=avif").size == (224, 224)
        assert crop(small, picture, "ratio=1:1&width=300").size == (300, 300)
        assert wrong(small.post("/v1/crop?ratio=1:1&width=317", content=picture)) == ["width"]


def test_a_small_picture_that_is_made_large_counts_as_large(tmp_path: Path, picture: bytes) -> None:
    path = "/v1/crop?ratio=1:1&width=3464&enlarge=true&format=png"
    with (
        holdable(tmp_path, workers=4, max_wait_seconds=60) as server,
        client(server.url) as api,
        uploads(server.url) as begin,
    ):
        api.post("/v1/images", content=picture)
        server.parts.budget.limit, server.parts.budget.most_bodies = 180_000_000, 1_000_000  # one takes 98
        with server.rendering():
            large = [begin(picture, path=path) for _ in range(2)]
            until(lambda: metric(api, "gazecrop_queue_depth", gate="render") == 1)
        assert [answer_of(each).status_code for each in large] == [200, 200]


@pytest.mark.parametrize(
    ("query", "accept", "format"),
    [
        ("", "*/*", "JPEG"), ("", "", "JPEG"), ("&format=webp", "*/*", "WEBP"), ("&format=avif", "image/png", "AVIF"),
        ("", "image/png", "PNG"), ("", "image/avif,image/webp,image/apng,image/*,*/*;q=0.8", "WEBP"),
        ("", "image/*;q=0.5,image/png;q=0.1", "JPEG"), ("", "image/jpeg;q=0,*/*", "WEBP"), ("", "Image/AVIF", "AVIF"),
        ("&format=png&quality=1", "text/html", "PNG"),
    ],
)  # fmt: skip
def test_the_format_is_by_parameter_or_accept(
    api: httpx.Client, picture: bytes, query: str, accept: str, format: str
) -> None:
    answer = api.post(f"/v1/crop?ratio=1:1&width=64{query}", content=picture, headers={"accept": accept})
    assert opened(answer).format == format and answer.headers["vary"] == "Accept"


def test_an_unacceptable_format_is_406(api: httpx.Client, picture: bytes) -> None:
    for path in ("/v1/crop?ratio=1:1", "/v1/explain"):
        answer = api.post(path, content=picture, headers={"accept": "text/html, image/gif"})
        problem(answer, 406, "not_acceptable")


def test_quality_counts(api: httpx.Client, photo: Callable[[str], Path]) -> None:
    data = photo("chelsea").read_bytes()
    sizes = [
        len(api.post(f"/v1/crop?ratio=1:1&width=200&quality={q}", content=data).content) for q in (5, 50, 95)
    ]
    assert sizes == sorted(sizes) and sizes[0] < sizes[2] / 2


def test_metadata_is_stripped_and_rotated_pictures_are_upright(api: httpx.Client) -> None:
    scene = draw(640, 480, disc=(0.8, 0.5))
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "secret words"
    exif.get_ifd(0x8825)[1] = "N"  # GPS
    data = encode(scene.transpose(Image.Transpose.ROTATE_90), quality=95, exif=exif, comment=b"secret words")
    for format in ("jpeg", "png", "webp", "avif"):
        answer = api.post(f"/v1/crop?ratio=4:3&format={format}", content=data)
        picture = opened(answer)
        assert picture.size == (640, 480) and not picture.getexif() and "comment" not in picture.info
        assert b"secret words" not in answer.content and b"Exif" not in answer.content
        assert np.abs(np.asarray(picture.convert("RGB"), float) - np.asarray(scene, float)).mean() < 6


def test_a_colour_profile_is_kept(api: httpx.Client) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = encode(draw(), "PNG", icc_profile=profile)
    assert crop(api, data, "ratio=1:1&width=80").info["icc_profile"] == profile


def test_transparent_pictures_stay_transparent_where_they_can(api: httpx.Client) -> None:
    scene = draw().convert("RGBA")
    scene.putalpha(Image.linear_gradient("L").resize(scene.size))
    data = encode(scene, "PNG")
    assert crop(api, data, "ratio=1:1&width=80&format=png").mode == "RGBA"
    assert crop(api, data, "ratio=1:1&width=80&format=jpeg").mode == "RGB"


def test_it_counts_as_an_upload(api: httpx.Client) -> None:
    """Only the map is stored; a second request needs no inference; a person's focus applies here, too."""
    data = jpeg(seed=400)
    id = api.post("/v1/crop?ratio=9:16", content=data).headers["x-gazecrop-id"]
    inferred = metric(api, "gazecrop_stage_seconds_count", stage="infer")
    assert api.get(f"/v1/images/{id}").status_code == 200
    api.put(f"/v1/images/{id}/focus", json={"x": 1, "y": 0.5})
    again = api.post("/v1/crop?ratio=9:16", files={"file": data})
    assert again.headers["x-gazecrop-box"] == "370,0,270,480"
    assert metric(api, "gazecrop_stage_seconds_count", stage="infer") == inferred
    assert "render" in again.headers["server-timing"]


def test_every_wrong_parameter_is_named_before_the_body_is_read(api: httpx.Client) -> None:
    query = "ratio=x&width=0&height=8193&enlarge=maybe&format=tiff&quality=101&policy=p"
    query += "&zoom=5&keep=1&avoid=2&ratios=1:1"
    answer = api.post(f"/v1/crop?{query}", content=b"no picture", headers={"x-request-timeout": "soon"})
    expected = "ratio width height enlarge format quality policy zoom keep avoid ratios X-Request-Timeout"
    assert set(wrong(answer)) == set(expected.split())
    query = "ratios=x&layers=heat,words&format=tiff&quality=0&policy=p&zoom=5&candidates=2"
    assert set(wrong(api.post(f"/v1/explain?{query}", content=b""))) == set(
        "ratios layers format quality policy zoom candidates".split()  # noqa: SIM905
    )


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["ratio"]), ("width=100", ["ratio"]), ("height=100", ["ratio"]), ("width=1&height=21", ["ratio"]),
        ("ratio=1:1&width=10&height=10", ["ratio"]), ("ratio=1:1&width=1e2", ["width"]),
        ("ratio=1:1&width=", ["width"]),
        ("ratio=1:1&height=-5", ["height"]), ("ratio=1:1&width=٣", ["width"]), ("width=0&height=1", ["width"]),
        ("ratio=1:1&ratio=2:1", ["ratio"]), ("ratio=1:1&enlarge=True", ["enlarge"]), ("ratio=", ["ratio"]),
        ("ratio=1:1&policy=focus", ["policy"]),
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_named(api: httpx.Client, picture: bytes, query: str, names: list[str]) -> None:
    assert wrong(api.post(f"/v1/crop?{query}", content=picture)) == names


@pytest.mark.parametrize("path", ["/v1/crop?ratio=1:1", "/v1/explain"])
def test_unreadable_bytes_are_refused(api: httpx.Client, picture: bytes, path: str) -> None:
    problem(api.post(path, content=b"GIF?"), 415, "unsupported_picture")
    problem(api.post(path, content=picture[:3000]), 422, "picture_unreadable")


def test_single_pixels_and_strips_can_be_cropped_and_explained(api: httpx.Client) -> None:
    for size in ((1, 1), (3000, 2), (2, 3000), (1, 30)):
        data = encode(Image.effect_noise(size, 90).convert("RGB"), "PNG")
        assert min(crop(api, data, "ratio=1:1&width=50&enlarge=true").size) == 50
        assert min(opened(api.post("/v1/explain", content=data)).size) >= 1


@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "avif"])
def test_an_explanation_is_the_whole_picture(api: httpx.Client, picture: bytes, format: str) -> None:
    answer = api.post(f"/v1/explain?ratios=1:1,16:9&format={format}", content=picture)
    explained = opened(answer)
    assert explained.size == (640, 480) and explained.format == format.upper()
    assert "x-gazecrop-id" in answer.headers and "render" in answer.headers["server-timing"]


def test_each_layer_draws_something_of_its_own(api: httpx.Client, picture: bytes) -> None:
    drawn = {
        layers: np.asarray(
            opened(api.post(f"/v1/explain?layers={layers}&format=png", content=picture)), float
        )
        for layers in ("heat", "points", "boxes", "heat,points,boxes", "boxes,heat")
    }
    names = list(drawn)
    for index, one in enumerate(names):
        for other in names[:index]:
            assert np.abs(drawn[one] - drawn[other]).max() > 50, (one, other)
    plain = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"), float)
    assert 0 < np.abs(drawn["points"] - plain).mean() < np.abs(drawn["heat"] - plain).mean()


def test_an_explanation_shows_the_requested_boxes(api: httpx.Client, picture: bytes) -> None:
    def shown(query: str) -> bytes:
        return api.post(f"/v1/explain?layers=boxes&format=png&{query}", content=picture).content

    assert len({shown("ratios=1:1"), shown("ratios=9:16"), shown("ratios=1:1&zoom=2"), shown("")}) == 4
