"""The page: errors of the server and of proxies, and API keys."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.conftest import Server
from tests.helpers.page import Open, shot
from tests.helpers.pictures import jpeg

pytestmark = pytest.mark.browser


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
