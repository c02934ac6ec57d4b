"""imgproxy itself is a Go program that is not installed here. Its documentation and its own tests have signatures to
compare with, and its documentation states where it cuts; both are followed here by arithmetic."""

import re
from base64 import urlsafe_b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

import gazecrop
from gazecrop.crop.placing import Box
from gazecrop.integrations.imgproxy import Imgproxy
from tests.helpers.pictures import jpeg

# The documentation's example (usage/signing_url): key "secret", salt "hello".
KEY, SALT = "736563726574", "68656C6C6F"


@pytest.mark.parametrize(
    ("key", "salt", "path", "signature"),
    [
        pytest.param(
            KEY,
            SALT,
            "/rs:fill:300:400:0/g:sm/aHR0cDovL2V4YW1w/bGUuY29tL2ltYWdl/cy9jdXJpb3NpdHku/anBn.png",
            "oKfUtW34Dvo2BGQehJFR4Nr0_rIjOtdtzJ3QFsUcXH8",
            id="signing_url",
        ),
        pytest.param(  # examples/signature.* of imgproxy's repository
            "943b421c9eb07c830af81030552c86009268de4e532ba2ee2eab8247c6da0881",
            "520f986b998545b4785e0defbc4f3c1203f22de2374a3d53cb7a7fe9fea309c5",
            "/rs:fit:300:300/plain/http://img.example.com/pretty/image.jpg",
            "m3k5QADfcKPDj-SDI2AIogZbC3FlAXszuwhtWXYqavc",
            id="examples",
        ),
        pytest.param(  # its test of a whole request: TestSignatureValidationSuccess
            b"test-key".hex(),
            b"test-salt".hex(),
            "/rs:fill:4:4/plain/local:///test1.png",
            "My9d3xq_PYpVHsPrCyww0Kh1w5KZeZhIlWhsa4az1TI",
            id="handler",
        ),
    ],
)
def test_signatures_of_imgproxy_s_own(key: str, salt: str, path: str, signature: str) -> None:
    assert Imgproxy("http://img.example", key=key, salt=salt).sign(path) == signature
    short = Imgproxy("http://img.example", key=key, salt=salt, signature_size=8).sign(path)
    assert urlsafe_b64decode(short + "=") == urlsafe_b64decode(signature + "=")[:8]


def parts(url: str, base: str = "http://img.example") -> tuple[str, list[str], str]:
    """Signature, processing options, source."""
    found = re.fullmatch(rf"{re.escape(base)}/([^/]+)((?:/[a-z_]+:[^/]+)*)/([\w-]+)(\.\w+)?", url)
    assert found, url
    source = urlsafe_b64decode(found[3] + "=" * (-len(found[3]) % 4)).decode()
    return found[1], found[2].split("/")[1:], source + (found[4] or "")


CROP = {
    "box": {"x": 400, "y": 0, "width": 1000, "height": 1000},
    "normalized": {"x": 0.25, "y": 0.0, "width": 0.625, "height": 1.0},
}


def test_an_address() -> None:
    signed = Imgproxy("http://img.example/", key=KEY, salt=SALT)
    url = signed.url("s3://photos/a cat?.jpg", CROP, width=800, format="webp", options=["q:80"])
    signature, options, source = parts(url)
    assert options == ["c:1000:1000:nowe:400:0", "rs:fit:800:0", "q:80"]
    assert source == "s3://photos/a cat?.jpg.webp"
    assert signature == signed.sign(url.removeprefix(f"http://img.example/{signature}"))
    assert parts(Imgproxy("http://img.example").url("x", CROP))[:2] == ("unsafe", ["c:1000:1000:nowe:400:0"])
    assert parts(signed.url("x", CROP, width=80, height=80))[1][1] == "rs:fill:80:80"
    point = parts(signed.url("x", CROP, width=80, height=80, by="point"))[1]
    assert point == ["rs:fill:80:80", "g:fp:0.5625:0.5"]


