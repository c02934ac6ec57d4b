"""The interface of the stores, run against an SQLite file and a real redis-server."""

import asyncio
from pathlib import Path

import pytest

from gazecrop.crop.focus import Focus
from gazecrop.errors import ImageNotFound, PreconditionFailed, StoreAway, StoreFull
from gazecrop.settings import Settings
from gazecrop.store import open_store
from gazecrop.store.base import Condition, Entry, Record, Report, Store
from tests.store.conftest import MAX_FOCUS, OpenStore

A, B = "a" * 32, "b" * 32
RECORD = Record("gaze-0", "jpeg", b"GC1 \x00\xff code with spaces \n")
NEWER = Record("gaze-1", "jpeg", b"GC1other")
ANY = Condition()


async def test_a_map_comes_back_as_it_was_put(store: Store) -> None:
    assert await store.get(A) is None
    assert await store.put(A, RECORD) == Entry(RECORD, None)
    assert await store.get(A) == Entry(RECORD, None)
    assert await store.get(B) is None


async def test_a_newer_map_takes_the_place_of_the_older(store: Store) -> None:
    await store.put(A, RECORD)
    await store.put(A, NEWER)
    assert await store.get(A) == Entry(NEWER, None)


async def test_a_code_may_contain_every_byte(store: Store) -> None:
    record = Record("gaze-0", "png", bytes(range(256)) * 20, orientation=6)
    await store.put(A, record)
    assert await store.get(A) == Entry(record, None)


async def test_a_focus_needs_a_known_id(store: Store) -> None:
    with pytest.raises(ImageNotFound):
        await store.set_focus(A, 0.3, 0.4, ANY)
    with pytest.raises(ImageNotFound):  # 404 comes before 412
        await store.set_focus(A, 0.3, 0.4, Condition(match=(1,)))
    assert await store.get_focus(A) is None


async def test_a_focus_comes_with_its_map(store: Store) -> None:
    await store.put(A, RECORD)
    focus, created = await store.set_focus(A, 0.1, 1.0, ANY)
    assert created and (focus.x, focus.y) == (0.1, 1.0)
    assert await store.get_focus(A) == focus
    assert await store.get(A) == Entry(RECORD, focus)
    replaced, created = await store.set_focus(A, 0.1, 1.0, ANY)
    assert not created and replaced.revision != focus.revision
    assert await store.get(A) == Entry(RECORD, replaced)


async def test_a_focus_outlives_a_new_model_and_a_second_upload(store: Store) -> None:
    await store.put(A, RECORD)
    focus, _ = await store.set_focus(A, 0.5, 0.5, ANY)
    assert await store.put(A, NEWER) == Entry(NEWER, focus)


async def test_deleting_forgets_map_and_focus(store: Store) -> None:
    await store.put(A, RECORD)
    await store.put(B, RECORD)
    await store.set_focus(A, 0.5, 0.5, ANY)
    await store.delete(A)
    await store.delete(A)
    assert await store.get(A) is None
    assert await store.get_focus(A) is None
    assert await store.get(B) == Entry(RECORD, None)
    assert await store.put(A, RECORD) == Entry(RECORD, None)


async def test_preconditions_of_setting(store: Store) -> None:
    await store.put(A, RECORD)
    for refused in (Condition(match=()), Condition(match=(7,)), Condition(match=(), absent=True)):
        with pytest.raises(PreconditionFailed):
            await store.set_focus(A, 0.5, 0.5, refused)
    first, _ = await store.set_focus(A, 0.1, 0.1, Condition(absent=True, other=(7,)))
    for refused in (Condition(absent=True), Condition(match=(first.revision ^ 1, 0))):
        with pytest.raises(PreconditionFailed):
            await store.set_focus(A, 0.2, 0.2, refused)
    assert await store.get_focus(A) == first
    second, created = await store.set_focus(A, 0.3, 0.3, Condition(match=(5, first.revision), other=(5, 6)))
    assert not created
    here = second.revision
    for refused in (
        Condition(other=(here,)), Condition(other=(first.revision, here)), Condition(match=(), absent=True),
        Condition(match=(here,), other=(here,)), Condition(match=(), other=(1, here)),
        Condition(match=(1,), other=(2,)),
    ):  # fmt: skip
        with pytest.raises(PreconditionFailed):
            await store.set_focus(A, 0.5, 0.5, refused)
    assert await store.get_focus(A) == second
    third, _ = await store.set_focus(A, 0.4, 0.4, Condition(match=(), other=(first.revision,)))
    with pytest.raises(PreconditionFailed):
        await store.set_focus(A, 0.5, 0.5, Condition(match=(first.revision, second.revision)))
    assert await store.get_focus(A) == third


