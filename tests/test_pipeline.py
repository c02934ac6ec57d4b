"""One upload is one analysis, whose map is stored; crops need the map alone."""

import asyncio
import threading
import time
import tracemalloc
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from numpy.typing import NDArray
from PIL import Image

from gazecrop.concurrency.batcher import Batcher
from gazecrop.concurrency.gate import Gate
from gazecrop.crop.answers import crop_answer
from gazecrop.crop.confidence import Calibration
from gazecrop.crop.cropping import Crop
from gazecrop.crop.grid import SaliencyGrid
from gazecrop.crop.objects import Object
from gazecrop.crop.params import Wanted, parse
from gazecrop.engine import id_key_of
from gazecrop.errors import (
    BadParameters,
    DeadlinePassed,
    ImageNotFound,
    NotAPicture,
    Overloaded,
    PictureUnreadable,
    StoreAway,
    TooManyPixels,
)
from gazecrop.metrics import Stages
from gazecrop.model import Prediction
from gazecrop.picture.decode import Limits
from gazecrop.pipeline import COSTLY_AT_ONCE, COSTLY_QUEUE, Known, Picture, Pipeline, analyse
from gazecrop.settings import Settings
from gazecrop.store.base import Condition, Entry, Record
from gazecrop.store.memory import MapCache
from gazecrop.store.sqlite import SqliteStore
from tests.helpers.animations import animation
from tests.helpers.gates import slot
from tests.helpers.pictures import encode, jpeg

ID = "0" * 32
FACE = Object("face", 20, 60, 80, 140, 120)


class Network:
    """A model of 6x8 cells, for the pipeline: its maximum is at the left, and it counts its runs."""

    name = "gaze-test"
    shapes = ((48, 64),)
    symmetry_threshold = 0.1
    calibration = None

    def __init__(self) -> None:
        self.runs = 0

    def grid_of(self, shape: tuple[int, ...]) -> tuple[int, int]:
        return 6, 8

    def infer(self, pictures: Sequence[NDArray[np.uint8]]) -> list[Prediction]:
        self.runs += len(pictures)
        density = np.zeros((6, 8), np.float32)
        density[2, 1] = 0.75
        density[3, 2] = 0.25
        return [Prediction(density, (FACE,)) for _ in pictures]


class Flaky(SqliteStore):
    """The real store, which a test can make unreachable."""

    away_now = False
    quick = False

    async def get(self, id: str) -> Entry | None:
        if self.away_now:
            raise StoreAway
        return await super().get(id)

    async def put(self, id: str, record: Record) -> Entry:
        if self.away_now:
            raise StoreAway
        return await super().put(id, record)


class Bench:
    """A pipeline and its parts."""

    def __init__(self, folder: Path) -> None:
        network: Any = Network()
        self.model = network
        self.store = Flaky(folder / "db", megabytes=10, max_focus=10)
        self.maps = MapCache[Picture](
            self.store, Picture, megabytes=1, map_bytes=lambda picture: picture.size
        )
        self.gate = Gate(100_000_000, 1, 1)
        self.decoders = ThreadPoolExecutor(1)
        self.batcher: Batcher[Any, Any] = Batcher(lambda items: network.infer(items))
        self.limits = Limits(pixels_jpeg=1_000_000, pixels=500_000, scans=64)
        self.pipeline = Pipeline(
            model=network,
            limits=self.limits,
            gate=self.gate,
            decoders=self.decoders,
            batcher=self.batcher,
            maps=self.maps,
        )

    async def upload(self, data: bytes, id: str = ID, deadline: float | None = None) -> tuple[Known, bool]:
        self.stages = Stages()
        return await self.pipeline.upload(id, data, self.stages, deadline)

    async def waiting(self, count: int) -> None:
        """Returns when so many wait at the gate."""
        async with asyncio.timeout(20):
            while self.gate.waiting != count:
                await asyncio.sleep(0.001)

    async def close(self) -> None:
        await self.batcher.close()
        self.decoders.shutdown()
        await self.maps.close()


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(tmp_path)
    yield made
    await made.close()


class Bright(Network):
    """Its density is the brightness of the picture. Each frame has a face, in nearly the same place."""

    def infer(self, pictures: Sequence[NDArray[np.uint8]]) -> list[Prediction]:
        found = []
        for pixels in pictures:
            self.runs += 1
            cells = pixels.reshape(6, 8, 8, 8, 3).mean(axis=(1, 3, 4), dtype=np.float32)
            face = Object("face", 20 + self.runs, 60, 80, 140, 100 + self.runs)
            found.append(Prediction(cells / cells.sum(), (face,)))
        return found


