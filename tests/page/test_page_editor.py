"""The page: the editor, and the comparison of the picture before and after an edit."""

import pytest
from playwright.sync_api import expect

from tests.helpers.page import Open, box, needs_konva, shot, upload
from tests.helpers.pictures import draw, encode, jpeg

pytestmark = pytest.mark.browser


@needs_konva
def test_an_edit_is_analysed_and_compared(open_page: Open) -> None:
    page = open_page()
    upload(page, jpeg(seed=8))
    page.locator("#cards button[data-ratio=story]").click()
    before = box(page)
    page.locator("#edit").click()
    page.get_by_text("Mirror ↔").click()
    page.locator("#edit-text").click()
    page.locator("#edit-text-input").fill("Good morning")
    page.locator("#edit-place-text").click()
    page.locator("#edit-draw").click()
    canvas = page.locator(".edit-canvas").bounding_box()
    assert canvas
    page.mouse.move(canvas["x"] + 50, canvas["y"] + 50)
    page.mouse.down()
    page.mouse.move(canvas["x"] + 200, canvas["y"] + 90, steps=5)
    page.mouse.up()
    shot(page, "edit")
    page.keyboard.press("Control+z")  # the line
    page.locator("#edit-undo").click()  # the text
    expect(page.locator("#edit-redo")).to_be_enabled()
    page.locator("#edit-done").click()
    expect(page.locator("#compare")).to_be_visible()
    expect(page.locator("#compare")).to_contain_text("Mirrored back")
    after = box(page)
    assert after["x"] > before["x"]  # the disc is on the right now
    shot(page, "compare")
    page.locator("#edit").click()
    page.get_by_text("Rotate", exact=True).click()
    page.locator("#edit-crop").click()
    page.locator("#edit-cut").click()
    page.locator("#edit-done").click()
    expect(page.locator("#facts")).to_contain_text(
        "384 × 512"
    )  # 640 x 480 rotated, and a tenth cropped on every side


def test_without_its_library_the_editor_is_disabled_with_a_reason(open_page: Open) -> None:
    page = open_page()
    page.route("**/vendor/*", lambda route: route.fulfill(status=404, body=""))
    upload(page, jpeg(seed=9))
    page.locator("#edit").click()
    expect(page.locator("#edit-error")).to_contain_text("set up without its drawing library")
    expect(page.locator("#edit")).to_be_disabled()


@needs_konva
def test_a_picture_that_cannot_be_edited_does_not_disable_the_editor(open_page: Open) -> None:
    page = open_page()
    upload(page, encode(draw(300, 200), "TIFF"), "picture.tiff")
    page.locator("#edit").click()
    expect(page.locator("#edit-error")).to_contain_text("cannot show this picture")
    upload(page, jpeg(seed=22))
    expect(page.locator("#edit-error")).to_be_hidden()
    page.locator("#edit").click()
    expect(page.locator("#edit-done")).to_be_visible()
