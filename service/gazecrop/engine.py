"""What analyses pictures: the network, the store, the threads and their limits. The server has one, and the worker."""

import asyncio
from dataclasses import dataclass

from blake3 import blake3

from gazecrop import machine
from gazecrop.concurrency import background
from gazecrop.concurrency.batcher import Batcher
from gazecrop.concurrency.budget import Budget
from gazecrop.concurrency.gate import Gate
from gazecrop.metrics import Metrics
from gazecrop.model import Model, Pixels, Prediction
from gazecrop.picture.memory import HEAT_MAP
from gazecrop.pipeline import COSTLY_AT_ONCE, Picture, Pipeline, limits_of
from gazecrop.settings import WARM_BYTES, Settings
from gazecrop.sources.fetch import Sources
from gazecrop.store import open_store
from gazecrop.store.base import Record, Store
from gazecrop.store.memory import MapCache

WAITING_PICTURES = 256  # decoded, waiting for the network on a GPU
IDS = 16  # bytes of an id: 32 hexadecimal digits


@dataclass(frozen=True, slots=True)
class Engine:
    """`id_key`: of the ids. `store`: the one behind `maps`."""

    model: Model
    store: Store
    maps: MapCache[Picture]
    budget: Budget
    gate: Gate
    batcher: Batcher[Pixels, Prediction]
    pipeline: Pipeline
    id_key: bytes

    def identify(self, data: bytes) -> str:
        return identify(data, self.id_key)

    async def close(self) -> None:
        """Ends the work under way, then the store."""
        await self.batcher.close()
        self.pipeline.close()
        await self.maps.close()


async def open_engine(settings: Settings, metrics: Metrics, *, max_wait: float) -> Engine:
    """Loads and warms the network and opens the store. `max_wait`: seconds that a picture may wait for its turn.

    Raises ModelError, SettingsError, StoreAway.
    """
    model = await asyncio.to_thread(Model.load, settings)
    await asyncio.to_thread(model.warm)
    metrics.model(model.name, model.file, model.sha256, model.provider, model.fell_back)
    store = open_store(settings)
    id_key = await id_key_of(settings, store)

    def as_picture(record: Record) -> Picture:
        return Picture(record, model.calibration if record.model == model.name else None)

    maps = MapCache(
        store,
        as_picture,
        megabytes=settings.map_megabytes,
        map_bytes=lambda picture: picture.size,
        count=metrics.cache,
    )
    metrics.watch_store(lambda: maps.store_up)
    pictures_waiting = WAITING_PICTURES if model.max_batch > 1 else 0  # decoded, 0.23 MB each
    warm = max(WARM_BYTES, machine.resident()) + pictures_waiting * 230_400
    limit = settings.budget(warm + COSTLY_AT_ONCE * HEAT_MAP)
    budget = Budget(limit, limit // 4)
    metrics.watch_budget(limit, lambda: budget.work, lambda: budget.bodies)
    gate = Gate(
        budget,
        slots=settings.workers,
        shed=metrics.watch_gate("decode", lambda: gate.waiting, lambda: gate.expected_wait()),
        max_wait=max_wait,
    )
    decoders = background.threads(settings.workers, "decode")
    batcher: Batcher[Pixels, Prediction] = Batcher(
        model.infer,
        model.max_batch,
        1 if model.provider.startswith("CUDA") else settings.workers,
        batched=metrics.batch_size.observe,
        max_queue=WAITING_PICTURES,
        shed=metrics.sheds("infer", "queue"),
    )
    metrics.watch_gate("infer", lambda: batcher.waiting)
    pipeline = Pipeline(
        model=model, limits=limits_of(settings), gate=gate, decoders=decoders, batcher=batcher, maps=maps
    )
    return Engine(model, store, maps, budget, gate, batcher, pipeline, id_key)


def sources_of(settings: Settings) -> Sources:
    """What fetches pictures by URL, not open yet. Raises GazecropError where its extra is not installed."""
    return Sources(
        settings.sources,
        private=settings.sources_private,
        max_bytes=settings.max_bytes,
        seconds=settings.body_seconds,
    )


def identify(data: bytes, id_key: bytes) -> str:
    """The id of a picture's bytes: a keyed hash, which cannot be computed without the key."""
    return blake3(data, key=id_key).hexdigest(IDS)


async def id_key_of(settings: Settings, store: Store) -> bytes:
    """The 32-byte key of the ids: derived from GAZECROP_ID_KEY (any text) if set, else the one kept in the store."""
    if settings.id_key is not None:
        return blake3(
            settings.id_key.get_secret_value().encode(), derive_key_context="gazecrop id key 1"
        ).digest()
    return await store.id_key()
