"""The page: zoom to the subject, room for a title, faces and text lines."""

import json
import re
from dataclasses import replace

import httpx
import pytest
from playwright.sync_api import Route, expect

from gazecrop.crop.grid import SaliencyGrid
from gazecrop.crop.objects import Object
from tests.conftest import Server
from tests.helpers.page import Open, box, open_about, shot, upload
from tests.helpers.pictures import jpeg

pytestmark = pytest.mark.browser
FACE = Object("face", 60, 70, 110, 150, 127)
LINE = Object("text", 20, 200, 235, 222, 110)


def with_objects(route: Route) -> None:
    """The server's answer, its map with a face and a text line: no network is needed that finds them."""
    answer = route.fetch()
    document = answer.json()
    if "saliency" in document:
        grid = SaliencyGrid.from_text(document["saliency"]["encoded"])
        document["saliency"]["encoded"] = replace(grid, objects=(FACE, LINE)).text
    route.fulfill(response=answer, body=json.dumps(document))


@pytest.mark.parametrize("width", [360, 1280])
def test_the_zoom_to_the_subject_is_the_servers(open_page: Open, server: Server, width: int) -> None:
    page = open_page(width=width)
    upload(page, jpeg(seed=21))
    id = open_about(page)
    page.locator("#cards button[data-ratio=square]").click()
    assert page.locator("#protect").is_hidden()  # this map has no objects
    page.locator("#closer").check()
    page.locator("#fill").fill("50")
    near = httpx.get(f"{server.url}/v1/images/{id}/crops/square?zoom=auto&fill=0.5").json()
    assert box(page) == near["box"]
    expect(page.locator("#zoom-text")).to_have_text(f"{near['zoom']:.2f}×")
    expect(page.locator("#zoom")).to_be_disabled()
    shot(page, f"asked-closer-{width}")
    page.locator("#closer").uncheck()
    assert box(page) == httpx.get(f"{server.url}/v1/images/{id}/crops/square").json()["box"]


@pytest.mark.parametrize("width", [360, 1280])
def test_a_title_is_dragged_and_kept_free(open_page: Open, server: Server, width: int) -> None:
    page = open_page(width=width)
    upload(page, jpeg(seed=22))
    id = open_about(page)
    page.locator("#cards button[data-ratio=square]").click()
    title = page.locator("#live .title")
    page.locator("#titled").check()
    expect(title).to_be_visible()
    title.scroll_into_view_if_needed()
    frame, own = page.locator("#live").bounding_box(), title.bounding_box()
    assert frame and own
    page.mouse.move(own["x"] + own["width"] / 2, own["y"] + own["height"] / 2)
    page.mouse.down()
    page.mouse.move(own["x"] + own["width"] / 2, frame["y"] - 200, steps=6)
    page.mouse.up()
    moved = title.bounding_box()
    assert moved and abs(moved["y"] - frame["y"]) <= 3  # at the upper edge, not beyond it
    page.mouse.move(moved["x"] + moved["width"] - 6, moved["y"] + moved["height"] - 6)
    page.mouse.down()
    page.mouse.move(moved["x"] + moved["width"] / 2, frame["y"] + frame["height"] - 4, steps=6)
    page.mouse.up()
    title.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowLeft")
    shown = page.evaluate("import('./state.js').then(({ state }) => state.overlay)")
    assert shown["y"] == 0 and shown["height"] > 0.8 and shown["width"] < 0.6
    overlay = ",".join(str(shown[side]) for side in ("x", "y", "width", "height"))
    answer = httpx.get(f"{server.url}/v1/images/{id}/crops/square?overlay={overlay}").json()
    assert box(page) == answer["box"]
    hides = "overlay" in [each["parameter"] for each in answer.get("unmet", [])]
    assert ("hides" in (title.get_attribute("class") or "")) == hides
    assert ("The title hides" in page.locator("#advice").inner_text()) == hides
    shot(page, f"asked-title-{width}")
    page.locator("#titled").uncheck()
    expect(title).to_be_hidden()


@pytest.mark.parametrize("width", [360, 1280])
def test_objects_are_drawn_and_said_in_words(open_page: Open, width: int) -> None:
    page = open_page(width=width)
    page.route(re.compile(r"/v1/images(\?.*)?$"), with_objects)
    upload(page, jpeg(seed=23))
    page.locator("#cards button[data-ratio=story]").click()
    page.locator("#policy").select_option("window")
    expect(page.locator("#found rect")).to_have_count(2)
    assert page.locator("#found rect").first.get_attribute("class") == "face"
    advice = page.locator("#advice")
    expect(advice).to_contain_text("cuts through")
    assert "1 text line too large for this shape" in advice.inner_text()
    shot(page, f"asked-objects-{width}")
    page.locator("#protect-text").uncheck()
    expect(advice).not_to_contain_text("text line too large")
    page.locator("#protect-face").uncheck()
    expect(advice).not_to_contain_text("cuts through 1")
    assert page.evaluate("import('./state.js').then(({ state }) => state.protect)") == "none"
    page.locator("#show-objects").uncheck()
    expect(page.locator("#found rect")).to_have_count(0)
