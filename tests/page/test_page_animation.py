"""The page: an animation is displayed in motion, and its exported crops move, too."""

import numpy as np
import pytest

from tests.helpers.animations import animation, frames_of, moving
from tests.helpers.contract import until
from tests.helpers.page import Open, box, upload

pytestmark = pytest.mark.browser
WIDTH = "(image) => image.naturalWidth"


@pytest.mark.parametrize("kind", ["gif", "webp"])
@pytest.mark.parametrize("width", [160, 1700])
def test_an_animation_moves(open_page: Open, kind: str, width: int) -> None:
    """Above 1600 pixels a still is displayed as a copy from a canvas, which would not move."""
    source = moving(3, (width, 120))
    data = animation(kind, source)
    page = open_page()
    upload(page, data, f"picture.{kind}")
    page.wait_for_function("document.getElementById('picture').complete")
    assert page.locator("#picture").evaluate(WIDTH) == width
    first = page.locator("#picture").screenshot(animations="allow")
    until(lambda: page.locator("#picture").screenshot(animations="allow") != first)
    page.locator("#cards button[data-ratio=square]").click()
    shown = box(page)
    page.locator("#export summary").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="This crop", exact=True).click()
    assert download.value.suggested_filename.endswith(f".{kind}")
    result = download.value.path().read_bytes()
    found = frames_of(result)
    left, top = shown["x"], shown["y"]
    for pixels, frame in zip(found, source, strict=True):
        expected = np.asarray(frame.crop((left, top, left + shown["width"], top + shown["height"])))
        assert np.abs(pixels[..., :3].astype(int) - expected).mean() < (1 if kind == "gif" else 6)


def test_a_large_still_is_displayed_as_a_smaller_copy(open_page: Open) -> None:
    page = open_page()
    upload(page, animation("gif", moving(1, (1700, 120))), "picture.gif")
    page.wait_for_function("document.getElementById('picture').complete")
    assert page.locator("#picture").evaluate(WIDTH) == 1600
