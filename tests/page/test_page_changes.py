"""The page: another picture is chosen while a request or an export of the first one is not finished."""

import io
import json
import zipfile
from collections.abc import Callable

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Page, Route, expect

from tests.conftest import Server
from tests.helpers.page import Open, choose, needs_konva, open_about, upload
from tests.helpers.pictures import jpeg

pytestmark = pytest.mark.browser


def hold(page: Page, url: str, method: str) -> Callable[[], None]:
    """Holds back requests to a URL. Gives a function that lets them go on and waits for their responses."""
    held: list[Route] = []

    def handler(route: Route) -> None:
        if route.request.method == method:
            held.append(route)
        else:
            route.continue_()

    page.route(url, handler)

    def release() -> None:
        while not held:
            page.wait_for_timeout(20)
        for route in held:
            with page.expect_response(lambda answer: answer.request.method == method):
                route.continue_()
        page.unroute(url)
        page.wait_for_timeout(200)  # the page's own work after the response

    return release


def stored(server: Server, data: bytes) -> str:
    """Uploads a picture and stores a focus for it. Gives its id."""
    id: str = httpx.post(f"{server.url}/v1/images", content=data).json()["id"]
    answer = httpx.put(f"{server.url}/v1/images/{id}/focus", json={"x": 0.8, "y": 0.8})
    assert answer.status_code in (200, 201)
    return id


def test_the_tag_of_another_pictures_focus_is_not_sent(open_page: Open, server: Server) -> None:
    page, first = open_page(), jpeg(seed=40)
    id = stored(server, first)
    release = hold(page, f"**/{id}/focus", "GET")
    choose(page, first)
    expect(page.locator("#focus-text")).to_contain_text("is saved")
    upload(page, jpeg(seed=41))
    expect(page.locator("#focus-bar")).to_be_hidden()
    release()
    page.locator("#focus").press("ArrowRight")
    page.locator("#focus-save").click()
    expect(page.locator("#status")).to_have_text("The focus is saved.")
    other = open_about(page)
    assert other != id
    assert httpx.get(f"{server.url}/v1/images/{other}/focus").status_code == 200


def test_a_conflict_about_one_focus_does_not_move_another(open_page: Open, server: Server) -> None:
    page, first = open_page(), jpeg(seed=42)
    upload(page, first)
    id = stored(server, first)  # by another user
    page.locator("#focus").press("ArrowRight")
    release = hold(page, f"**/{id}/focus", "PUT")
    page.locator("#focus-save").click()
    upload(page, jpeg(seed=43))
    release()
    expect(page.locator("#focus-bar")).to_be_hidden()
    expect(page.locator("#problem")).to_be_hidden()


def test_resetting_one_focus_does_not_reset_another(open_page: Open, server: Server) -> None:
    page, first, second = open_page(), jpeg(seed=44), jpeg(seed=45)
    id = stored(server, first)
    stored(server, second)
    upload(page, first)
    expect(page.locator("#focus-bar")).to_be_visible()
    release = hold(page, f"**/{id}/focus", "DELETE")
    page.locator("#focus-reset").click()
    upload(page, second)
    release()
    expect(page.locator("#focus-text")).to_contain_text("is saved")


def test_deleting_one_picture_does_not_close_another(open_page: Open) -> None:
    page = open_page()
    upload(page, jpeg(seed=46))
    id = open_about(page)
    release = hold(page, f"**/v1/images/{id}", "DELETE")
    page.locator("#delete").click()
    upload(page, jpeg(300, 200, seed=47))
    release()
    expect(page.locator("#result")).to_be_visible()
    expect(page.locator("#facts")).to_contain_text("300 × 200")


def test_an_archive_holds_crops_of_one_picture(open_page: Open) -> None:
    page = open_page()
    upload(page, jpeg(seed=48), "first.jpg")
    page.locator("#export summary").click()
    page.evaluate(
        """() => {
          const encode = HTMLCanvasElement.prototype.toBlob, released = new Promise((done) => (window.release = done));
          HTMLCanvasElement.prototype.toBlob = async function (...options) {
            await released;
            encode.apply(this, options);
          };
        }"""
    )
    with page.expect_download() as download:
        page.get_by_text("All crops, as a ZIP").click()
        upload(page, jpeg(300, 200, seed=49), "second.jpg")
        page.evaluate("window.release()")
    assert download.value.suggested_filename == "first-crops.zip"
    with zipfile.ZipFile(download.value.path()) as archive:
        assert {name.split("-")[0] for name in archive.namelist()} == {"first"}
        sizes = [Image.open(io.BytesIO(archive.read(name))).size for name in archive.namelist()]
    assert all(width == 640 or height == 480 for width, height in sizes), sizes


def test_the_example_that_was_clicked_last_is_shown(open_page: Open) -> None:
    page = open_page()
    held: list[Route] = []
    index = json.dumps([{"file": "slow.jpg", "thumb": "thumb.jpg", "title": "Slow"}])
    page.route("**/examples/index.json", lambda route: route.fulfill(body=index))
    page.route("**/examples/thumb.jpg", lambda route: route.fulfill(body=jpeg(64, 48)))
    page.route("**/examples/slow.jpg", lambda route: held.append(route))
    page.reload()
    page.get_by_title("Slow").click()
    page.get_by_title("A kite, drawn").click()
    expect(page.locator("#facts")).to_contain_text("1200 × 800")
    while not held:
        page.wait_for_timeout(20)
    held[0].fulfill(body=jpeg(300, 200, seed=50), content_type="image/jpeg")
    page.wait_for_timeout(500)
    expect(page.locator("body")).not_to_have_class("busy")
    expect(page.locator("#facts")).to_contain_text("1200 × 800")


def test_the_page_is_not_busy_after_a_picture_was_given_up(open_page: Open) -> None:
    page = open_page()
    upload(page, jpeg(seed=51))
    release = hold(page, "**/v1/images", "POST")
    choose(page, jpeg(seed=52))
    expect(page.locator("body")).to_have_class("busy")
    page.locator("#another").click()
    expect(page.locator("body")).not_to_have_class("busy")
    release()
    expect(page.locator("#start")).to_be_visible()


DROP = """(bytes) => {
    const data = new DataTransfer();
    data.items.add(new File([new Uint8Array(bytes)], "other.jpg", { type: "image/jpeg" }));
    window.dispatchEvent(new DragEvent("drop", { dataTransfer: data, cancelable: true }));
}"""


@needs_konva
def test_a_picture_dropped_on_the_editor_is_ignored(open_page: Open) -> None:
    page = open_page()
    upload(page, jpeg(seed=53))
    page.locator("#edit").click()
    expect(page.locator("#edit-done")).to_be_visible()
    page.evaluate(DROP, list(jpeg(300, 200, seed=54)))
    page.get_by_text("Mirror ↔").click()
    page.locator("#edit-done").click()
    expect(page.locator("#compare")).to_contain_text("Mirrored back")
    expect(page.locator("#facts")).to_contain_text("640 × 480")
    before = page.locator("#compare .pane").first
    assert before.evaluate("(pane) => pane.style.aspectRatio") == "640 / 480"