def test_srcset() -> None:
    found = Imgproxy("http://img.example").srcset("x", CROP, [1600, 400, 800], format="avif")
    assert [each.split(" ")[1] for each in found.split(", ")] == ["400w", "800w", "1000w"]
    assert all(parts(each.split(" ")[0])[1][0] == "c:1000:1000:nowe:400:0" for each in found.split(", "))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Imgproxy("http://img.example", key=KEY),
        lambda: Imgproxy("http://img.example", key="xyz", salt=SALT),
        lambda: Imgproxy("http://img.example", key=KEY, salt=SALT, signature_size=33),
        lambda: Imgproxy("http://img.example").url("x", CROP, width=-1),
        lambda: Imgproxy("http://img.example").url("x", CROP, width=10**6),
        lambda: Imgproxy("http://img.example").url("x", CROP, format="we/bp"),
        lambda: Imgproxy("http://img.example").url("x", CROP, width=80, by="point"),
    ],
)
def test_what_cannot_be(make: Callable[[], Any]) -> None:
    with pytest.raises(ValueError):
        make()


def cut(options: list[str], width: int, height: int) -> tuple[float, float, float, float]:
    """x, y, width, height in pixels of the source that the options keep, by imgproxy's documentation.

    `crop`: sizes and offsets of 1 or more are pixels, less than 1 a share; `nowe`: from the top left corner; it comes
    before the resizing. `fill`: the scale at which the picture covers the size, the rest is cut; `fp`: the point is the
    middle of what stays, as far as the picture allows.
    """
    given = {name: values for name, *values in (option.split(":") for option in options)}

    def pixels(text: str, side: int) -> float:
        value = float(text)
        return value if value >= 1 else value * side

    x = y = 0.0
    if "c" in given:
        wide, high, gravity, left, top = given["c"]
        assert gravity == "nowe"
        x, y = pixels(left, width), pixels(top, height)
        width, height = int(pixels(wide, width)), int(pixels(high, height))
    kept = (float(width), float(height))
    if "rs" in given and given["rs"][0] == "fill":
        out = [int(side) for side in given["rs"][1:3]]
        scale = max(out[0] / width, out[1] / height)
        kept = (out[0] / scale, out[1] / scale)
        at = [float(value) for value in given["g"][1:]] if "g" in given else [0.5, 0.5]
        x += min(max(at[0] * width - kept[0] / 2, 0), width - kept[0])
        y += min(max(at[1] * height - kept[1] / 2, 0), height - kept[1])
    return x, y, *kept


@pytest.mark.parametrize("ratio", ["1:1", "16:9", "1:2", "3:1", "1.91:1"])
@pytest.mark.parametrize("size", [(640, 480), (301, 997)])
def test_it_cuts_where_gazecrop_does(ratio: str, size: tuple[int, int], api: httpx.Client) -> None:
    """A crop of the library and of the service, by the box and by the point, in several sizes of output."""
    data = jpeg(*size)
    of_library = gazecrop.look(data).crop(ratio)
    of_service = api.post("/v1/images", params={"ratios": ratio}, content=data).json()["crops"][0]
    box, imgproxy = of_library.box, Imgproxy("http://img.example")
    for crop in (of_library, of_service):
        assert Box(*map(int, cut(parts(imgproxy.url("x", crop))[1], *size))) == box
        out = (box.width // 2, round(box.height * (box.width // 2) / box.width))
        for by, near in (("box", 2.0), ("point", 2.0)):
            options = parts(imgproxy.url("x", crop, width=out[0], height=out[1], by=by))[1]  # type: ignore[arg-type]
            found = cut(options, *size)
            assert max(abs(a - b) for a, b in zip(found, box, strict=True)) <= near, (by, found, box)


def test_the_link_of_a_crop_is_the_same_box(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(jpeg())
    crop = gazecrop.look(tmp_path / "photo.jpg").crop("1:1")
    [option] = parts(Imgproxy("http://img.example").url("x", crop))[1]
    assert option == crop.links["imgproxy"].replace("crop:", "c:")
