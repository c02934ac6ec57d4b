"""Clients that leave while a thread works for them: what they hold stays counted until the thread is done."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from gazecrop import pipeline
from gazecrop.http.routes import rendering
from gazecrop.picture.decode import decode
from gazecrop.picture.memory import SLACK, of_map
from gazecrop.picture.probe import inspect
from gazecrop.picture.render import crop
from tests.helpers.contract import answer_of, begin_upload, client, until
from tests.helpers.inprocess import Blocked, Held, holdable
from tests.helpers.pictures import jpeg

WORKERS, LEAVERS = 2, 8


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Held]:
    with holdable(tmp_path, workers=WORKERS, max_wait_seconds=60) as running:
        yield running


def test_a_decode_keeps_slot_pixels_and_body_of_a_client_that_left(
    service: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of eight leavers freed its slot at once, so that eight threads decoded behind a gate for two."""
    parts = service.parts
    decoding = Blocked(decode)
    monkeypatch.setattr(pipeline, "decode", decoding)
    pictures = [jpeg(seed=700 + number) for number in range(LEAVERS)]
    with ExitStack() as connections:
        for data in pictures:
            connections.enter_context(begin_upload(service.url, data))
        until(lambda: parts.gate.waiting == LEAVERS - WORKERS and decoding.running == WORKERS)
    until(lambda: parts.gate.waiting == 0)
    assert decoding.running == parts.gate.inside == WORKERS
    assert parts.gate.bytes_inside == sum(
        of_map(inspect(data, parts.model.shapes), len(data)) for data in pictures[:WORKERS]
    )
    assert parts.bodies.held >= min(map(len, pictures)) * WORKERS
    with ExitStack() as connections:
        connections.enter_context(begin_upload(service.url, jpeg(seed=790)))
        until(lambda: parts.gate.waiting == 1)
        assert decoding.most == WORKERS
        decoding.go.set()
        until(lambda: parts.gate.inside == parts.gate.waiting == parts.gate.bytes_inside == 0)
    until(lambda: parts.bodies.held == 0)


def test_a_rendering_keeps_its_slot_and_body_too(service: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = service.parts
    cropping = Blocked(crop)
    monkeypatch.setattr(rendering, "crop", cropping)
    data = jpeg(seed=710)
    with client(service.url) as api:
        api.post("/v1/images", content=data)
    with ExitStack() as connections:
        for _ in range(3):
            connections.enter_context(begin_upload(service.url, data, path="/v1/crop?ratio=1:1"))
        until(lambda: cropping.running == 1 and parts.render_gate.waiting == 2)
    until(lambda: parts.render_gate.waiting == 0)
    assert parts.render_gate.inside == cropping.running == cropping.most == 1
    assert parts.bodies.held == len(data)
    cropping.go.set()
    until(lambda: parts.render_gate.inside == parts.bodies.held == 0)


def test_decoding_and_rendering_share_one_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each gate had the whole budget for itself: twice the memory that the setting allows."""
    cropping = Blocked(crop)
    monkeypatch.setattr(rendering, "crop", cropping)
    first, second = jpeg(seed=720), jpeg(seed=721)
    with holdable(tmp_path, workers=4) as running, client(running.url) as api:
        parts = running.parts
        api.post("/v1/images", content=first)
        with ExitStack() as connections:
            connections.enter_context(begin_upload(running.url, first, path="/v1/crop?ratio=1:1"))
            until(lambda: cropping.running == 1)
            assert parts.budget.work == parts.render_gate.bytes_inside > SLACK
            parts.budget.limit, parts.budget.most_bodies = parts.budget.used + SLACK // 2, 1_000_000
            uploading = connections.enter_context(begin_upload(running.url, second))
            until(lambda: parts.gate.waiting == 1)
            cropping.go.set()
            until(lambda: parts.gate.waiting == parts.gate.inside == parts.render_gate.inside == 0)
            assert answer_of(uploading).status_code == 201  # its map is stored now
        assert api.post("/v1/images", content=second).status_code == 200
