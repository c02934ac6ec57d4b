"""Art direction: breakpoints, templates of addresses, and markup in which nothing of them becomes HTML."""

from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gazecrop.crop.cropping import Cropper, Options
from gazecrop.crop.grid import SaliencyGrid
from gazecrop.crop.markup import (
    DEFAULT_SRC,
    Breakpoint,
    check_alt,
    check_src,
    html,
    parse_breakpoints,
    picture_answer,
)
from gazecrop.crop.ratios import parse_ratio
from gazecrop.errors import BadParameters


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def cropper(*, rotated: bool = False) -> Cropper:
    levels = np.array([[1, 3, 31, 2]], np.uint8)
    return Cropper(SaliencyGrid(levels, 4000, 2000, rotated=rotated))


def wrong(text: str, name: str = "breakpoints") -> list[str]:
    with pytest.raises(BadParameters) as refused:
        {"breakpoints": parse_breakpoints, "src": check_src, "alt": check_alt}[name](text)
    return [error["parameter"] for error in refused.value.members["errors"]]


def test_breakpoints_are_sorted_by_width() -> None:
    found = parse_breakpoints("16:9, 1:1@1024,story@480")
    story, square, wide = map(parse_ratio, ("story", "1:1", "16:9"))
    assert found == (Breakpoint(story, 480), Breakpoint(square, 1024), Breakpoint(wide))
    assert [each.media for each in found] == ["(max-width: 480px)", "(max-width: 1024px)", None]
    assert parse_breakpoints("1.91:1") == (Breakpoint(parse_ratio("1.91:1")),)


@pytest.mark.parametrize(
    "text",
    ["", "1:1@480", "1:1,16:9", "1:1@480,4:5@480,16:9", "1:1@0,16:9", "1:1@10001,16:9", "1:1@1e3,16:9", "1:1@,16:9"]
    + ["1:1@٣,16:9", "1:1@-5,16:9", "1:1@480@2,16:9", ",".join(["1:1"] * 17), "1:1@9999999999,16:9"],
)  # fmt: skip
def test_wrong_breakpoints(text: str) -> None:
    assert set(wrong(text)) == {"breakpoints"}


def test_every_wrong_breakpoint_is_named() -> None:
    assert len(wrong("banana@480,1:1@x,21:0")) == 3


@pytest.mark.parametrize(
    "src", ["a.jpg", "/x/{ratio}.jpg", "https://h/{iiif}/full/0/default.jpg", "//h/{x}", DEFAULT_SRC]
)
def test_templates(src: str) -> None:
    assert check_src(src) == src


@pytest.mark.parametrize(
    "src",
    ["", "a b.jpg", "a\n.jpg", ",a", "a,", "javascript:alert(1)", "data:text/html,x", "{name}", "{", "a}", "{{x}}"]
    + ["x" * 401, "a\u00a0b", "{sharp}", "vbscript:x", " a"],
)  # fmt: skip
def test_wrong_templates(src: str) -> None:
    assert wrong(src, "src") == ["src"]


def test_the_markup_of_a_picture() -> None:
    made = cropper()
    points = parse_breakpoints("1:1@480,desktop")
    crops = [made.crop(each.ratio, Options("window")) for each in points]
    answer = picture_answer(points, crops, made, "/p/{ratio}?c={x},{y},{width},{height}", 'A "hat" & <b>')
    square, wide = (crop.box for crop in crops)
    assert answer["html"].splitlines() == [
        "<picture>",
        f'  <source media="(max-width: 480px)" srcset="/p/1x1?c={square.x},0,2000,2000" width="2000" height="2000">',
        f'  <img src="/p/desktop?c={wide.x},{wide.y},{wide.width},{wide.height}" width="{wide.width}" '
        f'height="{wide.height}" alt="A &quot;hat&quot; &amp; &lt;b&gt;">',
        "</picture>",
    ]
    assert [source["media"] for source in answer["sources"]] == ["(max-width: 480px)", None]
    assert answer["sources"][1]["crop"]["profile"] == "desktop"


def test_the_syntax_of_tools() -> None:
    points, made = parse_breakpoints("1:1"), cropper()
    crop = made.crop(points[0].ratio, Options("window"))
    for tool in ("iiif", "cloudinary", "thumbor", "imgproxy"):
        answer = picture_answer(points, [crop], made, f"/{{{tool}}}/a.jpg", "")
        assert answer["sources"][0]["src"] == f"/{answer['sources'][0]['crop']['links'][tool]}/a.jpg"
    turned = cropper(rotated=True)
    assert "sources" in picture_answer(points, [crop], turned, "/{imgproxy}", "")
    with pytest.raises(BadParameters, match="not stored upright"):
        picture_answer(points, [crop], turned, "/{iiif}", "")


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_text_becomes_markup(src: str, alt: str) -> None:
    text = html([("(max-width: 1px)", src, 1, 1), (None, src, 1, 1)], alt)
    [picture, source, img] = Tags(text).tags
    assert (picture[0], source[0], img[0]) == ("picture", "source", "img")
    assert set(img[1]) == {"src", "width", "height", "alt"} and set(source[1]) == {
        "media",
        "srcset",
        "width",
        "height",
    }
    if "\r" not in src + alt and "\0" not in src + alt:
        assert (img[1]["src"] or "", img[1]["alt"] or "") == (src, alt)


@given(st.text(max_size=80))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    for check in (parse_breakpoints, check_src, check_alt):
        try:
            check(text)
        except BadParameters as error:
            assert error.members["errors"]
