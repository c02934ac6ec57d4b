"""The page: the focus, and parts to keep or to avoid."""

import re

import httpx
import pytest
from playwright.sync_api import expect

from tests.conftest import Server
from tests.helpers.page import Open, box, crop, open_about, shot, upload
from tests.helpers.pictures import jpeg

pytestmark = pytest.mark.browser


def test_the_focus_is_dragged_saved_and_reset(open_page: Open, server: Server) -> None:
    page, data = open_page(), jpeg(seed=5)
    upload(page, data)
    id = open_about(page)
    page.locator("#cards button[data-ratio=story]").click()
    page.evaluate("window.scrollTo(0, 0)")
    stage = page.locator("#stage").bounding_box()
    marker = page.locator("#focus").bounding_box()
    assert stage and marker
    page.mouse.move(marker["x"] + 17, marker["y"] + 17)
    page.mouse.down()
    page.mouse.move(stage["x"] + 0.7 * stage["width"], stage["y"] + 0.3 * stage["height"], steps=8)
    dragged = box(page)
    assert (
        abs(dragged["x"] + dragged["width"] / 2 - 0.7 * 640) < 4
    )  # it follows before the button is released
    page.mouse.up()
    assert httpx.get(f"{server.url}/v1/images/{id}/focus").status_code == 404  # not saved yet
    page.locator("#focus-save").click()
    expect(page.locator("#focus-text")).to_contain_text("is saved")
    shot(page, "focus")
    kept = httpx.get(f"{server.url}/v1/images/{id}/focus").json()
    assert (kept["x"], kept["y"]) == pytest.approx((0.7, 0.3), abs=0.01)
    assert box(page) == crop(server, id, "ratios=story")["box"] == dragged

    again = open_page()  # the next user gets this focus, and can move and reset it
    upload(again, data)
    expect(again.locator("#focus-text")).to_contain_text("is saved")
    again.locator("#focus").focus()
    for _ in range(5):
        again.keyboard.press("ArrowLeft")
    again.locator("#focus-save").click()
    expect(again.locator("#status")).to_have_text("The focus is saved.")
    moved = httpx.get(f"{server.url}/v1/images/{id}/focus").json()
    assert moved["x"] == pytest.approx(kept["x"] - 0.05, abs=1e-3)

    page.locator("#focus").press("ArrowUp")  # the first user's ETag is out of date now
    page.locator("#focus-save").click()
    expect(page.locator("#problem-text")).to_contain_text("Another user has changed this focus")
    assert httpx.get(f"{server.url}/v1/images/{id}/focus").json() == moved
    page.locator("#focus-reset").click()
    expect(page.locator("#focus-bar")).to_be_hidden()
    assert httpx.get(f"{server.url}/v1/images/{id}/focus").status_code == 404


def test_marked_parts_are_kept_and_avoided(open_page: Open, server: Server) -> None:
    page = open_page()
    upload(page, jpeg(seed=6))
    id = open_about(page)
    page.locator("#cards button[data-ratio=square]").click()
    before = box(page)
    page.evaluate("window.scrollTo(0, 0)")
    stage = page.locator("#stage").bounding_box()
    assert stage

    def mark(kind: str, left: float, top: float, right: float, bottom: float) -> None:
        page.get_by_text(f"Mark to {kind}", exact=True).click()
        page.mouse.move(stage["x"] + left * stage["width"], stage["y"] + top * stage["height"])
        page.mouse.down()
        page.mouse.move(stage["x"] + right * stage["width"], stage["y"] + bottom * stage["height"], steps=3)
        page.mouse.up()

    mark("keep", 0.85, 0.2, 0.95, 0.4)
    kept = box(page)
    assert kept != before and kept["x"] + kept["width"] >= 0.95 * 640 - 3
    mark("avoid", 0.5, 0.5, 0.6, 0.6)
    expect(page.locator("#advice")).to_contain_text("These marks could not be satisfied: avoid 2.")
    shot(page, "marks")
    page.locator("#export summary").click()
    snippet = page.locator("#snippet").inner_text()
    query = re.search(r"/crops\?ratios=[^&]*&(keep=[^']*)", snippet)
    assert query
    assert box(page) == crop(server, id, f"ratios=square&{query[1]}")["box"]
    page.get_by_role("button", name="Remove avoid 2").click()
    page.get_by_role("button", name="Remove keep 1").click()
    assert box(page) == before
    # The same by the number fields, without a mouse.
    page.get_by_role("button", name="Add a part to avoid").press("Enter")
    page.locator("#mark-0-x").fill("70")
    page.locator("#mark-0-x").press("Enter")
    page.keyboard.press("Tab")
    answer = crop(server, id, "ratios=square&avoid=0.7,0.4,0.2,0.2")
    assert box(page) == answer["box"]
