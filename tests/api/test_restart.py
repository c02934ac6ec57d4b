"""SIGTERM, then a restart on the same store: requests in progress end, nothing stored is lost."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from gazecrop.crop.grid import SaliencyGrid
from gazecrop.settings import Settings
from gazecrop.store import open_store
from gazecrop.store.base import Record
from tests.conftest import Server, serving
from tests.helpers.contract import answer_of, begin_upload, client, place_of, problem, until
from tests.helpers.pictures import jpeg

DRAINED, OLD, FOCUSED = (jpeg(seed=seed) for seed in (10, 11, 12))


@dataclass
class Before:
    """The responses and the exit status of the first server."""

    ready: httpx.Response
    refused: httpx.Response
    read: httpx.Response
    drained: httpx.Response
    status: int
    old: dict[str, Any]
    focused: dict[str, Any]


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Before, Server]]:
    """A first server, drained in the middle of an upload."""
    folder = tmp_path_factory.mktemp("restart")
    with serving(folder) as first, client(first.url) as api:
        old = api.post("/v1/images", content=OLD).json()
        location = place_of(api.post("/v1/images", content=FOCUSED))
        api.put(f"{location}/focus", json={"x": 0.1, "y": 0.2})
        focused = api.get(location).json()
        with begin_upload(first.url, DRAINED, sent=1000) as half:
            until(lambda: api.get("/readyz").status_code == 200)
            first.process.terminate()
            until(lambda: api.get("/readyz").status_code == 503)
            ready, read = api.get("/readyz"), api.get(location)
            refused = api.post("/v1/images", content=jpeg(seed=13))
            half.sendall(DRAINED[1000:])
            drained = answer_of(half)
        api.close()
        yield Before(ready, refused, read, drained, first.process.wait(30), old, focused), first


@pytest.fixture(scope="module")
def again(before: tuple[Before, Server]) -> Iterator[httpx.Client]:
    """A second server on the same store, with one map of an older network."""
    folder = before[1].data_dir.parent

    async def forge() -> None:
        store = open_store(Settings(data_dir=folder / "data"))
        code = SaliencyGrid.uniform(6, 8, 640, 480).code
        await store.put(before[0].old["id"], Record("gaze-old", "jpeg", code))
        await store.close()

    asyncio.run(forge())
    with serving(folder) as second, client(second.url) as api:
        yield api


def test_draining_is_reported_and_new_uploads_are_refused(before: tuple[Before, Server]) -> None:
    for answer in (before[0].ready, before[0].refused):
        problem(answer, 503, "draining")
        assert int(answer.headers["retry-after"]) >= 1
    assert before[0].refused.headers["connection"] == "close"


def test_reads_are_served_until_the_end(before: tuple[Before, Server]) -> None:
    assert before[0].read.status_code == 200


def test_the_upload_in_progress_ends_and_the_exit_status_is_0(before: tuple[Before, Server]) -> None:
    assert (before[0].drained.status_code, before[0].status) == (201, 0)


def test_maps_ids_and_focus_survive(before: tuple[Before, Server], again: httpx.Client) -> None:
    focused = before[0].focused
    assert again.get(f"/v1/images/{focused['id']}").json() == focused
    assert focused["focus"] == {"x": 0.1, "y": 0.2, "source": "person"}
    assert again.post("/v1/images", content=FOCUSED).status_code == 200  # the id key is the same
    assert again.post("/v1/images", content=DRAINED).status_code == 200


def test_a_map_of_an_older_network_answers_and_is_made_anew_at_upload(
    before: tuple[Before, Server], again: httpx.Client
) -> None:
    place = f"/v1/images/{before[0].old['id']}"
    forged = again.get(place)
    assert (forged.json()["model"], forged.json()["flat"]) == ("gaze-old", True)
    assert again.get(f"{place}/crops/1:1").status_code == 200
    remade = again.post("/v1/images", content=OLD)
    assert (remade.status_code, remade.json()) == (200, before[0].old)
    shown = again.get(place)
    assert shown.json() == before[0].old and shown.headers["etag"] != forged.headers["etag"]