@pytest.mark.parametrize("max_batch", [1, 4])
async def test_the_map_of_an_animation_is_the_mean_of_its_frames(bench: Bench, max_batch: int) -> None:
    """By the time that each is shown; a blank one does not count."""
    network: Any = Bright()
    batches: list[int] = []
    bench.pipeline._model = network
    bench.pipeline._batcher = Batcher(network.infer, max_batch, batched=batches.append)
    frames = [Image.new("RGB", (64, 48)) for _ in range(3)]
    frames[1].paste("white", (0, 0, 16, 48))
    frames[2].paste("white", (48, 0, 64, 48))
    data = animation("png", frames, duration=[100, 100, 300])
    known, _ = await bench.upload(data)
    density = known.picture.cropper.grid.density().sum(axis=0)
    # The white quarter of a frame is shown by the network as all of its density; one instant of five is blank.
    assert density[:2].sum() == pytest.approx(1 / 4, abs=0.03) and density[6:].sum() == pytest.approx(
        3 / 4, abs=0.03
    )
    assert known.picture.cropper.grid.objects == (Object("face", 22, 60, 80, 140, 102),), (
        "the surer one of two"
    )
    assert network.runs == 2 and known.picture.record.frames == 3
    network.runs = 0
    assert analyse(data, network, bench.limits) == known.picture.record
    assert sum(batches) == 2 and (max_batch == 1 or len(batches) <= 2)
    await bench.pipeline._batcher.close()


async def test_an_upload_is_analysed_once_and_kept(bench: Bench) -> None:
    known, new = await bench.upload(jpeg())
    assert new and not known.degraded and (known.id, known.focus) == (ID, None)
    assert list(bench.stages.seconds) == ["store", "queue", "decode", "infer"]
    grid = known.picture.cropper.grid
    assert (grid.width, grid.height, grid.rows, grid.columns) == (640, 480, 6, 8)
    assert (grid.levels[2, 1], grid.levels[3, 2], grid.levels.sum()) == (31, 10, 41)
    again, new = await bench.upload(jpeg())
    assert not new and again.version == known.version and bench.model.runs == 1
    assert list(bench.stages.seconds) == ["store"]
    assert await bench.pipeline.find(ID, Stages()) == again


async def test_many_uploads_of_the_same_bytes_at_once_are_one_analysis(bench: Bench) -> None:
    answers = await asyncio.gather(*(bench.upload(jpeg()) for _ in range(6)))
    assert sorted(new for _, new in answers) == [False] * 5 + [True]
    assert bench.model.runs == 1 and len({known.version for known, _ in answers}) == 1


