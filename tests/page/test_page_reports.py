"""The page: reports of wrong or unfair crops."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from gazecrop.store.sqlite_reports import read
from tests.conftest import Server
from tests.helpers.page import Open, box, open_about, shot, upload
from tests.helpers.pictures import jpeg

pytestmark = pytest.mark.browser


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
    assert last["crops"][0] == {"ratio": "9:16", "policy": "balanced", "box": box(page)}
    assert last["should_keep"] == [{"x": 0.4, "y": 0.4, "width": 0.2, "height": 0.2}]
    assert ("picture" in last) == ticked
    assert report.picture == (data if ticked else None)
