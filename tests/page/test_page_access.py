"""The page on a phone, by keyboard alone, and by axe's rules of accessibility."""

import pytest
from playwright.sync_api import expect

from tests.helpers.page import KONVA, NPM, Open, box, shot, upload
from tests.helpers.pictures import jpeg

pytestmark = pytest.mark.browser


def test_a_phone_is_offered_its_camera(open_page: Open) -> None:
    page = open_page(width=360, height=740, is_mobile=True, has_touch=True)
    expect(page.get_by_text("Take a photo")).to_be_visible()
    expect(page.locator("#drop-hint")).to_be_hidden()
    page.get_by_title("A kite, drawn").tap()
    expect(page.locator("#result")).to_be_visible()
    shot(page, "phone")


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
