"""The page: crops as files, and code snippets."""

import io
import json
import zipfile
from pathlib import Path

import httpx
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.conftest import Server
from tests.helpers.page import SHOTS, Open, open_about, shot, upload
from tests.helpers.pictures import draw, encode, jpeg

pytestmark = pytest.mark.browser


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


SAFARI = """() => {
  for (const name of ["toBlob", "toDataURL"]) {
    const original = HTMLCanvasElement.prototype[name];
    HTMLCanvasElement.prototype[name] = function (...options) {
      return original.apply(this, options.map((option) => (option === "image/webp" ? "image/png" : option)));
    };
  }
}"""


def test_a_browser_that_cannot_encode_webp_exports_png_files(open_page: Open) -> None:
    """Safari's canvas makes a PNG where a WebP is asked for."""
    page = open_page()
    page.evaluate(SAFARI)
    upload(page, encode(draw(seed=20), "WEBP"), "picture.webp")
    page.locator("#export summary").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="This crop", exact=True).click()
    with Image.open(download.value.path()) as file:
        assert file.format == "PNG"
    assert download.value.suggested_filename.endswith(".png")
    page.locator("input[name=snippet][value=picture]").check(force=True)
    expect(page.locator("#snippet")).to_contain_text('srcset="picture-16x9.png"')


def test_a_webp_stays_a_webp_where_the_browser_can_encode_it(open_page: Open) -> None:
    page = open_page()
    upload(page, encode(draw(seed=21), "WEBP"), "picture.webp")
    page.locator("#export summary").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="This crop", exact=True).click()
    with Image.open(download.value.path()) as file:
        assert file.format == "WEBP"
    assert download.value.suggested_filename.endswith(".webp")