async def test_an_upload_that_looked_just_before_the_map_was_stored_makes_no_second_one(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_up = bench.pipeline._look_up

    async def late(id: str) -> Any:
        found = await look_up(id)
        if found is None:
            monkeypatch.setattr(bench.pipeline, "_look_up", look_up)
            _, new = await bench.upload(jpeg())  # the first upload, from its look-up to the end of its flight
            assert new
        return found

    monkeypatch.setattr(bench.pipeline, "_look_up", late)
    known, new = await bench.upload(jpeg())
    assert not new and bench.model.runs == 1
    assert known == await bench.pipeline.find(ID, Stages())


async def test_a_map_of_another_network_is_made_anew_and_is_not_new(bench: Bench) -> None:
    old = Record("gaze-old", "jpeg", SaliencyGrid.uniform(6, 8, 640, 480).code)
    await bench.store.put(ID, old)
    found = await bench.pipeline.find(ID, Stages())
    assert found.picture.record == old
    known, new = await bench.upload(jpeg())
    assert not new and known.picture.record.model == "gaze-test" and known.version != found.version
    assert bench.model.runs == 1


async def test_a_flat_picture_needs_no_inference(bench: Bench) -> None:
    known, _ = await bench.upload(encode(Image.new("RGB", (300, 100), "navy"), "PNG"))
    assert bench.model.runs == 0 and known.picture.cropper.grid.flat
    assert "infer" not in bench.stages.seconds


async def test_without_the_store_uploads_are_answered_and_written_back(bench: Bench) -> None:
    bench.store.away_now = True
    known, new = await bench.upload(jpeg())
    assert new and known.degraded
    again, new = await bench.upload(jpeg())
    assert not new and bench.model.runs == 1
    with pytest.raises(StoreAway):
        await bench.pipeline.find("1" * 32, Stages())
    bench.store.away_now = False
    await bench.maps.ping()  # after any answer unsaved maps are written back
    async with asyncio.timeout(20):
        while (await bench.pipeline.find(ID, Stages())).degraded:
            await asyncio.sleep(0.01)
    assert await bench.store.get(ID) is not None


async def test_a_bad_picture_is_an_error_and_nothing_is_stored(bench: Bench) -> None:
    cases: list[tuple[bytes, type[Exception]]] = [
        (b"no picture", NotAPicture),
        (jpeg()[:2000], PictureUnreadable),
        (encode(Image.new("L", (800, 700)), "PNG"), TooManyPixels),
        (jpeg(1200, 900), TooManyPixels),
    ]
    for data, error in cases:
        with pytest.raises(error):
            await bench.upload(data)
    assert await bench.store.get(ID) is None and bench.model.runs == 0
    assert (bench.gate.inside, bench.gate.waiting, bench.gate.bytes_inside) == (0, 0, 0)


async def test_no_work_starts_after_the_deadline(bench: Bench) -> None:
    with pytest.raises(DeadlinePassed):
        await bench.upload(jpeg(), deadline=time.monotonic() - 1)
    assert bench.model.runs == 0
    await bench.upload(jpeg())
    await bench.upload(jpeg(), deadline=time.monotonic() - 1)  # its map is stored: there is no work


async def test_the_deadline_of_the_first_request_does_not_end_those_that_joined(bench: Bench) -> None:
    async with slot(bench.gate, 1):  # the gate is full
        hasty = asyncio.create_task(bench.upload(jpeg(), deadline=time.monotonic() + 0.3))
        while not hasty.done() and not bench.gate.waiting:
            await asyncio.sleep(0.001)
        patient = [asyncio.create_task(bench.upload(jpeg())) for _ in range(2)]
        later = asyncio.create_task(bench.upload(jpeg(), deadline=time.monotonic() + 60))
        with pytest.raises(DeadlinePassed):
            await hasty
    answers = await asyncio.gather(*patient, later)
    assert sorted(new for _, new in answers) == [False, False, True] and bench.model.runs == 1


async def test_a_full_queue_refuses(bench: Bench) -> None:
    async with slot(bench.gate, 1):
        waiting = asyncio.create_task(bench.upload(jpeg(seed=1), id="1" * 32))
        await bench.waiting(1)
        with pytest.raises(Overloaded):
            await bench.upload(jpeg(seed=2), id="2" * 32)
    assert (await waiting)[1]


async def test_when_the_client_leaves_its_place_is_free(bench: Bench) -> None:
    async with slot(bench.gate, 1):
        leaver = asyncio.create_task(bench.upload(jpeg()))
        await bench.waiting(1)
        leaver.cancel()
        await asyncio.gather(leaver, return_exceptions=True)
        await bench.waiting(0)
    assert bench.model.runs == 0 and await bench.store.get(ID) is None


async def test_what_is_not_there_is_not_found(bench: Bench) -> None:
    with pytest.raises(ImageNotFound):
        await bench.pipeline.find(ID, Stages())
    await bench.upload(jpeg())
    await bench.maps.delete(ID)
    with pytest.raises(ImageNotFound):
        await bench.pipeline.find(ID, Stages())


async def test_the_version_changes_with_map_network_and_focus(bench: Bench) -> None:
    known, _ = await bench.upload(jpeg())
    focus, _ = await bench.maps.set_focus(ID, 0.1, 0.2, Condition())
    focused = await bench.pipeline.find(ID, Stages())
    assert focused.focus == focus and focused.version != known.version
    await bench.maps.delete_focus(ID, Condition())
    assert (await bench.pipeline.find(ID, Stages())).version == known.version
    record = known.picture.record
    for changed in (Record("gaze-x", record.format, record.code), Record(record.model, "png", record.code)):
        assert Known(ID, Picture(changed), None, False).version != known.version


async def test_policy_focus_follows_a_focus_and_requires_one(bench: Bench) -> None:
    known, _ = await bench.upload(jpeg())
    [crop] = bench.pipeline.crops(known, parse("ratios=9:16"))
    assert crop.policy == "balanced"
    with pytest.raises(BadParameters):
        bench.pipeline.crops(known, parse("policy=focus"))
    await bench.maps.set_focus(ID, 1, 1, Condition())
    focused = await bench.pipeline.find(ID, Stages())
    [crop] = bench.pipeline.crops(focused, parse("ratios=9:16"))
    assert crop.policy == "focus" and crop.box.x == 640 - 270


async def test_only_costly_crops_are_computed_in_a_thread(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, _ = await bench.upload(jpeg())
    threads = []
    plain = Pipeline.crops

    def crops(self: Pipeline, known: Known, wanted: Wanted) -> list[Crop]:
        threads.append(threading.current_thread())
        return plain(self, known, wanted)

    monkeypatch.setattr(Pipeline, "crops", crops)
    avoid = "&".join(f"avoid={i / 16},0.2,0.05,0.6" for i in range(16))
    keep = "&".join(f"keep=0.{i}1,0.4,0.05,0.1" for i in range(9))
    ratios = "ratios=" + ",".join(f"{i + 4}:9" for i in range(16))
    costly = [f"{ratios}&zoom=1.5&candidates=5&{avoid}&{keep}", f"{ratios}&{avoid}", f"{ratios}&zoom=2"]
    for query in costly:
        wanted = parse(query)
        assert await bench.pipeline.crops_aside(known, wanted) == plain(bench.pipeline, known, wanted)
    assert threading.main_thread() not in threads and len(threads) == len(costly)
    threads.clear()
    for query in (ratios, "ratios=1:1&zoom=1.5", "ratios=1:1&candidates=5", f"ratios=1:1&{avoid}"):
        await bench.pipeline.crops_aside(known, parse(query))
    assert set(threads) == {threading.main_thread()}


async def test_too_many_costly_queries_are_refused(bench: Bench) -> None:
    known, _ = await bench.upload(jpeg())
    costly = parse("zoom=2&candidates=5&ratios=" + ",".join(f"{i + 4}:9" for i in range(16)))
    calls = [bench.pipeline.crops_aside(known, costly) for _ in range(COSTLY_AT_ONCE + COSTLY_QUEUE + 1)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(answer) for answer in answers].count(Overloaded) == 1


async def test_analysis_without_a_server_makes_the_same_map(bench: Bench) -> None:
    known, _ = await bench.upload(jpeg())
    assert analyse(jpeg(), bench.model, bench.limits) == known.picture.record
    assert known.picture.cropper.grid.objects == (FACE,)


async def test_where_batches_are_gathered_the_map_is_the_same(bench: Bench) -> None:
    bench.batcher.max_batch = 2
    known, _ = await bench.upload(jpeg())
    assert analyse(jpeg(), bench.model, bench.limits) == known.picture.record
    assert bench.model.runs == 2 and list(bench.stages.seconds) == ["store", "queue", "decode", "infer"]


async def test_ids_need_the_key(tmp_path: Path) -> None:
    """With the setting it is the same everywhere; without it the store has its own."""
    store = SqliteStore(tmp_path / "db", megabytes=10, max_focus=10)
    keys = [await id_key_of(Settings(id_key=key), store) for key in ("one", "one", "two", None, None)]
    assert keys[0] == keys[1] and keys[3] == keys[4] == await store.id_key()
    assert len({keys[0], keys[2], keys[3]}) == 3 and all(len(key) == 32 for key in keys)
    await store.close()


async def test_a_picture_keeps_its_last_answer_and_no_more_than_the_cache_counts(bench: Bench) -> None:
    known, _ = await bench.upload(jpeg())
    picture = known.picture
    assert picture.answer("v", "q") is None
    picture.keep_answer("v", "q", b"answer")
    assert picture.answer("v", "q") == b"answer"
    assert picture.answer("v", "other") is None and picture.answer("w", "q") is None
    picture.keep_answer("v", "large", bytes(Picture.ANSWER_BYTES))
    picture.keep_answer("v", "q" * Picture.ANSWER_BYTES, b"answer")
    assert picture.answer("v", "large") is None and picture.answer("v", "q" * Picture.ANSWER_BYTES) is None
    assert picture.answer("v", "q") == b"answer"


def test_what_a_picture_counts_is_what_it_takes() -> None:
    """Of each kind of sums that a query may need."""
    chance = np.random.default_rng(1)
    calibration = Calibration((0.5, 1.0, 1.0, 1.0), 0.1)
    codes = [
        SaliencyGrid.from_density(chance.random((30, 40)).astype(np.float32), 1600 + number, 1200).code
        for number in range(200)
    ]
    records = [Record("gaze-test", "jpeg", code) for code in codes]
    queries = ["ratios=1:1&policy=window", "policy=window", "policy=window&zoom=1.5", "", "zoom=1.5"]

    def answer(pictures: list[Picture], query: str) -> None:
        wanted = parse(query)
        for picture in pictures:
            crops = [picture.cropper.crop(ratio, wanted.options) for ratio in wanted.ratios]
            orjson.dumps([crop_answer(crop, picture.cropper) for crop in crops])

    for query in queries:  # what is computed once for all
        answer([Picture(records[0], calibration)], query)
    tracemalloc.start()
    pictures = [Picture(record, calibration) for record in records]
    for query in queries:
        answer(pictures, query)
        taken = tracemalloc.get_traced_memory()[0] / len(pictures)
        counted = sum(picture.size for picture in pictures) / len(pictures)
        assert 0.75 * counted < taken < 1.25 * counted, (query, taken, counted)
    tracemalloc.stop()