async def test_preconditions_of_deleting(store: Store) -> None:
    assert not await store.delete_focus(A, ANY)
    with pytest.raises(PreconditionFailed):
        await store.delete_focus(A, Condition(match=()))
    await store.put(A, RECORD)
    focus, _ = await store.set_focus(A, 0.1, 0.1, ANY)
    for refused in (
        Condition(absent=True), Condition(match=(focus.revision ^ 1,)), Condition(other=(focus.revision,))
    ):  # fmt: skip
        with pytest.raises(PreconditionFailed):
            await store.delete_focus(A, refused)
    assert await store.get_focus(A) == focus
    assert await store.delete_focus(A, Condition(match=(focus.revision,)))
    assert await store.get_focus(A) is None
    assert await store.get(A) == Entry(RECORD, None)


async def test_a_revision_never_comes_again(store: Store) -> None:
    """An ETag from before a deletion must not match the focus that was set after it."""
    await store.put(A, RECORD)
    old, _ = await store.set_focus(A, 0.1, 0.1, ANY)
    await store.delete_focus(A, ANY)
    new, created = await store.set_focus(A, 0.1, 0.1, ANY)
    assert created
    with pytest.raises(PreconditionFailed):
        await store.set_focus(A, 0.2, 0.2, Condition(match=(old.revision,)))
    assert await store.get_focus(A) == new


async def test_the_number_of_focal_points_is_limited(store: Store) -> None:
    ids = [f"{number:032x}" for number in range(MAX_FOCUS + 1)]
    for id in ids:
        await store.put(id, RECORD)
    for id in ids[:-1]:
        await store.set_focus(id, 0.5, 0.5, ANY)
    with pytest.raises(StoreFull) as full:
        await store.set_focus(ids[-1], 0.5, 0.5, ANY)
    assert full.value.problem()["limit"] == MAX_FOCUS
    with pytest.raises(PreconditionFailed):  # 412 comes before 507
        await store.set_focus(ids[-1], 0.5, 0.5, Condition(match=()))
    _, created = await store.set_focus(ids[0], 0.6, 0.6, ANY)  # one that is there may still move
    assert not created
    # The count follows deletions of every kind, repeated ones too.
    for _ in range(2):
        await store.delete_focus(ids[0], ANY)
        await store.delete(ids[1])
    await store.set_focus(ids[-1], 0.5, 0.5, ANY)
    await store.set_focus(ids[0], 0.5, 0.5, ANY)
    await store.put(ids[1], RECORD)
    with pytest.raises(StoreFull):
        await store.set_focus(ids[1], 0.5, 0.5, ANY)


async def test_one_of_many_concurrent_creations_wins(store: Store, other: Store) -> None:
    await store.put(A, RECORD)

    async def create(number: int) -> Focus | None:
        by = store if number % 2 else other
        try:
            return (await by.set_focus(A, number / 100, 0.5, Condition(absent=True)))[0]
        except PreconditionFailed:
            return None

    winners = [focus for focus in await asyncio.gather(*map(create, range(60))) if focus]
    assert len(winners) == 1
    assert await store.get_focus(A) == await other.get_focus(A) == winners[0]


async def test_one_of_many_concurrent_changes_of_a_revision_wins(store: Store, other: Store) -> None:
    await store.put(A, RECORD)
    present, _ = await store.set_focus(A, 0.5, 0.5, ANY)
    for _ in range(5):

        async def change(number: int, seen: int = present.revision) -> Focus | None:
            by = store if number % 2 else other
            try:
                return (await by.set_focus(A, number / 100, 0.5, Condition(match=(seen,))))[0]
            except PreconditionFailed:
                return None

        winners = [focus for focus in await asyncio.gather(*map(change, range(20))) if focus]
        assert len(winners) == 1
        present = winners[0]
        assert await store.get_focus(A) == present


async def test_the_limit_holds_in_a_race(store: Store, other: Store) -> None:
    ids = [f"{number:032x}" for number in range(20)]
    for id in ids:
        await store.put(id, RECORD)

    async def create(number: int) -> bool:
        by = store if number % 2 else other
        try:
            return (await by.set_focus(ids[number], 0.5, 0.5, ANY))[1]
        except StoreFull:
            return False

    assert sum(await asyncio.gather(*map(create, range(20)))) == MAX_FOCUS


async def test_replicas_share_one_id_key(open_one: OpenStore) -> None:
    stores = [open_one() for _ in range(4)]
    keys = await asyncio.gather(*(store.id_key() for store in stores))
    assert len(set(keys)) == 1 and len(keys[0]) == 32
    for store in stores:
        await store.close()
    again = open_one()
    assert await again.id_key() == keys[0]
    await again.close()


async def test_everything_is_there_after_a_restart(open_one: OpenStore) -> None:
    store = open_one()
    await store.put(A, RECORD)
    focus, _ = await store.set_focus(A, 0.25, 0.75, ANY)
    await store.close()
    again = open_one()
    assert await again.get(A) == Entry(RECORD, focus)
    await again.close()


