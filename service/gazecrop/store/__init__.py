"""Stores for maps, people's focal points and reports."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

from gazecrop.settings import Settings
from gazecrop.store.base import Report, Store


def open_store(settings: Settings) -> Store:
    """Redis when `REDIS_URL` is set, else the SQLite file of `data_dir`.

    Raises StoreAway, whose log text states what to fix. Redis is not contacted yet: it may be down at the start.
    """
    if settings.redis_url:
        from gazecrop.store.redis import RedisStore  # 0.1 s to import, which most starts need not spend

        return RedisStore(
            settings.redis_url,
            map_days=settings.map_days,
            max_focus=settings.max_focus,
            reports_megabytes=settings.reports_megabytes,
        )
    from gazecrop.store.sqlite import SqliteStore

    return SqliteStore(
        sqlite_path(settings),
        megabytes=settings.store_megabytes,
        max_focus=settings.max_focus,
        reports_megabytes=settings.reports_megabytes,
    )


def sqlite_path(settings: Settings) -> Path:
    return settings.data_dir / "gazecrop.db"


async def stored_reports(settings: Settings) -> AsyncGenerator[Report, None]:
    """All reports of the store of `settings`, the oldest first. Changes nothing, and makes no SQLite file.

    Raises StoreAway.
    """
    if not settings.redis_url:
        from gazecrop.store import sqlite_reports

        for report in sqlite_reports.read(sqlite_path(settings)):
            yield report
        return
    store = open_store(settings)
    try:
        async with aclosing(store.reports()) as reports:
            async for report in reports:
                yield report
    finally:
        await store.close()
