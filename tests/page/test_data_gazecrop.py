"""gazecrop.js in a page of its own: `<img data-gazecrop>`."""

from functools import partial

import numpy as np
import pytest
from playwright.sync_api import Browser

from gazecrop.crop.answers import object_position
from gazecrop.crop.cropping import Cropper, Options
from gazecrop.crop.grid import SaliencyGrid
from gazecrop.crop.ratios import parse_ratio
from tests.conftest import ROOT
from tests.helpers.contract import until
from tests.helpers.page import shot
from tests.helpers.pictures import draw, encode

pytestmark = pytest.mark.browser


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
