"""Focal points of single profiles in both stores, and in the cache in front of them."""

import sqlite3
from pathlib import Path

import pytest

from gazecrop.crop.focus import Focus, of_profile, with_profile
from gazecrop.errors import ImageNotFound, PreconditionFailed, StoreAway, StoreFull
from gazecrop.store.base import Condition, Entry, Record, Store
from gazecrop.store.memory import MapCache
from gazecrop.store.redis import RedisStore
from gazecrop.store.sqlite import SqliteStore
from tests.store.conftest import OpenStore

A, B = "a" * 32, "b" * 32
RECORD = Record("gaze-0", "jpeg", b"GC1 code")
ANY = Condition()
MAX_FOCUS = 4


@pytest.fixture
def max_focus() -> int:
    return MAX_FOCUS


def cache_of(store: Store) -> MapCache[bytes]:
    return MapCache(store, lambda record: record.code, megabytes=1, map_bytes=len)


def test_focal_points_by_profile() -> None:
    one, two = Focus(0.1, 0.1, 1), Focus(0.2, 0.2, 2)
    held = with_profile(with_profile((), "wide", one), "story", two)
    assert held == (("story", two), ("wide", one))
    assert with_profile(held, "wide", two) == (("story", two), ("wide", two))
    assert with_profile(held, "story", None) == (("wide", one),) == with_profile(held[1:], "story", None)
    assert of_profile(one, held, "story") == two and of_profile(one, held, "square") is None
    assert of_profile(one, held, "") == one


async def test_each_profile_has_its_own(store: Store) -> None:
    with pytest.raises(ImageNotFound):
        await store.set_focus(A, 0.1, 0.1, ANY, "story")
    await store.put(A, RECORD)
    story, created = await store.set_focus(A, 0.1, 0.2, ANY, "story")
    assert created and await store.get(A) == Entry(RECORD, None, (("story", story),))
    general, created = await store.set_focus(A, 0.5, 0.5, ANY)
    wide, _ = await store.set_focus(A, 0.9, 0.5, ANY, "wide")
    assert created
    expected = Entry(RECORD, general, (("story", story), ("wide", wide)))
    assert await store.get(A) == expected == await store.put(A, RECORD)
    assert [await store.get_focus(A, name) for name in ("", "story", "wide", "square")] == [
        general,
        story,
        wide,
        None,
    ]
    moved, created = await store.set_focus(A, 0.3, 0.3, Condition(match=(story.revision,)), "story")
    assert not created
    with pytest.raises(PreconditionFailed):  # the revision of another one
        await store.set_focus(A, 0.3, 0.3, Condition(match=(general.revision,)), "story")
    assert await store.delete_focus(A, Condition(match=(moved.revision,)), "story")
    assert not await store.delete_focus(A, ANY, "story")
    assert await store.get(A) == Entry(RECORD, general, (("wide", wide),))
    assert await store.delete_focus(A, ANY)
    assert await store.get(A) == Entry(RECORD, None, (("wide", wide),))


async def test_deleting_a_picture_deletes_all(store: Store) -> None:
    for id in (A, B):
        await store.put(id, RECORD)
        await store.set_focus(id, 0.1, 0.1, ANY)
        await store.set_focus(id, 0.2, 0.2, ANY, "story")
    await store.delete(A)
    assert await store.get_focus(A) is None and await store.get_focus(A, "story") is None
    assert await store.put(A, RECORD) == Entry(RECORD, None)
    found = await store.get(B)
    assert found is not None and found.focus and len(found.profiles) == 1
    await store.set_focus(A, 0.2, 0.2, ANY, "wide")  # the deleted ones are not counted


async def test_all_of_them_count_to_the_limit(store: Store) -> None:
    await store.put(A, RECORD)
    await store.put(B, RECORD)
    for profile in ("", "story", "wide"):
        await store.set_focus(A, 0.5, 0.5, ANY, profile)
    await store.set_focus(B, 0.5, 0.5, ANY)
    for id, profile in ((A, "square"), (B, "story")):
        with pytest.raises(StoreFull):
            await store.set_focus(id, 0.5, 0.5, ANY, profile)
    _, created = await store.set_focus(A, 0.6, 0.6, ANY, "wide")
    assert not created
    await store.delete_focus(A, ANY, "wide")
    await store.set_focus(B, 0.5, 0.5, ANY, "story")


