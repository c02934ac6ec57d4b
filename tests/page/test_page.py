"""The page in a real Chromium against a real server: user actions, and what the page then shows."""

import io
import json
import os
import re
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, Request, Route, expect

from gazecrop.crop.answers import object_position
from gazecrop.crop.cropping import Cropper, Options
from gazecrop.crop.grid import SaliencyGrid
from gazecrop.crop.ratios import parse_ratio
from gazecrop.store.sqlite_reports import read
from tests.conftest import ROOT, Server
from tests.helpers.chromium import chromium
from tests.helpers.contract import until
from tests.helpers.pictures import draw, encode, jpeg

pytestmark = pytest.mark.browser
NPM = ROOT / "service" / "gazecrop" / "page_setup" / "npm" / "node_modules"
KONVA = ROOT / "service" / "gazecrop" / "page" / "vendor" / "konva.min.js"
SHOTS = os.environ.get("PAGE_SHOTS")  # a folder for screenshots of every step, for review

Open = Callable[..., Page]
expect.set_options(timeout=30_000)  # a busy machine is slow
needs_konva = pytest.mark.skipif(not KONVA.exists(), reason="konva is not installed: `make page`")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def open_page(browser: Browser, server: Server) -> Iterator[Open]:
    """open_page(width=1280, ...) -> the page. Fails the test on an uncaught error, a violation of the content security
    policy, or a request to another origin."""
    contexts: list[BrowserContext] = []
    failures: list[str] = []

    def open_one(url: str = server.url, width: int = 1280, height: int = 860, **options: Any) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: failures.append(f"error: {error}"))
        page.on("console", lambda m: failures.append(m.text) if "Content Security Policy" in m.text else None)

        def check_origin(request: Request) -> None:
            if not request.url.startswith((url, "blob:", "data:")):
                failures.append(f"a request to {request.url}")

        page.on("request", check_origin)
        page.goto(f"{url}/")
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert failures == []


def shot(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)


def upload(page: Page, data: bytes, name: str = "picture.jpg") -> None:
    kind = "image/png" if name.endswith("png") else "image/jpeg"
    page.set_input_files("#file", {"name": name, "mimeType": kind, "buffer": data})
    expect(page.locator("#result")).to_be_visible()
    expect(page.locator("body")).not_to_have_class("busy")


def box(page: Page) -> dict[str, int]:
    """The displayed box, in pixels of the picture."""
    page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    return {
        name: int(page.locator("#current").get_attribute(name) or -1)
        for name in ("x", "y", "width", "height")
    }


def identity(page: Page) -> str:
    return page.locator("#facts").inner_text().split("Id\n")[1].split("\n")[0]


def crop(server: Server, id: str, query: str) -> dict[str, Any]:
    answer = httpx.get(f"{server.url}/v1/images/{id}/crops?{query}")
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()["crops"][0]
    return found


def open_about(page: Page) -> str:
    """Opens "About this picture" and gives the id there."""
    page.locator("#about summary").click()
    return identity(page)


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


def test_crops_and_snippets_are_exported(open_page: Open, server: Server) -> None:
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    upload(page, jpeg(seed=7), "My  café.jpg")
    id = open_about(page)
    page.locator("#export summary").click()
    with page.expect_download() as download:
        page.get_by_text("All crops, as a ZIP").click()
    assert download.value.suggested_filename == "My-café-crops.zip"
    answer = httpx.get(f"{server.url}/v1/images/{id}?ratios=square,portrait,desktop,story,banner").json()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert archive.testzip() is None
        files = [Image.open(io.BytesIO(archive.read(name))) for name in archive.namelist()]
        assert archive.namelist()[2] == "My-café-16x9.jpg"
        boxes = [(c["box"]["width"], c["box"]["height"]) for c in answer["crops"]]
        assert [file.size for file in files] == boxes
    with page.expect_download() as download:
        page.get_by_text("Picture with map and boxes").click()
    with Image.open(download.value.path()) as picture:
        assert (picture.format, picture.size) == ("PNG", (640, 480))
    if SHOTS:
        download.value.save_as(Path(SHOTS) / "annotated.png")

    page.locator("input[name=snippet][value=json]").check(force=True)
    theirs = json.loads(page.locator("#snippet").inner_text())
    ours = dict(answer)
    for document in (theirs, ours):
        for one in document["crops"]:
            for field in ("links", "confidence", "advice"):  # computed by the server only
                one.pop(field, None)
    assert theirs == ours
    page.locator("input[name=snippet][value=css]").check(force=True)
    expect(page.locator("#snippet")).to_contain_text(answer["crops"][0]["css"]["object-position"])
    page.locator("input[name=snippet][value=picture]").check(force=True)
    expect(page.locator("#snippet")).to_contain_text('srcset="My-café-16x9.jpg"')
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").startswith("<picture>")
    shot(page, "export")


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


