"""Actions on the page in a test, and what it then shows."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.conftest import ROOT, Server

NPM = ROOT / "service" / "gazecrop" / "page_setup" / "npm" / "node_modules"
KONVA = ROOT / "service" / "gazecrop" / "page" / "vendor" / "konva.min.js"
SHOTS = os.environ.get("PAGE_SHOTS")  # a folder for screenshots of every step, for review

Open = Callable[..., Page]
expect.set_options(timeout=30_000)  # a busy machine is slow
needs_konva = pytest.mark.skipif(not KONVA.exists(), reason="konva is not installed: `make page`")
TYPES = {
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "tiff": "image/tiff",
    "webp": "image/webp",
    "gif": "image/gif",
}


def shot(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)


def choose(page: Page, data: bytes, name: str = "picture.jpg") -> None:
    """Chooses a file; does not wait for the result."""
    page.set_input_files("#file", {"name": name, "mimeType": TYPES[name.rsplit(".")[-1]], "buffer": data})


def upload(page: Page, data: bytes, name: str = "picture.jpg") -> None:
    """Chooses a file and waits for its result."""
    choose(page, data, name)
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