async def test_another_replica_reads_them(store: Store, other: Store) -> None:
    await store.put(A, RECORD)
    story, _ = await store.set_focus(A, 0.25, 0.75, ANY, "story")
    assert await other.get(A) == Entry(RECORD, None, (("story", story),))
    assert await other.get_focus(A, "story") == story


async def test_the_cache_follows_each_change(store: Store) -> None:
    cache = cache_of(store)
    await cache.put(A, RECORD)
    story, _ = await cache.set_focus(A, 0.1, 0.1, ANY, "story")
    general, _ = await cache.set_focus(A, 0.5, 0.5, ANY)
    found = cache.peek(A)
    assert found is not None and (found.focus, found.profiles) == (general, (("story", story),))
    assert await cache.get_focus(A, "story") == (story, False)
    assert await cache.get_focus(A, "wide") == (None, False)
    assert await cache.delete_focus(A, ANY, "story")
    found = cache.peek(A)
    assert found is not None and (found.focus, found.profiles) == (general, ())


async def test_they_answer_while_the_store_is_away(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = cache_of(store)
    await cache.put(A, RECORD)
    story, _ = await cache.set_focus(A, 0.1, 0.1, ANY, "story")

    async def away(*_: object) -> None:
        raise StoreAway

    def away_at_once(*_: object) -> None:
        raise StoreAway

    for name in ("get", "get_focus", "put"):
        monkeypatch.setattr(store, name, away)
    monkeypatch.setattr(store, "look", away_at_once)
    for name in ("FRESH_SECONDS", "REREAD_SECONDS"):
        monkeypatch.setattr(f"gazecrop.store.memory.{name}", -1.0)
    assert await cache.get_focus(A, "story") == (story, True)
    found = await cache.get(A)
    assert found is not None and found.degraded and found.profiles == (("story", story),)
    found = await cache.put(A, Record("gaze-1", "jpeg", b"other"))
    assert found.profiles == (("story", story),)


@pytest.mark.redis
async def test_redis_restores_what_it_has_lost(open_one: OpenStore, store: Store) -> None:
    if not isinstance(store, RedisStore):
        return  # nothing is lost in a file
    await store.put(A, RECORD)
    general, _ = await store.set_focus(A, 0.5, 0.5, ANY)
    story, _ = await store.set_focus(A, 0.1, 0.1, ANY, "story")
    wide, _ = await store.set_focus(A, 0.9, 0.1, ANY, "wide")
    entry = Entry(RECORD, general, (("story", story), ("wide", wide)))
    assert await store.get(A) == entry
    await store.delete_focus(A, ANY, "wide")  # deleted by another replica: its tombstone stays
    client = store._client
    for key in await client.keys(f"gazecrop:focus:{A}*"):
        await client.delete(key)
    await client.delete(f"gazecrop:map:{A}", "gazecrop:focuses")
    assert await store.restore(A, entry) == Entry(RECORD, general, (("story", story),))
    assert await client.scard("gazecrop:focuses") == 2
    await store.delete(A)
    assert await store.restore(A, entry) is None


async def test_a_file_of_release_0_2_is_read(tmp_path: Path) -> None:
    """The rows of that release: one for each picture."""
    path = tmp_path / "gazecrop.db"
    store = SqliteStore(path, megabytes=10, max_focus=MAX_FOCUS)
    await store.put(A, RECORD)
    await store.close()
    with sqlite3.connect(path) as file:
        file.execute("INSERT INTO focus (id, x, y, revision) VALUES (?, 0.25, 0.75, 7)", (A,))
    file.close()
    store = SqliteStore(path, megabytes=10, max_focus=MAX_FOCUS)
    assert await store.get(A) == Entry(RECORD, Focus(0.25, 0.75, 7))
    story, _ = await store.set_focus(A, 0.1, 0.1, ANY, "story")
    assert await store.get(A) == Entry(RECORD, Focus(0.25, 0.75, 7), (("story", story),))
    await store.close()


@pytest.mark.redis
async def test_a_key_of_release_0_2_is_read(store: Store) -> None:
    if not isinstance(store, RedisStore):
        return
    await store.put(A, RECORD)
    await store._client.set(f"gazecrop:focus:{A}", Focus(0.25, 0.75, 7).pack())
    assert await store.get(A) == Entry(RECORD, Focus(0.25, 0.75, 7))