def test_a_report_that_is_not_accepted_keeps_its_text(
    open_page: Open, start_server: Callable[..., Server]
) -> None:
    page = open_page(start_server(GAZECROP_REPORTS="false").url)
    upload(page, jpeg(seed=16))
    page.locator("#report summary").click()
    page.locator("#report-text").fill("The disc is cut.")
    page.get_by_text("Send the report").click()
    expect(page.locator("#report [role=alert]")).to_contain_text("This server does not accept reports.")
    expect(page.locator("#report-text")).to_have_value("The disc is cut.")


def test_without_a_clipboard_the_text_is_selected(open_page: Open) -> None:
    """As over plain HTTP from another machine. The file's name starts with a digit, which a CSS class cannot."""
    page = open_page()
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    upload(page, jpeg(seed=17), "2024 cat.jpg")
    page.locator("#export summary").click()
    page.locator("input[name=snippet][value=css]").check(force=True)
    snippet = page.locator("#snippet").inner_text()
    assert snippet.startswith(".picture-2024-cat { ")
    page.get_by_role("button", name="Copy").click()
    expect(page.locator("#export [role=alert]")).to_contain_text("The text is selected")
    assert page.evaluate("String(getSelection())").strip() == snippet.strip()


@pytest.mark.parametrize("ticked", [False, True])
def test_a_report_carries_the_picture_only_when_ticked(open_page: Open, server: Server, ticked: bool) -> None:
    page, data = open_page(), jpeg(seed=10)
    upload(page, data)
    id = open_about(page)
    page.locator("#cards button[data-ratio=story]").click()
    page.get_by_text("Mark to keep", exact=True).click()
    page.get_by_role("button", name="Add a part to keep").click()
    page.locator("#report summary").click()
    page.locator("#report-kind").select_option("biased")
    page.locator("#report-text").fill("The disc is cut.")
    page.locator("#report-picture").set_checked(ticked)
    page.get_by_text("Send the report").click()
    expect(page.locator("#report")).to_contain_text(f"{'with' if ticked else 'without'} the picture")
    shot(page, "report")
    report = list(read(server.data_dir / "gazecrop.db"))[-1]
    last = report.document
    assert (last["id"], last["kind"], last["text"]) == (id, "biased", "The disc is cut.")
    assert last["crops"][0] == {"ratio": "9:16", "policy": "window", "box": box(page)}
    assert last["should_keep"] == [{"x": 0.4, "y": 0.4, "width": 0.2, "height": 0.2}]
    assert ("picture" in last) == ticked
    assert report.picture == (data if ticked else None)


def test_a_picture_is_deleted(open_page: Open, server: Server) -> None:
    page = open_page()
    upload(page, jpeg(seed=11))
    id = open_about(page)
    assert httpx.get(f"{server.url}/v1/images/{id}").status_code == 200
    page.locator("#delete").click()
    expect(page.locator("#status")).to_contain_text("deleted from the server")
    expect(page.locator("#start")).to_be_visible()
    assert httpx.get(f"{server.url}/v1/images/{id}").status_code == 404


def test_a_server_with_keys_gets_one_from_the_dialog(
    open_page: Open, start_server: Callable[..., Server]
) -> None:
    locked = start_server(GAZECROP_API_KEYS="secret", GAZECROP_HOST="127.0.0.1")
    page = open_page(locked.url)
    page.set_input_files("#file", {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": jpeg(seed=12)})
    page.locator("#key-input").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.locator("#key-error")).not_to_be_empty()
    shot(page, "key")
    page.locator("#key-input").fill("secret")
    page.keyboard.press("Enter")
    expect(page.locator("#result")).to_be_visible()
    page.locator("#export summary").click()
    expect(page.locator("#snippet")).to_contain_text("Bearer $GAZECROP_KEY")  # never the key itself


def test_failures_are_shown_as_sentences(open_page: Open) -> None:
    page = open_page()
    page.set_input_files("#file", {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": b"not a picture"})
    expect(page.locator("#problem-text")).to_contain_text("Not a picture that this server reads.")
    shot(page, "problem")
    page.route("**/v1/images", lambda route: route.abort())
    page.set_input_files("#file", {"name": "b.jpg", "mimeType": "image/jpeg", "buffer": jpeg(seed=13)})
    expect(page.locator("#problem-text")).to_contain_text("cannot be reached")
    page.unroute("**/v1/images")
    page.locator("#retry").click()
    expect(page.locator("#result")).to_be_visible()
    expect(page.locator("#problem")).to_be_hidden()


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


def test_a_phone_is_offered_its_camera(open_page: Open) -> None:
    page = open_page(width=360, height=740, is_mobile=True, has_touch=True)
    expect(page.get_by_text("Take a photo")).to_be_visible()
    expect(page.locator("#drop-hint")).to_be_hidden()
    page.get_by_title("A kite, drawn").tap()
    expect(page.locator("#result")).to_be_visible()
    shot(page, "phone")


def test_the_first_load_is_small(open_page: Open) -> None:
    page = open_page()
    page.wait_for_load_state("networkidle")
    sizes: dict[str, int] = page.evaluate(
        """Object.fromEntries(["resource", "navigation"].flatMap((kind) => performance.getEntriesByType(kind))
            .map((one) => [one.name, one.encodedBodySize]))"""
    )
    assert sum(sizes.values()) < 100_000, sizes
    assert not any("edit" in name or "konva" in name for name in sizes)


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1280, "light")])
def test_axe_finds_nothing_serious(open_page: Open, width: int, scheme: str) -> None:
    axe = NPM / "axe-core" / "axe.min.js"
    if not axe.exists():
        pytest.skip("axe-core is not installed: `make page`")
    page = open_page(width=width, height=800, color_scheme=scheme)

    def serious() -> list[str]:
        page.evaluate(axe.read_text())
        found = page.evaluate("axe.run()")
        return [
            f"{one['id']}: {node['target']} {node.get('failureSummary', '')}"
            for one in found["violations"]
            if one["impact"] in ("serious", "critical", "moderate")
            for node in one["nodes"]
        ]

    assert serious() == []
    upload(page, jpeg(seed=15))
    for section in ("export", "report", "about"):
        page.locator(f"#{section} summary").click()
    page.get_by_text("Mark to keep", exact=True).click()
    page.get_by_role("button", name="Add a part to keep").click()
    expect(page.locator("#snippet")).to_be_visible()
    expect(page.locator("#report-text")).to_be_visible()
    assert serious() == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    shot(page, f"all-{scheme}-{width}")
    if KONVA.exists():
        page.locator("#edit").click()
        expect(page.locator("#edit-done")).to_be_visible()
        page.locator("#edit-text").click()
        shot(page, f"edit-{scheme}-{width}")
        assert serious() == []


