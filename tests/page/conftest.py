"""A browser for the tests of the page."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request

from tests.conftest import Server
from tests.helpers.chromium import chromium
from tests.helpers.page import Open


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
