"""The page: errors of the server and of proxies, and API keys."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.conftest import Server
from tests.helpers.page import Open, choose, shot
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
    page.set_input_files("#file", {"name": "b.jpg", "mimeType": "image/jpeg", "buffer": jpeg(seed=14)})
    expect(page.locator("#result")).to_be_visible()
    page.mouse.wheel(0, 900)
    page.set_input_files("#file", {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": b"not a picture"})
    expect(page.locator("#problem-text")).to_be_in_viewport()
    page.route("**/v1/images", lambda route: route.abort())
    page.set_input_files("#file", {"name": "b.jpg", "mimeType": "image/jpeg", "buffer": jpeg(seed=13)})
    expect(page.locator("#problem-text")).to_contain_text("cannot be reached")
    page.unroute("**/v1/images")
    page.locator("#retry").click()
    expect(page.locator("#result")).to_be_visible()
    expect(page.locator("#problem")).to_be_hidden()


NGINX = (
    "<html>\r\n<head><title>413 Request Entity Too Large</title></head>\r\n<body>...</body>\r\n</html>\r\n"
)


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (413, NGINX, "The picture is larger than this server or a proxy in front of it accepts."),
        (502, "<h1>502 Bad Gateway</h1>", "The server is not available now."),
        (504, "", "The server did not answer in time."),
        (429, "null", "There were too many requests."),
        (418, '"tea"', "The server answered with the status 418."),
        (200, "<title>Log in</title>", "The response is not from a Gazecrop server."),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else "",
)
def test_an_answer_of_a_proxy_is_shown_as_a_sentence(
    open_page: Open, status: int, body: str, words: str
) -> None:
    """These bodies are no problem documents (RFC 9457)."""
    page = open_page()
    page.route(
        "**/v1/images", lambda route: route.fulfill(status=status, body=body, content_type="text/html")
    )
    choose(page, jpeg(seed=18))
    expect(page.locator("#problem-text")).to_contain_text(words)
    assert "<" not in page.locator("#problem-text").inner_text()


def test_a_connection_closed_during_a_large_upload_may_mean_that_it_is_too_large(open_page: Open) -> None:
    """nginx closes it after 1 MB unless configured, so that the browser may never read its 413."""
    page = open_page()
    page.route("**/v1/images", lambda route: route.abort("connectionreset"))
    choose(page, jpeg(seed=19) + bytes(1_500_000))
    expect(page.locator("#problem-text")).to_contain_text("larger than the server accepts")