def test_everything_can_be_done_by_keyboard(open_page: Open) -> None:
    page = open_page()

    def tab_to(selector: str) -> None:
        for _ in range(160):
            if page.evaluate("(s) => document.activeElement.matches(s)", selector):
                return
            page.keyboard.press("Tab")
        raise AssertionError(f"Tab never reaches {selector}")

    tab_to("#examples li:last-child button")
    page.keyboard.press("Enter")
    expect(page.locator("#result")).to_be_visible()
    tab_to("#focus")
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator("#focus-bar")).to_be_visible()
    tab_to("#focus-reset")
    page.keyboard.press("Enter")
    expect(page.locator("#focus-bar")).to_be_hidden()
    tab_to("#ratio")
    before = box(page)
    page.keyboard.press("ArrowLeft")
    assert box(page) != before
    tab_to("#chip-wide")
    page.keyboard.press("Space")
    expect(page.locator("#cards button[data-ratio=wide]")).to_be_visible()
    tab_to("#custom")
    page.keyboard.type("7:2")
    page.keyboard.press("Enter")
    expect(page.locator("#cards button[data-ratio='7:2']")).to_have_attribute("aria-pressed", "true")
    tab_to("#export summary")
    page.keyboard.press("Enter")
    expect(page.locator("#snippet")).to_be_visible()


def test_an_image_with_data_gazecrop_shows_its_crop(browser: Browser) -> None:
    """`<img data-gazecrop>` shows the server's crop for its aspect ratio in the layout, without a request."""
    picture = draw(800, 600, disc=(0.85, 0.3))
    y, x = np.mgrid[0:30, 0:40] / [[[30]], [[40]]]
    grid = SaliencyGrid.from_density(np.exp(-((x - 0.85) ** 2 + (y - 0.3) ** 2) / 0.01), 800, 600)
    page = browser.new_page(viewport={"width": 900, "height": 700})
    script = (ROOT / "service" / "gazecrop" / "page" / "gazecrop.js").read_text()
    style = """img { display: block; margin: 8px } #a { width: 200px; height: 200px }
        #b { width: 30vw; height: 250px } #c { width: 100%; height: 90px }"""
    images = [f'<img id={id} src="/p.jpg" data-gazecrop="{grid.text}">' for id in "abc"]
    images.append('<img id=d src="/p.jpg" data-gazecrop="R0Mx">')  # a broken map: the image stays
    html = f'<!doctype html><style>{style}</style><script type=module src="/g.js"></script>{"".join(images)}'
    page.route("**/g.js", lambda route: route.fulfill(body=script, content_type="text/javascript"))
    page.route("**/p.jpg", lambda route: route.fulfill(body=encode(picture), content_type="image/jpeg"))
    page.route("http://page.test/", lambda route: route.fulfill(body=html, content_type="text/html"))
    page.goto("http://page.test/")

    def shows_its_crop(id: str) -> bool:
        shape = page.locator(f"#{id}").bounding_box()
        assert shape
        ratio = parse_ratio(f"{shape['width'] / shape['height']:.6f}")
        wanted = object_position(Cropper(grid).crop(ratio, Options()).box, 800, 600)
        return bool(page.eval_on_selector(f"#{id}", "image => image.style.objectPosition") == wanted)

    for width in (900, 420):
        page.set_viewport_size({"width": width, "height": 700})
        for id in "abc":
            until(partial(shows_its_crop, id))
        shot(page, f"self-{width}")
    page.close()
