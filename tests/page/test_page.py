"""The page in a real Chromium against a real server: from a picture to its crops, and deleting it."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Browser, Route, expect

from tests.conftest import Server
from tests.helpers.page import Open, box, crop, open_about, shot, upload
from tests.helpers.pictures import draw, encode, jpeg

pytestmark = pytest.mark.browser


def test_an_upload_shows_the_boxes_of_the_server(open_page: Open, server: Server) -> None:
    page = open_page()
    shot(page, "start")
    upload(page, jpeg(seed=1))
    id = open_about(page)
    for name in ("square", "portrait", "story", "banner"):
        page.locator(f"#cards button[data-ratio={name}]").click()
        expect(page.locator(f"#cards button[data-ratio={name}]")).to_have_attribute("aria-pressed", "true")
        answer = crop(server, id, f"ratios={name}")
        assert box(page) == answer["box"]
        share = f"{round(100 * answer['importance_fraction'])}\xa0%"
        expect(page.locator(f"#cards button[data-ratio={name}] b")).to_have_text(share)
        expect(page.locator("#verdict b")).to_have_text(answer["verdict"].capitalize())
    shot(page, "upload")


@pytest.mark.parametrize("which", ["A kite, drawn", "A poster, drawn"])
def test_an_example_is_one_click(open_page: Open, which: str) -> None:
    page = open_page()
    page.get_by_title(which).click()
    expect(page.locator("#result")).to_be_visible()
    expect(page.locator("#facts")).to_contain_text("1200 × 800, png")
    shot(page, f"example-{which[2]}")


def test_a_photograph_is_among_the_examples(open_page: Open, photo: Callable[[str], Path]) -> None:
    with Image.open(photo("astronaut")) as picture:
        size = picture.size
    page = open_page()
    page.locator("#examples img").first.click()
    expect(page.locator("#facts")).to_contain_text(f"{size[0]} × {size[1]}, jpeg")


def test_the_first_example_opens_with_the_whole_head(open_page: Open, photo: Callable[[str], Path]) -> None:
    """It is square, and 16:9 cut the forehead. The hair begins in row 8, the chin ends in row 190."""
    photo("astronaut")
    page = open_page()
    page.locator("#examples button").first.click()
    expect(page.locator("#facts")).to_contain_text("512 × 512")
    shown = box(page)
    assert shown["width"] < 512 or shown["height"] < 512  # a crop, not the whole picture
    assert shown["x"] <= 155 and shown["x"] + shown["width"] >= 300
    assert shown["y"] <= 8 and shown["y"] + shown["height"] >= 190


@pytest.mark.parametrize("size", [(400, 400), (640, 360), (300, 900)])
def test_the_first_shape_crops_something(open_page: Open, size: tuple[int, int]) -> None:
    page = open_page()
    for seed in (23, 24):  # the second starts with the shape of the first
        upload(page, jpeg(*size, seed=seed))
        if seed == 23:
            page.locator("#custom").fill(f"{size[0]}:{size[1]}")
            page.keyboard.press("Enter")
    shown = box(page)
    assert (shown["width"], shown["height"]) != size


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_a_picture_can_be_dropped_or_pasted(open_page: Open, way: str) -> None:
    page = open_page()
    page.evaluate(
        """([way, bytes]) => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], "one.jpg", {type: "image/jpeg"}));
            const name = way === "drop" ? "dataTransfer" : "clipboardData";
            const event = way === "drop" ? new DragEvent("drop", {dataTransfer: data, cancelable: true})
                : new ClipboardEvent("paste", {clipboardData: data});
            window.dispatchEvent(event);
        }""",
        [way, list(jpeg(320, 200, seed=3))],
    )
    expect(page.locator("#facts")).to_contain_text("320 × 200")


def test_the_slider_sends_no_request(open_page: Open, server: Server) -> None:
    page = open_page()
    upload(page, jpeg(seed=4))
    id, requests = open_about(page), []
    page.on("request", lambda request: requests.append(request.url))
    page.locator("#ratio").focus()
    boxes = set()
    for _ in range(20):
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        boxes.add(tuple(box(page).values()))
    assert len(boxes) == 20
    assert requests == []
    # The displayed box is the one that the server gives for the same ratio.
    value = page.evaluate("Math.exp(document.getElementById('ratio').value / (200 / Math.log(6))).toFixed(4)")
    assert box(page) == crop(server, id, f"ratios={value}")["box"]
    page.locator("#zoom").fill("1.5")
    page.select_option("#policy", "point")
    assert box(page) == crop(server, id, f"ratios={value}&zoom=1.5&policy=point")["box"]
    shot(page, "slider")


def test_a_picture_is_deleted(open_page: Open, server: Server) -> None:
    page = open_page()
    upload(page, jpeg(seed=11))
    id = open_about(page)
    assert httpx.get(f"{server.url}/v1/images/{id}").status_code == 200
    page.locator("#delete").click()
    expect(page.locator("#status")).to_contain_text("deleted from the server")
    expect(page.locator("#start")).to_be_visible()
    assert httpx.get(f"{server.url}/v1/images/{id}").status_code == 404


def test_a_format_that_the_browser_cannot_show_still_works(open_page: Open) -> None:
    page = open_page()
    page.set_input_files(
        "#file", {"name": "a.tiff", "mimeType": "image/tiff", "buffer": encode(draw(300, 200), "TIFF")}
    )
    expect(page.locator("#undecodable")).to_contain_text("cannot show this format")
    shown = box(page)
    page.locator("#export summary").click()
    with page.expect_download() as download:  # cropped by the server
        page.get_by_role("button", name="This crop", exact=True).click()
    with Image.open(download.value.path()) as picture:
        assert picture.size == (shown["width"], shown["height"])


@pytest.mark.parametrize("size", [(1, 1), (2000, 2), (3, 900)])
def test_odd_pictures_break_nothing(open_page: Open, size: tuple[int, int]) -> None:
    page = open_page(width=360, height=740)
    upload(page, encode(draw(*size, disc=None), "PNG"), "odd.png")
    page.locator("#show-others").check()
    page.locator("#export summary").click()
    with page.expect_download():
        page.get_by_text("All crops, as a ZIP").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_it_works_under_a_proxys_path_prefix(browser: Browser, server: Server) -> None:
    context = browser.new_context()
    prefix, outside = "http://proxy.test/crops/here", []

    def forward(route: Route) -> None:
        url = route.request.url
        if not url.startswith(prefix):
            outside.append(url)
            return route.abort()
        route.fulfill(response=route.fetch(url=server.url + url.removeprefix(prefix)))

    context.route("**/*", forward)
    page = context.new_page()
    page.goto(f"{prefix}/")
    upload(page, jpeg(seed=14))
    page.locator("#export summary").click()
    expect(page.locator("#snippet")).to_contain_text(f"{prefix}/v1/images?ratios=")
    page.goto(f"{prefix}/docs")
    expect(page.get_by_role("combobox")).to_have_value(prefix)  # where "Try it out" sends requests
    shot(page, "docs")
    context.close()
    assert outside == []


def test_the_first_load_is_small(open_page: Open) -> None:
    page = open_page()
    page.wait_for_load_state("networkidle")
    sizes: dict[str, int] = page.evaluate(
        """Object.fromEntries(["resource", "navigation"].flatMap((kind) => performance.getEntriesByType(kind))
            .map((one) => [one.name, one.encodedBodySize]))"""
    )
    assert sum(sizes.values()) < 100_000, sizes
    assert not any("edit" in name or "konva" in name for name in sizes)
