"""/v1/images/{id}/saliency: a density as JSON, a heat map as PNG."""

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from gazecrop.crop.grid import SaliencyGrid
from gazecrop.http.openapi import schemas
from gazecrop.http.routes import images
from gazecrop.picture.heatmap import heat_map
from tests.helpers.contract import place_of, problem, until, wrong
from tests.helpers.inprocess import Blocked, holdable


@pytest.fixture(scope="module")
def place(api: httpx.Client, picture: bytes) -> str:
    return place_of(api.post("/v1/images", content=picture))


def test_the_json_is_the_portable_map_as_a_density(api: httpx.Client, place: str) -> None:
    content = api.get(f"{place}/saliency").json()
    schemas.Saliency.model_validate(content)
    values = np.array(content["values"])
    assert values.shape == (content["rows"], content["columns"])
    assert values.min() >= 0 and abs(values.sum() - 1) < 1e-12
    grid = SaliencyGrid.from_text(api.get(place).json()["saliency"]["encoded"])
    assert np.array_equal(values, grid.density())


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "application/json"), ("*/*", "application/json"), ("image/png", "image/png"), ("image/*", "image/png"),
        ("application/json", "application/json"), ("image/png, application/json", "application/json"),
        ("application/json;q=0.5, image/png", "image/png"), ("image/png;q=0.2, */*;q=0.1", "image/png"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "application/json"), ("IMAGE/PNG", "image/png"),
        ("image/png;q=0, */*", "application/json"), ("image/png;q=x", "image/png"), ("", "application/json"),
    ],
)  # fmt: skip
def test_accept_chooses(api: httpx.Client, place: str, accept: str | None, kind: str) -> None:
    answer = api.get(f"{place}/saliency", headers={} if accept is None else {"accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
    assert answer.headers["vary"] == "Accept"


@pytest.mark.parametrize("accept", ["text/html", "image/jpeg", "image/png;q=0", "*/*;q=0", "nonsense"])
def test_an_unacceptable_format_is_406(api: httpx.Client, place: str, accept: str) -> None:
    problem(api.get(f"{place}/saliency", headers={"accept": accept}), 406, "not_acceptable")


def test_the_heat_map_has_the_shape_of_the_picture(api: httpx.Client, place: str) -> None:
    answer = api.get(f"{place}/saliency", headers={"accept": "image/png"})
    with Image.open(io.BytesIO(answer.content)) as picture:
        assert picture.format == "PNG" and abs(picture.width / picture.height - 4 / 3) < 0.01
        bright = np.asarray(picture.convert("L"), float)
    y, x = np.unravel_index(bright.argmax(), bright.shape)
    assert abs(x / bright.shape[1] - 0.3) < 0.1 and abs(y / bright.shape[0] - 0.4) < 0.1


def test_each_format_has_its_own_etag(api: httpx.Client, place: str) -> None:
    tags = {api.get(f"{place}/saliency", headers={"accept": a}).headers["etag"] for a in ("image/png", "*/*")}
    assert len(tags) == 2
    for accept in ("image/png", "*/*"):
        head = api.head(f"{place}/saliency", headers={"accept": accept})
        assert head.headers["etag"] in tags and head.content == b""
        unchanged = api.get(
            f"{place}/saliency", headers={"accept": accept, "if-none-match": head.headers["etag"]}
        )
        assert (unchanged.status_code, unchanged.content, unchanged.headers["vary"]) == (304, b"", "Accept")


def test_crop_parameters_do_not_belong_here(api: httpx.Client, place: str) -> None:
    assert wrong(api.get(f"{place}/saliency?ratios=1:1&zoom=2")) == ["ratios", "zoom"]


def test_a_heat_map_is_drawn_off_the_event_loop(
    tmp_path: Path, picture: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawing = Blocked(heat_map)
    monkeypatch.setattr(images, "heat_map", drawing)
    with holdable(tmp_path) as running, httpx.Client(base_url=running.url, timeout=30) as api:
        place = place_of(api.post("/v1/images", content=picture))
        with ThreadPoolExecutor(1) as threads:
            response = threads.submit(
                httpx.get, f"{running.url}{place}/saliency", headers={"Accept": "image/png"}
            )
            try:
                until(lambda: drawing.running == 1)
                assert api.get("/healthz").status_code == 200
            finally:
                drawing.go.set()
            assert response.result().headers["content-type"] == "image/png"