async def test_a_change_is_seen_by_the_other_replica(store: Store, other: Store) -> None:
    await store.put(A, RECORD)
    assert await other.get(A) == Entry(RECORD, None)
    focus, _ = await other.set_focus(A, 0.5, 0.5, ANY)
    assert await store.get(A) == Entry(RECORD, focus)
    await store.delete(A)
    assert await other.get(A) is None


async def test_many_at_once(store: Store) -> None:
    """More than connections and than jobs of one transaction; each call gets its own answer."""
    records = {f"{number:032x}": Record("gaze-0", "jpeg", b"%d" % number) for number in range(300)}
    await asyncio.gather(*(store.put(id, record) for id, record in records.items()))
    found = await asyncio.gather(*map(store.get, records))
    assert [entry.record for entry in found if entry] == list(records.values())


async def test_clients_that_leave_do_not_affect_others(store: Store) -> None:
    """A cancelled call must not leave its answer for the next one on the same connection."""
    records = {f"{number:032x}": Record("gaze-0", "jpeg", b"%d" % number) for number in range(200)}
    for id, record in records.items():
        await store.put(id, record)
    for turns in range(8):
        calls = [asyncio.create_task(store.get(id)) for id in records]
        for _ in range(turns):
            await asyncio.sleep(0)
        for call in calls[::2]:
            call.cancel()
        await asyncio.gather(*calls[::2], return_exceptions=True)
        left = await asyncio.gather(*calls[1::2])
        assert [entry.record for entry in left if entry] == list(records.values())[1::2]


async def test_it_answers_a_ping(store: Store) -> None:
    await store.ping()


def test_the_settings_choose_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.setenv("GAZECROP_DATA_DIR", str(tmp_path / "new" / "folder"))
    embedded = open_store(Settings())
    assert embedded.name == "sqlite" and (tmp_path / "new" / "folder" / "gazecrop.db").exists()
    asyncio.run(embedded.close())
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")  # nothing listens there; the first call fails
    assert open_store(Settings()).name == "redis"
    monkeypatch.setenv("REDIS_URL", "http://127.0.0.1")
    with pytest.raises(StoreAway, match="REDIS_URL"):
        open_store(Settings())


def report(id: str = A, size: int = 0, text: str = "") -> Report:
    """With a picture of so many bytes, or without one."""
    document = {"id": id, "text": text} | ({"picture": f"{id}-{text}"} if size else {})
    return Report(document, bytes(size) if size else None)


async def everything(store: Store) -> list[Report]:
    return [found async for found in store.reports()]


async def test_reports_come_back_in_order_on_every_replica(store: Store, other: Store) -> None:
    assert await everything(store) == []
    sent = [report(A, 10, "one"), report(B, 0, "two"), report(A, 300_000, "dré"), report(B, 7, "four")]
    for number, each in enumerate(sent):
        await (store, other)[number % 2].add_report(each)
    assert await everything(store) == await everything(other) == sent


async def test_more_reports_than_one_read_takes(store: Store) -> None:
    sent = [report(A, number % 3, str(number)) for number in range(250)]
    for each in sent:
        await store.add_report(each)
    assert await everything(store) == sent


async def test_deleting_forgets_the_pictures_in_reports_and_not_the_texts(store: Store, other: Store) -> None:
    for id, text in ((A, "a1"), (A, "a2"), (B, "b")):
        await store.add_report(report(id, 5, text))
    for id in ("*", "a" * 31, "", "../reports", "c" * 32):
        await other.delete(id)
    assert [found.picture for found in await everything(store)] == [bytes(5)] * 3
    await other.delete(A)
    kept = [(found.document["text"], found.picture) for found in await everything(store)]
    assert kept == [("a1", None), ("a2", None), ("b", bytes(5))]


async def test_the_size_of_all_reports_is_bounded_also_after_a_restart(open_one: OpenStore) -> None:
    first = open_one()
    await first.add_report(report(A, 700_000, "kept"))
    await first.close()
    store = open_one()
    for _ in range(2):
        with pytest.raises(StoreFull) as full:
            await store.add_report(report(B, 400_000, "refused"))
        assert full.value.members == {"limit": 1_000_000}
    await store.add_report(report(B, 200_000, "fits"))
    await store.delete(A)
    await store.add_report(report(B, 700_000, "fits again"))
    assert [found.document["text"] for found in await everything(store)] == ["kept", "fits", "fits again"]
    await store.close()


async def test_deletions_at_once_give_the_room_back_once(store: Store, other: Store) -> None:
    for _ in range(20):
        await store.add_report(report(A, 900_000, "kept"))
        await asyncio.gather(*(each.delete(A) for each in (store, other) for _ in range(5)))
    with pytest.raises(StoreFull):
        await store.add_report(report(A, 1_000_000, "refused"))
